"""Exact tables for programs and spreadsheets: csv, xlsx, parquet, and data frames."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.console import COMMANDS
from coarsefine.search.errors import UsageError
from coarsefine.search.tables.table import ExportTable

if TYPE_CHECKING:
    import pandas as pd

# What a spreadsheet takes for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
# What a sheet holds beside the line of names.
_MOST_ROWS: Final = 2**20 - 1
_AT_A_TIME: Final = 10_000


def frame_of(table: ExportTable) -> "pd.DataFrame":
    """Return a table as a data frame whose columns have the types of their values."""
    import pandas as pd

    # Column by column: pandas takes six times as long to take rows apart.
    found = table.exact()
    # A missing whole number would turn the others into 1.0, 2.0, ...
    types = {"whole": "Int64", "real": "float64", "truth": "boolean"}
    kinds = {name: types.get(table.columns[name].stored_type) for name in found}
    return pd.DataFrame(found).astype({name: kind for name, kind in kinds.items() if kind})


def neutral(cells: Sequence[Any]) -> Sequence[Any]:
    """Return a column in which no text is a formula, whatever users call their studies.

    Nor does it hold what no worksheet may, and no terminal should be told.
    """
    if not any(issubclass(kind, str) for kind in set(map(type, cells))):
        return cells
    # Of hundreds of thousands of rows, most repeat the names of studies and stages.
    texts = {each for each in cells if isinstance(each, str)}
    safe = {each: COMMANDS.sub("�", _no_formula(each)) for each in texts}
    return [safe[cell] if isinstance(cell, str) else cell for cell in cells]


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_of(found: Mapping[str, Sequence[Any]]) -> bytes:
    """Return columns as comma-separated values."""
    return b"".join(csv_pieces(found))


def csv_pieces(found: Mapping[str, Sequence[Any]]) -> Iterator[bytes]:
    """Yield columns as comma-separated values, some thousand rows at a time."""
    # Without pandas, which takes longer to import than all of this to write 10,000 trials.
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(neutral(list(found)))
    rows = zip(*map(neutral, found.values()), strict=True)
    while piece := text.getvalue():
        yield piece.encode()
        text.seek(0)
        text.truncate()
        writer.writerows(islice(rows, _AT_A_TIME))


def csv_bytes(table: ExportTable) -> bytes:
    """Return a table as comma-separated values."""
    return csv_of(table.exact())


def xlsx_bytes(table: ExportTable) -> bytes:
    """Return a spreadsheet of one sheet."""
    if table.n_rows > _MOST_ROWS:
        raise UsageError(f"a sheet holds {_MOST_ROWS:,} rows, got {table.n_rows:,}; write csv")
    file = BytesIO()
    cells = frame_of(table)
    texts = cells.select_dtypes(include=["object", "string"]).columns
    cells = cells.assign(**{name: list(neutral(list(cells[name]))) for name in texts})
    cells.columns = list(neutral(list(cells.columns)))
    cells.to_excel(file, index=False, sheet_name=table.name, freeze_panes=(1, 0))
    return file.getvalue()


def parquet_bytes(table: ExportTable) -> bytes:
    """Return a file whose columns carry their units and meanings with them."""
    import pyarrow as pa
    from pyarrow import parquet

    cells = pa.Table.from_pandas(frame_of(table), preserve_index=False)
    about = {
        name: {"unit": c.stored_unit, "meaning": c.meaning} for name, c in table.columns.items()
    }
    fields = [field.with_metadata(about[field.name]) for field in cells.schema]
    file = BytesIO()
    parquet.write_table(cells.cast(pa.schema(fields, cells.schema.metadata)), file)
    return file.getvalue()
