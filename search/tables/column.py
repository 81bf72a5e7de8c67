"""A table in a terminal: as many of its columns as fit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from coarsefine.search.console import written
from coarsefine.search.tables.texts import UNKNOWN, measured, text
from coarsefine.search.words import value
from coarsefine.studies.results.columns.column import Column, Face, read_by
from coarsefine.studies.spaces.dimensions import symbol_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class TextColumn(Generic[Row]):
    """A column of a table in a terminal.

    Attributes:
        heading: Words, a line each.
        cell: What stands in a row.
        right: Whether it stands at the right, as numbers do.
        fold: Whether a cell may take several lines.
        spare: Columns are left out where a table is too wide, those with the highest number first;
            0 never.
    """

    heading: str
    cell: Callable[[Row], str]
    right: bool = True
    fold: bool = False
    spare: int = 0


def fitting(
    console: "Console",
    title: str,
    columns: Sequence[TextColumn[Row]],
    rows: Iterable[Row],
    style: Callable[[Row], str] = lambda _: "",
) -> "Table":
    """Return a table with as many of its columns as fit the console.

    Texts are taken as they are: what looks like markup in a user's name is not.
    """
    # Exports of these columns do not wait for it.
    from rich.measure import Measurement

    rows = list(rows)
    shown = list(columns)
    while True:
        table = _table(title, shown, rows, style)
        spare = max(shown, key=lambda column: column.spare)
        width = Measurement.get(console, console.options.update(width=10_000), table).maximum
        if width <= console.width or not spare.spare:
            return table
        shown.remove(spare)


def _table(
    title: str, columns: Sequence[TextColumn[Row]], rows: Sequence[Row], style: Callable[[Row], str]
) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(written(title), style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        header_style="",
    )
    for column in columns:
        table.add_column(
            Text(written(column.heading)),
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold" if column.fold else "ellipsis",
            vertical="bottom",
        )
    for row in rows:
        table.add_row(*(Text(written(column.cell(row))) for column in columns), style=style(row))
    return table


def text_columns(
    columns: Sequence[Column], rows: Sequence[Any], table: Any = None
) -> list[TextColumn[Any]]:
    """Return the columns that a terminal shows of some rows.

    Args:
        columns: All that there are; ``params`` stands for what was searched.
        rows: That are shown.
        table: What the table is of, such as a ``Ranking``.
    """
    shown: list[TextColumn[Any]] = []
    for column, face in read_by("terminal", columns, rows):
        if column.name == "params":
            shown += map(parameter_column, rows[0].params if rows else ())
        else:
            shown.append(_text_column(column, face, table))
    return shown


def _text_column(column: Column, face: Face, table: Any) -> TextColumn[Any]:
    def cell(row: Any) -> str:
        content = column.of(row)
        if column.mark:
            return column.mark if content else ""
        if column.error is not None:
            return measured(content, column.error(row, table), column.kind)
        commas = column.kind == "count"
        return UNKNOWN if content is None else text(column.kind, content, commas=commas)

    right = column.kind not in {"text", "truth"}
    return TextColumn(face.heading, cell, right=right, spare=face.spare)


def parameter_column(name: str) -> TextColumn[Any]:
    """Return the column of a parameter that was searched."""
    return TextColumn(symbol_of(name), lambda row: value(row.params[name]))
