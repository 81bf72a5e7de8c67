"""The columns of .csv and .parquet files as they are, and where a row of them is in the file."""

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coarsefine.hints import option
from coarsefine.models.data.formats.files import NOT_DATA, bytes_allowed, looks_like, reading
from coarsefine.models.data.formats.text import Dialect, bare_names, dialect_of, looks_like_sample
from coarsefine.models.data.wording import shown, some
from coarsefine.models.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# What the UCI repository writes where a value is missing, beside what pandas knows.
_MISSING_TOO = ["?"]
_MARK = "="


@dataclass(frozen=True, eq=False)
class Table:
    """A table as read.

    Attributes:
        names: Of its columns.
        label: Place of the column of labels; ``None`` if there is no such column.
        label_name: What that column is called, or should be.
        lines: Returns, for some rows, where they are in the file, in words.
        as_text: Whether labels are text, whatever they say.
        texts: Reads all columns once more, as text; ``None`` where columns have types of their own.
        notes: What the user should know, a line each.
    """

    path: Path
    frame: "pd.DataFrame"
    names: list[str]
    label: int | None
    label_name: str
    lines: Callable[[Collection[int]], dict[int, str]]
    as_text: bool
    notes: tuple[str, ...] = ()
    texts: "Callable[[], pd.DataFrame] | None" = None

    def place(self, row: int) -> str:
        """Return where a row is in the file, in words."""
        return self.lines([row])[row]


def csv_table(path: Path, label: str, *, decimal: str) -> Table:
    """Return the table of a .csv file whose first line holds names.

    Raises:
        DataError: If it is none.
    """
    dialect = dialect_of(path, label, header=True, decimal=decimal)
    names, notes = bare_names(path, dialect.header, label)
    doubled = len(set(names)) < len(names)
    place = names.index(label) if label in names else None
    below: list[str] = [] if place is None else _column(dialect, place)
    if looks_like_sample(names, label, below):
        raise DataError(
            f"{path}: the first line looks like a sample, not like names of columns: "
            f"{some(names)}; if it is one, use ",
            option("data.header", False),
            " and ",
            option("data.label", "NUMBER"),
            ", the number of the labels' column: 0 is the first, -1 the last",
        )
    if doubled:
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: columns must have different names, got {shown(twice)} twice")
    frame = _parsed(dialect, place, header=True, decimal=decimal)
    return Table(
        path=path,
        frame=frame,
        names=names,
        label=place,
        label_name=label,
        lines=lambda rows: _lines(dialect, rows, has_names=True),
        as_text=True,
        notes=(*dialect.notes, *notes),
        texts=lambda: _parsed(dialect, None, header=True, decimal=decimal, dtype=str),
    )


def headerless_table(
    path: Path, label: str | None, *, decimal: str, unlabelled: int | None = None
) -> Table:
    """Return the table of a .csv file without a line of names: columns are called by number.

    Args:
        path: The file.
        label: Number of the column of labels: 0 is the first, -1 the last.
        decimal: What stands before the decimals.
        unlabelled: A table of so many columns has no labels; ``None`` asks for labels.

    Raises:
        DataError: If it is none, or has no such column.
    """
    dialect = dialect_of(path, "", header=False, decimal=decimal)
    n = len(dialect.header)
    try:
        place = None if n == unlabelled else range(n)[int(label or "")]
    except (ValueError, IndexError):
        got = "none" if label is None else shown(label)
        raise DataError(
            f"{path}: without names, the column of labels must be a number from 0, the first, to "
            f"{n - 1}, or -1, the last; got {got}; name it with ",
            option("data.label", "NUMBER"),
        ) from None
    return Table(
        path=path,
        frame=_parsed(dialect, place, header=False, decimal=decimal),
        names=[str(i) for i in range(n)],
        label=place,
        label_name=str(place),
        lines=lambda rows: _lines(dialect, rows, has_names=False),
        as_text=True,
        notes=dialect.notes,
        texts=lambda: _parsed(dialect, None, header=False, decimal=decimal, dtype=str),
    )


def parquet_table(path: Path, label: str) -> Table:
    """Return the table of a .parquet file.

    Raises:
        DataError: If it is none, or declares more than memory holds.
    """
    with reading(path), path.open("rb") as file:
        head = file.read(64)
    seen = looks_like(head)
    if seen in NOT_DATA or not head.startswith(b"PAR1"):
        raise DataError(f"{path}: must be a .parquet file, got {seen}")

    import pyarrow.parquet as pq

    try:
        with reading(path):
            with pq.ParquetFile(path) as file_read:
                texts = _checked_schema(path, file_read.metadata, file_read.schema_arrow)
            frame = _read_parquet(path, texts)
    except DataError:
        raise
    except Exception as error:  # pyarrow raises some ten kinds at a damaged file
        raise _damaged(path, error) from error
    names = [str(column) for column in frame.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: columns must have different names, got {shown(twice)} twice")
    return Table(
        path=path,
        frame=frame,
        names=names,
        label=names.index(label) if label in names else None,
        label_name=label,
        lines=lambda rows: {row: f"row {row}" for row in rows},
        as_text=False,
    )


def _read_parquet(path: Path, texts: list[str]) -> "pd.DataFrame":
    """Return the contents of a .parquet file, of which little is held twice."""
    import pandas as pd
    import pyarrow as pa

    # Each column leaves Arrow's table when pandas has it. Before version 3, pandas had no such
    # option, and holds all of them twice for a moment.
    options: dict[str, Any] = {}
    if "to_pandas_kwargs" in signature(pd.read_parquet).parameters:
        options["to_pandas_kwargs"] = {"split_blocks": True, "self_destruct": True}
    # Words that repeat are kept once, however often a small file says that they do. The file is
    # not to be read into memory before it is decoded.
    frame = pd.read_parquet(path, read_dictionary=texts, pre_buffer=False, **options)
    pa.default_memory_pool().release_unused()
    return frame


def _checked_schema(path: Path, metadata: object, schema: "pa.Schema") -> list[str]:
    """Return the columns of text of a file whose size as declared can be held."""
    import pyarrow as pa

    n_rows = int(metadata.num_rows)  # type: ignore[attr-defined]  # pyarrow has no types
    n_bytes = 8 * n_rows * len(schema)
    if n_bytes > bytes_allowed(path):
        raise DataError(
            f"{path}: must hold a table that its size bounds, got {n_rows:,} rows of "
            f"{len(schema):,} columns in {path.stat().st_size:,} bytes"
        )
    return [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]


def _parsed(
    dialect: Dialect,
    label: int | None,
    *,
    header: bool,
    decimal: str,
    dtype: type[str] | None = None,
) -> "pd.DataFrame":
    import pandas as pd

    path = dialect.source.path
    try:
        with dialect.opened() as file, warnings.catch_warnings():
            # Rows longer than the header: pandas would drop values, or name rows by them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                file,
                sep=dialect.separator,
                header=0 if header else None,
                low_memory=False,
                skipinitialspace=True,
                index_col=False,
                decimal=decimal,
                dtype=dtype,
                na_values=_MISSING_TOO,
                # Labels stay as they are written: NA and None are names of classes too. With a
                # mark before it, pandas takes none for a missing value.
                converters=None if label is None else {label: f"{_MARK}{{}}".format},
            )
    except DataError:
        raise
    except Exception as error:  # pandas raises some twenty kinds at a damaged file
        if (line := _uneven_row(dialect)) is not None:
            raise DataError(f"{path}: damaged or no {path.suffix} file: {line}") from error
        raise _damaged(path, error) from error
    if label is not None:
        marked = frame.iloc[:, label].to_numpy(object)
        words = [cell[len(_MARK) :] if isinstance(cell, str) else "" for cell in marked]
        frame.isetitem(label, np.array(words, dtype=object))
    return frame


def _uneven_row(dialect: Dialect) -> str | None:
    """Return the first row with more values than the first line, in words."""
    width = len(dialect.header)
    for line, fields in dialect.records():
        if len(fields) > width:
            return f"line {line:,} has {len(fields):,} values, the first line has {width:,}"
    return None


def _column(dialect: Dialect, place: int, most: int = 10_000) -> list[str]:
    """Return the first values below a name."""
    values = []
    for i, (_, fields) in enumerate(dialect.records()):
        if i > most:
            break
        if i > 0 and place < len(fields):
            values.append(fields[place])
    return values


def _lines(dialect: Dialect, rows: Collection[int], *, has_names: bool) -> dict[int, str]:
    lines = dict.fromkeys(rows, "a line")
    last = max(rows)
    for i, (line, _) in enumerate(dialect.records()):
        row = i - 1 if has_names else i
        if row in lines:
            lines[row] = f"line {line:,}"
        if row >= last:
            break
    return lines


def _damaged(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    return DataError(f"{path}: damaged or no {path.suffix} file: {reason}")
