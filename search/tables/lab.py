"""A lab's own figures beside ours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import percent
from coarsefine.studies.labs.beside import Beside, heading

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def lab_table(
    console: "Console", title: str, names: Sequence[str], rows: Sequence[Beside]
) -> "Table":
    """Return a lab's own figures, by name, beside those found here."""
    columns: list[TextColumn[Beside]] = [TextColumn("", lambda row: row.at, right=False)]
    for name in names:
        columns += [
            TextColumn(f"{heading(name)}\nlab", lambda row, n=name: _shown(n, row.lab.get(n))),  # type: ignore[misc]
            TextColumn(f"{heading(name)}\nhere", lambda row, n=name: _shown(n, row.here[n])),  # type: ignore[misc]
        ]
    return fitting(console, title, columns, rows)


def _shown(name: str, number: float | None) -> str:
    if number is None:
        return "–"
    return percent(number) if "accuracy" in name else f"{number:.4g}"
