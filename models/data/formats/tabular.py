"""Reader of people's own .csv and .parquet files: a label column, all others features."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarsefine.hints import Message, joined, option
from coarsefine.models.data.columns import Column
from coarsefine.models.data.features import checked_features
from coarsefine.models.data.formats.cells import Cells, cells_of
from coarsefine.models.data.formats.frames import Table, csv_table, headerless_table, parquet_table
from coarsefine.models.data.labels import MISSING_WORDS, Classes, numbered, worded
from coarsefine.models.data.raw import RawData, SideBySide
from coarsefine.models.data.wording import named, quoted, shown, some
from coarsefine.models.errors import DataError

DEFAULT_LABEL = "label"
_LISTED = 4
_TRUTHS = {"True", "TRUE", "true", "False", "FALSE", "false"}


def read_table(
    path: Path,
    label: str | None = None,
    *,
    header: bool = True,
    decimal: str = ".",
    categorical: str | None = None,
    missing: str | None = None,
) -> RawData:
    """Return the data set in a .csv or .parquet file.

    Labels are whole numbers 0 … K-1, or words: then classes are the words in sorted order.

    Args:
        path: The file.
        label: Column of the labels; ``None`` is ``label``. Without a line of names, its number:
            0 is the first, -1 the last.
        header: Whether a .csv file has a line of names.
        decimal: What stands before the decimals in a .csv file.
        categorical: What becomes of columns of words; ``None`` refuses them.
        missing: What becomes of missing values; ``None`` refuses them. ``drop`` leaves out the
            samples that have one.

    Raises:
        DataError: If the file is damaged, a column is not what it should be, or a value is missing.
    """
    if path.suffix.lower() == ".parquet":
        table = parquet_table(path, label or DEFAULT_LABEL)
    elif header:
        table = csv_table(path, label or DEFAULT_LABEL, decimal=decimal)
    else:
        table = headerless_table(path, label, decimal=decimal)
    for name in table.names:
        # pandas names a column without a name so: most often row numbers, which are no feature.
        if not name or name.startswith("Unnamed: ") or name == "__index_level_0__":
            raise DataError(f"{path}: columns must have names, got {quoted(name)}; drop or name it")
    if len(table.frame) == 0:
        raise DataError(f"{path}: must hold samples, got none")
    features = [
        cells_of(name, table.frame.iloc[:, i])
        for i, name in enumerate(table.names)
        if i != table.label
    ]
    labels = None if table.label is None else _Labels(table)
    _check(table, features, labels, categorical=categorical, missing=missing)
    if labels is None:  # _check has refused it
        raise AssertionError
    kept = ~labels.missing
    if missing == "drop":
        kept &= ~np.any([one.missing for one in features], axis=0)
    classes = labels.classes(kept)
    notes = (*table.notes, *_notes(table, features, kept), *classes.notes)
    names = tuple(one.name for one in features)
    plain = categorical is None and missing in (None, "drop")
    columns = None if plain else _contents(features, kept)
    # From here on the cells hold all that is held of the file, until they have been converted.
    del table, labels
    converted = list(_converted(features, kept, columns))
    dtype = np.result_type(*converted) if columns is None else np.dtype(np.float64)
    return RawData(
        x=SideBySide(converted, dtype),
        y=classes.y,
        x_test=None,
        y_test=None,
        sample_shape=(len(names),),
        class_names=classes.names,
        warnings=notes,
        feature_names=names,
        columns=columns,
    )


class _Labels:
    """The column of labels."""

    def __init__(self, table: Table) -> None:
        assert table.label is not None  # noqa: S101  # the caller saw to it
        self._where = f"{table.path}: column {named(table.label_name)}"
        self._values = table.frame.iloc[:, table.label]
        self._as_text = table.as_text
        self.missing = self._values.isna().to_numpy()
        if table.as_text:
            words = self._values.to_numpy(object)
            self.missing = words == ""
            # Among numbers, NA is a missing one; among words, a word.
            others = np.array([word not in MISSING_WORDS for word in words], dtype=bool)
            if others.any() and _numbers(words[others]) is not None:
                self.missing = ~others

    def classes(self, kept: NDArray[np.bool_]) -> Classes:
        """Return the classes of the samples that are kept.

        Raises:
            DataError: If the labels are no classes.
        """
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        values = self._values[kept]
        if is_numeric_dtype(values) and not is_bool_dtype(values):
            return numbered(self._where, values.to_numpy())
        words = values.astype(str).to_numpy(object)
        if self._as_text:
            if (numbers := _numbers(words)) is not None:
                return numbered(self._where, numbers)
            if set(words) <= _TRUTHS:
                words = np.array([word.capitalize() for word in words], dtype=object)
        return worded(self._where, words)


def _numbers(words: NDArray[np.object_]) -> NDArray[np.generic] | None:
    """Return words as numbers if all of them are, as pandas would have read them."""
    import pandas as pd

    try:
        numbers = pd.to_numeric(pd.Series([word.strip() for word in words], dtype=object))
    except (ValueError, OverflowError):
        return None
    values: NDArray[np.generic] = numbers.to_numpy()
    return values if values.dtype.kind in "iuf" else None


def _check(
    table: Table,
    features: Sequence[Cells],
    labels: _Labels | None,
    *,
    categorical: str | None,
    missing: str | None,
) -> None:
    """Raise a ``DataError`` of all that is wrong with a table, if anything is."""
    problems = _Problems(table.path)
    worded_columns = [one for one in features if one.words is not None]
    if labels is None:
        problems.add(
            f"must have a label column {quoted(table.label_name)}, got {some(table.names)}",
            Message("name the column that holds the labels with ", option("data.label", "NAME")),
        )
        # A single column of words is most likely the labels.
        worded_columns = worded_columns if len(worded_columns) > 1 else []
    elif not features:
        problems.add(f"must have feature columns beside {quoted(table.label_name)}, got none")
    elif labels.missing.any() and missing != "drop":
        problems.add(
            f"column {named(table.label_name)}: every sample must have a label, got "
            f"{_counted(table, labels.missing, 'without')}",
            None
            if missing
            else Message(option("data.missing", "drop"), " leaves such samples out"),
        )
    commas = [one for one in worded_columns if one.decimal_commas]
    if commas:
        problems.add(
            f"features must be numbers, got decimal commas in {_columns(commas)}, as in "
            f"{_first(table, commas[0])}",
            Message("read them with ", option("data.decimal", ",")),
        )
    thousands = [one for one in worded_columns if one.thousands]
    numeric = [one for one in worded_columns if one.mostly_numbers and one not in thousands]
    if thousands and categorical is None:
        problems.add(
            f"features must be numbers, got marks between thousands in {_columns(thousands)}, as "
            f"in {_first(table, thousands[0])}",
            Message(
                "take them out; if they are decimal commas, read them with ",
                option("data.decimal", ","),
            )
            if any("," in _cell(one) for one in thousands)
            else Message("take them out"),
        )
    elif numeric and not commas and categorical is None:
        # As words, all these numbers would be categories.
        listed = "; ".join(f"{_first(table, one)} of column {quoted(one.name)}" for one in numeric)
        problems.add(
            f"features must be numbers, as most are here, got {listed}",
            Message("mend such lines, or leave them out"),
        )
    elif worded_columns and not commas and categorical is None:
        listed = ", ".join(
            f"{_cell(one)} in column {quoted(one.name)} ({table.place(one.first)})"
            for one in worded_columns[:_LISTED]
        )
        problems.add(
            f"features must be numbers, got {listed}{_and_more(worded_columns)}",
            Message(
                "drop columns of words, or turn them into numbers with ",
                option("data.categorical", "one-hot"),
            ),
        )
    gaps = [one for one in features if one.missing.any()]
    if gaps and missing is None:
        listed = "; ".join(
            _counted(table, one.missing, f"missing in column {quoted(one.name)}")
            for one in gaps[:_LISTED]
        )
        problems.add(
            f"features must be finite numbers, got {listed}{_and_more(gaps)}",
            Message(
                "fill gaps, or leave out samples that have some, with ",
                option("data.missing", ("median", "indicator", "drop")),
            ),
        )
    for one in features:
        if one.complaint:
            problems.add(
                f"features must be numbers, got {one.complaint} in column {quoted(one.name)} "
                f"({table.place(one.first)})",
                Message("drop the column or turn it into numbers"),
            )
        elif one.numbers is not None and (wrong := _not_finite(one)).any():
            row = int(np.argmax(wrong))
            problems.add(
                f"column {quoted(one.name)}: features must be finite float32 numbers, got "
                f"{int(wrong.sum()):,} that are not, the first {one.numbers[row]} in "
                f"{table.place(row)}"
            )
    problems.end()


class _Problems:
    """All that is wrong with a table, to be said at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []
        self._advice: list[Message] = []

    def add(self, line: str, advice: Message | None = None) -> None:
        """Add a problem and what to do about it."""
        self._lines.append(line)
        if advice is not None and advice not in self._advice:
            self._advice.append(advice)

    def end(self) -> None:
        """Raise a ``DataError`` if there are any."""
        if not self._lines:
            return
        n = len(self._lines)
        listed = "; ".join(self._lines[: 2 * _LISTED])
        more = f"; and {n - 2 * _LISTED} more" if n > 2 * _LISTED else ""
        problems = f"{self._path}: {f'{n} problems: ' if n > 1 else ''}{listed}{more}"
        raise DataError(joined("; ", [problems, *self._advice]))


def _counted(table: Table, where: NDArray[np.bool_], what: str) -> str:
    row = int(np.argmax(where))
    return f"{int(where.sum()):,} {what}, the first in {table.place(row)}"


def _columns(cells: Sequence[Cells]) -> str:
    what = "column" if len(cells) == 1 else "columns"
    return f"{what} {some([one.name for one in cells], _LISTED)}"


def _cell(cells: Cells) -> str:
    assert cells.words is not None  # noqa: S101  # the caller saw to it
    return shown(cells.words[cells.first])


def _first(table: Table, cells: Cells) -> str:
    return f"{_cell(cells)} in {table.place(cells.first)}"


def _and_more(cells: Sequence[Cells]) -> str:
    n = len(cells) - _LISTED
    return f" and so on in {n:,} more {'column' if n == 1 else 'columns'}" if n > 0 else ""


def _not_finite(cells: Cells) -> NDArray[np.bool_]:
    assert cells.numbers is not None  # noqa: S101  # the caller saw to it
    with np.errstate(over="ignore"):
        narrow = cells.numbers.astype(np.float32)
    wrong: NDArray[np.bool_] = ~np.isfinite(narrow) & ~cells.missing
    return wrong


def _notes(table: Table, features: Sequence[Cells], kept: NDArray[np.bool_]) -> list[str]:
    notes = [f"{table.path}: {note}" for one in features for note in one.notes]
    if not kept.all():
        notes.append(
            f"{table.path}: {int((~kept).sum()):,} of {len(kept):,} samples have missing values "
            "and are left out"
        )
    return notes


def _contents(features: Sequence[Cells], kept: NDArray[np.bool_]) -> tuple[Column, ...]:
    """Return what columns of numbers, words and gaps hold."""
    return tuple(
        Column(one.name)
        if one.words is None
        else Column(one.name, tuple(sorted({w for w in one.words[kept] if w is not None})))
        for one in features
    )


def _converted(
    features: list[Cells], kept: NDArray[np.bool_], columns: Sequence[Column] | None
) -> Iterator[NDArray[np.generic]]:
    """Yield the samples' values column by column; empties ``features``, to hold each only once.

    Args:
        features: The cells.
        kept: Which of the rows are samples.
        columns: What the cells hold; ``None`` where all are numbers without gaps by themselves.
    """
    rows = slice(None) if kept.all() else kept
    for i in range(len(features)):
        one = features.pop(0)
        if columns is None:
            if one.numbers is not None:
                yield checked_features(one.name, one.numbers[rows])
        elif one.words is not None:
            yield columns[i].coded(one.words[rows])
        elif one.numbers is not None:
            yield one.numbers[rows]
