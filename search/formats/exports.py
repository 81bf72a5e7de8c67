"""The formats that tables are exported in, and which one a file's ending names."""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coarsefine.search.errors import UsageError
from coarsefine.studies.errors import did_you_mean

if TYPE_CHECKING:
    from coarsefine.search.tables.table import ExportTable


def _made_by(module: str, name: str) -> "Callable[[ExportTable], bytes]":
    """Return what makes a file; it is imported when one is made, because start-up counts."""

    def contents(table: "ExportTable") -> bytes:
        make: Callable[[ExportTable], bytes] = getattr(import_module(module), name)
        return make(table)

    return contents


FORMATS: "Final[dict[str, Callable[[ExportTable], bytes]]]" = {
    "csv": _made_by("coarsefine.search.formats.csv_xlsx_parquet", "csv_bytes"),
    "md": _made_by("coarsefine.search.formats.markdown", "table_bytes"),
    "tex": _made_by("coarsefine.search.formats.latex_table", "table_bytes"),
    "html": _made_by("coarsefine.search.formats.html", "table_bytes"),
    "json": _made_by("coarsefine.search.formats.json", "json_bytes"),
    "parquet": _made_by("coarsefine.search.formats.csv_xlsx_parquet", "parquet_bytes"),
    "xlsx": _made_by("coarsefine.search.formats.csv_xlsx_parquet", "xlsx_bytes"),
}


def pieces_of(kind: str, table: "ExportTable") -> Iterable[bytes]:
    """Return a file's contents in some format piece by piece: a large csv is never held whole."""
    if kind != "csv":
        return [FORMATS[kind](table)]
    from coarsefine.search.formats.csv_xlsx_parquet import csv_pieces

    return csv_pieces(table.exact())


# They go to files alone; the others to a terminal, too.
BINARY: Final = frozenset({"parquet", "xlsx"})
_ENDINGS: Final = {"markdown": "md", "latex": "tex", "htm": "html", "excel": "xlsx"}


def format_of(file: Path | None, name: str | None) -> str:
    """Return the format that is named, or else the one of the file's ending.

    Raises:
        UsageError: If it is none of ours.
    """
    known = ", ".join(FORMATS)
    if name is not None:
        found = _ENDINGS.get(name.lower(), name.lower())
        if found not in FORMATS:
            raise UsageError(
                f"--format must be one of {known}, got {name!r}{did_you_mean(name, FORMATS)}"
            )
        return found
    if file is None:
        raise UsageError(f"export needs a file, or --format for stdout; formats are {known}")
    ending = file.suffix.lower().removeprefix(".")
    found = _ENDINGS.get(ending, ending)
    if found not in FORMATS:
        raise UsageError(
            f"files must end in .{', .'.join(FORMATS)}, got {file.name}; or name the format with "
            "--format"
        )
    return found
