"""Tables of a report from the columns that all tables have."""

from collections.abc import Sequence
from typing import Any, TypeVar

from coarsefine.studies.reports.parts import Column, Kind
from coarsefine.studies.results.columns.column import Column as AnyColumn
from coarsefine.studies.results.columns.column import read_by
from coarsefine.studies.spaces.dimensions import symbol_of

Row = TypeVar("Row")


def spread(rows: Sequence[Row], most: int) -> list[Row]:
    """Return the first, the last and some between, evenly spread.

    >>> spread(range(10), 4), spread([1, 2], 4)
    ([0, 3, 6, 9], [1, 2])
    """
    last = len(rows) - 1
    return (
        [rows[i] for i in sorted({round(i * last / (most - 1)) for i in range(most)})]
        if rows
        else []
    )


def columns_and_rows(
    columns: Sequence[AnyColumn], rows: Sequence[Any], table: Any = None, every: Sequence[Any] = ()
) -> tuple[tuple[Column, ...], tuple[tuple[Any, ...], ...]]:
    """Return the columns that a report shows, and their cells in each row.

    Args:
        columns: All that there are; ``params`` stands for what was searched.
        rows: That are shown.
        table: What the table is of, such as a ``Ranking``.
        every: What decides which columns have something to show, if more than ``rows``.
    """
    shown: list[tuple[Column, list[Any]]] = []
    for column, face in read_by("report", columns, every or rows):
        if column.name == "params":
            shown += [
                (Column(symbol_of(name), "value"), [row.params.get(name) for row in rows])
                for name in dict.fromkeys(name for row in rows for name in row.params)
            ]
            continue
        kind, cells = _cells(column, rows, table)
        shown.append((Column(face.heading, kind), cells))
    return (
        tuple(column for column, _ in shown),
        tuple(zip(*(cells for _, cells in shown), strict=True)),
    )


def _cells(column: AnyColumn, rows: Sequence[Any], table: Any) -> tuple[Kind, list[Any]]:
    if column.mark:
        return "text", [column.mark if column.of(row) else "" for row in rows]
    if column.error is not None:
        known = [(column.of(row), column.error(row, table), column.kind) for row in rows]
        return "measured", [None if each[0] is None else each for each in known]
    return column.kind, [column.of(row) for row in rows]
