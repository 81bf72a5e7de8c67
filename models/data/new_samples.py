"""Samples that come after the training: a table, an array or a frame, read as the data set was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.columns import Column, Encoder
from coarsefine.models.data.decoded import decode
from coarsefine.models.data.formats.cells import Cells, cells_of
from coarsefine.models.data.formats.frames import Table, csv_table, headerless_table, parquet_table
from coarsefine.models.data.formats.npz import read_array
from coarsefine.models.data.formats.tabular import DEFAULT_LABEL
from coarsefine.models.data.prepared import PreparedData
from coarsefine.models.data.progress import Silent
from coarsefine.models.data.wording import quoted, some
from coarsefine.models.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 4
# Pixels of 0 … 255 and of 0 … 1 are farther from each other, samples of one kind hardly ever.
_OTHER_SCALE = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a data set are written.

    Attributes:
        names: Of the columns that hold features; empty where they have none.
        n_inputs: Numbers or words a sample, before words are encoded.
        exact: Columns with digits that float32 would lose; all others are rounded to it.
        label: Column of the labels, which other samples need not have.
        header: Whether a .csv file has a line of names.
        decimal: What stands before the decimals in a .csv file.
        sample_shape: Of a sample in an array; empty where it is not known.
        largest: Absolute value of a number in the data set; 0 where it is not known.
    """

    names: tuple[str, ...]
    n_inputs: int
    exact: tuple[int, ...] = ()
    label: str = DEFAULT_LABEL
    header: bool = True
    decimal: str = "."
    sample_shape: tuple[int, ...] = ()
    largest: float = 0.0

    def rounded(self, x: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return numbers as they are when the data set is decoded, (N, C)."""
        values = np.asarray(x, np.float64)
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float32).astype(np.float64)
        narrow[:, list(self.exact)] = values[:, list(self.exact)]
        return narrow


@dataclass(frozen=True, eq=False, slots=True)
class NewSamples:
    """Samples as a model's transform takes them.

    Attributes:
        x: (N, C), numbers, and places of words.
        columns: What the columns hold, where there are words or gaps.
        notes: What the user should know, a line each.
    """

    x: NDArray[np.float64]
    columns: tuple[Column, ...] | None = None
    notes: tuple[str, ...] = ()


def layout_of(data: PreparedData) -> Layout:
    """Return how the data set of prepared data is written.

    Raises:
        DataError: If the data set is not here.
    """
    spec = data.spec
    decoded = decode(spec, data.data_dir, download=True, progress=Silent(), needed=("x",))
    x = decoded.x()
    exact: tuple[int, ...] = ()
    if x.dtype == np.float64:
        differs = [np.any(x[:, i] != x[:, i].astype(np.float32)) for i in range(x.shape[1])]
        exact = tuple(np.flatnonzero(differs).tolist())
        if decoded.columns is not None:
            # Columns beside words are never rounded.
            exact = tuple(range(x.shape[1]))
    return Layout(
        names=decoded.feature_names,
        n_inputs=x.shape[1],
        exact=exact,
        label=spec.label or DEFAULT_LABEL,
        header=spec.header,
        decimal=spec.decimal,
        sample_shape=decoded.sample_shape,
        largest=_largest(x) if decoded.columns is None else 0.0,
    )


def read_samples(path: Path, layout: Layout, encoder: Encoder | None) -> NewSamples:
    """Return the samples of a .csv, .parquet, .npy or .npz file; labels in it are left alone.

    Raises:
        DataError: If they are not such samples as the data set has.
    """
    ending = path.suffix.lower()
    if ending in (".npy", ".npz"):
        return from_array(read_array(path), layout, encoder, str(path))
    if ending == ".parquet":
        table = parquet_table(path, layout.label)
    elif layout.header:
        table = csv_table(path, layout.label, decimal=layout.decimal)
    else:
        table = headerless_table(
            path, layout.label, decimal=layout.decimal, unlabelled=layout.n_inputs
        )
    return _of_table(table, layout, encoder)


def from_frame(frame: "pd.DataFrame", layout: Layout, encoder: Encoder | None) -> NewSamples:
    """Return the samples of a data frame.

    Raises:
        DataError: As ``read_samples`` does.
    """
    names = [str(name) for name in frame.columns]
    table = Table(
        path=Path("the data frame"),
        frame=frame,
        names=names,
        label=names.index(layout.label) if layout.label in names else None,
        label_name=layout.label,
        lines=lambda rows: {row: f"row {row}" for row in rows},
        as_text=False,
    )
    return _of_table(table, layout, encoder)


def from_array(
    values: Any, layout: Layout, encoder: Encoder | None, where: str = "samples"
) -> NewSamples:
    """Return samples of an array, (N, C) or as the data set has them, such as (N, 3, 32, 32).

    Raises:
        DataError: As ``read_samples`` does.
    """
    x = np.asarray(values)
    if encoder is not None:
        raise DataError(
            f"{where}: the model needs a table with the columns {some(layout.names)}, got an array"
        )
    if x.dtype.kind not in "buif":
        raise DataError(f"{where}: samples must be numbers, got {x.dtype}")
    shapes = [(layout.n_inputs,), layout.sample_shape or x.shape[1:]]
    # Colours may come first or last: numbers in another order would be other samples.
    if x.shape[1:] not in shapes or x.size != len(x) * layout.n_inputs:
        listed = " or ".join(str(("N", *shape)).replace("'", "") for shape in dict.fromkeys(shapes))
        raise DataError(f"{where}: samples must have the shape {listed}, got {x.shape}")
    if not len(x):
        raise DataError(f"{where}: must hold samples, got none")
    numbers = _finite(where, layout.rounded(x.reshape(len(x), -1)))
    return NewSamples(numbers, notes=_of_another_scale(where, numbers, layout))


def _of_table(table: Table, layout: Layout, encoder: Encoder | None) -> NewSamples:
    places = _places(table, layout)
    cells = [cells_of(table.names[i], table.frame.iloc[:, i]) for i in places]
    x = np.empty((len(table.frame), len(cells)))
    if encoder is None:
        for i, one in enumerate(cells):
            x[:, i] = _numbers(table, one, gaps=False)
        numbers = _finite(str(table.path), layout.rounded(x))
        scale = _of_another_scale(str(table.path), numbers, layout)
        return NewSamples(numbers, notes=(*table.notes, *scale))
    worded = [fitted.words is not None for fitted in encoder.columns]
    if any(expected and one.words is None for one, expected in zip(cells, worded, strict=True)):
        cells = _as_words(table, places, cells, worded)
    columns, notes = [], list(table.notes)
    for i, (one, fitted) in enumerate(zip(cells, encoder.columns, strict=True)):
        takes_gaps = fitted.fill is not None or fitted.indicator
        if fitted.words is None:
            x[:, i] = _numbers(table, one, gaps=takes_gaps)
            columns.append(Column(fitted.name))
            continue
        words = _words(table, one, gaps=takes_gaps)
        column = Column(fitted.name, tuple(sorted({word for word in words if word is not None})))
        x[:, i] = column.coded(words)
        columns.append(column)
        unknown = [word for word in column.words or () if word not in fitted.words]
        if unknown and (not fitted.other or len(unknown) == len(column.words or ())):
            notes.append(
                f"{table.path}: column {quoted(fitted.name)} has words that no training sample "
                f"has: {some(unknown, _MOST_NAMED)}; they count as "
                f"{'rare ones' if fitted.other else 'none of the others'}"
            )
    return NewSamples(_finite(str(table.path), x, gaps=True), tuple(columns), tuple(notes))


def _as_words(
    table: Table, places: Sequence[int], cells: Sequence[Cells], worded: Sequence[bool]
) -> list[Cells]:
    """Return columns with those of words as they are written, though all look like numbers.

    Of words such as 01234, 1.50 and True, new samples may hold no others.
    """
    texts = table.frame if table.texts is None else table.texts()
    return [
        replace(one, numbers=None, words=_words_of(texts.iloc[:, i].to_numpy(object), one.missing))
        if expected and one.numbers is not None
        else one
        for i, one, expected in zip(places, cells, worded, strict=True)
    ]


def _words_of(values: NDArray[np.object_], missing: NDArray[np.bool_]) -> NDArray[np.object_]:
    words = np.array([_word(value) for value in values], object)
    words[missing] = None
    return words


def _word(value: object) -> str:
    """Return a value as a .csv file has it: whole numbers without decimals."""
    if isinstance(value, float | np.floating):
        return f"{value:.17g}"
    return str(value)


def _places(table: Table, layout: Layout) -> list[int]:
    """Return where the columns of features are in a table, in the order of the data set.

    Raises:
        DataError: If some are missing.
    """
    others = [i for i in range(len(table.names)) if i != table.label]
    if len(table.frame) == 0:
        raise DataError(f"{table.path}: must hold samples, got none")
    if layout.header and layout.names:
        there = {table.names[i]: i for i in others}
        missing = [name for name in layout.names if name not in there]
        if missing:
            raise DataError(
                f"{table.path}: the model needs the columns {some(layout.names)}; "
                f"missing: {some(missing)}"
            )
        return [there[name] for name in layout.names]
    if len(others) != layout.n_inputs:
        raise DataError(
            f"{table.path}: samples must have {layout.n_inputs:,} columns, got {len(others):,}"
        )
    return others


def _numbers(table: Table, cells: Cells, *, gaps: bool) -> NDArray[np.float64]:
    if cells.numbers is None:
        got = "words" if cells.words is not None else cells.complaint
        raise DataError(
            f"{table.path}: column {quoted(cells.name)} must hold numbers, got {got} "
            f"({table.place(cells.first)})"
        )
    _check_gaps(table, cells, gaps=gaps)
    return np.asarray(cells.numbers, np.float64)


def _words(table: Table, cells: Cells, *, gaps: bool) -> NDArray[np.object_]:
    _check_gaps(table, cells, gaps=gaps)
    if cells.words is None:
        raise DataError(
            f"{table.path}: column {quoted(cells.name)} must hold words, got {cells.complaint}"
        )
    return cells.words


def _check_gaps(table: Table, cells: Cells, *, gaps: bool) -> None:
    if cells.missing.any() and not gaps:
        raise DataError(
            f"{table.path}: column {quoted(cells.name)} has a missing value "
            f"({table.place(int(np.argmax(cells.missing)))}), and the model was trained on samples "
            "that have none there"
        )


def _largest(x: NDArray[np.generic]) -> float:
    """Return the largest absolute value, of a million rows without a copy of them."""
    return max(abs(float(x.min())), abs(float(x.max())))


def _of_another_scale(where: str, x: NDArray[np.float64], layout: Layout) -> tuple[str, ...]:
    """Return a note where numbers are of another order than those that were trained on."""
    found = _largest(x)
    if not (layout.largest and found):
        return ()
    if 1 / _OTHER_SCALE < found / layout.largest < _OTHER_SCALE:
        return ()
    note = (
        f"{where}: the largest number is {found:g}, that of the training data {layout.largest:g}: "
        "scale the samples as those were, as pixels of 0 to 255 or of 0 to 1"
    )
    return (note,)


def _finite(where: str, x: NDArray[np.float64], *, gaps: bool = False) -> NDArray[np.float64]:
    right = ~np.isinf(x) if gaps else np.isfinite(x)
    if not right.all():
        row = int(np.argmin(right.all(axis=1)))
        raise DataError(f"{where}: features must be finite float32 numbers, not so in row {row}")
    return x


def layout_from_json(stored: Mapping[str, Any]) -> Layout:
    """Return the layout whose fields were stored."""
    lists: dict[str, Sequence[Any]] = {
        # Older files do not have them all.
        name: stored.get(name, ())
        for name in ("names", "exact", "sample_shape")
    }
    return Layout(**{**stored, **{name: tuple(values) for name, values in lists.items()}})
