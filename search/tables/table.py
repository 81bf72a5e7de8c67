"""A table to be exported: exact for programs, rounded for people; whole or in parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from coarsefine.search.errors import UsageError
from coarsefine.search.tables.texts import text
from coarsefine.studies.errors import did_you_mean
from coarsefine.studies.results.columns.column import Column, exact_cells, read_by
from coarsefine.studies.results.ranking import Ranking

# Columns without whose marks and intervals their legend would say nothing.
_EXPLAINED: Final = {"tied", "interval_low", "interval_high", "standard_deviation", "reused"}


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A table to be written in some format.

    Attributes:
        name: Of a spreadsheet's sheet.
        rows: What a row is, in a word.
        cells: All columns, a value a row each; ``None`` is what is not known.
        columns: What they are, in the same order.
        usual: Those that people read unless they name others.
        legend: Returns what people's tables must not be read without, a sentence each.
        epoch: After which epoch trials were measured, in a word.
        named: The columns that were asked for, in that order; ``None`` for all.
    """

    name: str
    rows: str
    cells: Mapping[str, Sequence[Any]]
    columns: Mapping[str, Column]
    usual: tuple[str, ...]
    legend: Callable[[], tuple[str, ...]] = tuple
    epoch: str = ""
    named: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls, name: str, rows: str, columns: Sequence[Column], found: Sequence[Any], ranking: Ranking
    ) -> "ExportTable":
        """Return the table of what was found of a ranking's study.

        Args:
            name: As in the class.
            rows: As in the class.
            columns: That it may have.
            found: A row each.
            ranking: Of the study.
        """
        cells, known = exact_cells(columns, found, ranking)
        return cls(name, rows, cells, known, usual_columns(columns, found, ranking.searched))

    @property
    def n_rows(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.cells.values()), []))

    def exact(self) -> dict[str, Sequence[Any]]:
        """Return the columns that programs get, as they were stored."""
        return {name: self.cells[name] for name in self.named or self.cells}

    def rounded(self) -> tuple[dict[str, list[str]], set[str]]:
        """Return the columns that people read, and those of them that hold words.

        Unless they were asked for, columns without anything in them are left out.
        """
        rows = [dict(zip(self.cells, row, strict=True)) for row in self._rows()]
        found: dict[str, list[str]] = {}
        words = set()
        for name in self.named or self.usual:
            column = self.columns[name]
            heading = self.heading(column)
            texts = [_cell(column, row) for row in rows]
            if heading not in found and (self.named or any(texts)):
                found[heading] = texts
                if column.stored_type in {"text", "truth"}:
                    words.add(heading)
        return found, words

    def spares(self) -> dict[str, int]:
        """Return which columns people can do without, by heading: those with the highest number.

        What a terminal never shows, or never leaves out, has 0.
        """
        return {
            self.heading(column): column.face("terminal").spare for column in self.columns.values()
        }

    def heading(self, column: Column) -> str:
        """Return what people read above a column."""
        return column.face("paper").heading.format(epoch=self.epoch)

    def explained(self) -> tuple[str, ...]:
        """Return the legend, if there is anything it explains."""
        shown = set(self.named or self.usual)
        return self.legend() if shown & _EXPLAINED else ()

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        return zip(*self.cells.values(), strict=True)


def _cell(column: Column, row: Mapping[str, Any]) -> str:
    """Return what people read in a row; nothing of what is not known."""
    if column.ends is not None:
        low, high = (row[name] for name in column.ends)
        if low is None or high is None:
            return ""
        return text("losses" if column.kind == "loss" else "interval", (low, high))
    content = row[column.name]
    if column.mark:
        return column.mark if content else ""
    # Four decimals, as docs/tables.md says, however large.
    if column.kind == "loss" and content is not None:
        return f"{content:.4f}"
    return "" if content is None else text(column.kind, content)


def usual_columns(
    columns: Sequence[Column], rows: Sequence[Any], searched: Sequence[str]
) -> tuple[str, ...]:
    """Return the names of the columns that people read unless they name others.

    Args:
        columns: All that there are; ``params`` stands for what was searched.
        rows: Of the table.
        searched: The names of what was searched.
    """
    named = [
        searched if column.name == "params" else (column.name,)
        for column, _ in read_by("paper", columns, rows)
    ]
    return tuple(name for names in named for name in names)


# ------------------------------------------------------------------------------- whole or in parts


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a table is wanted, in which order.

    Attributes:
        columns: Names separated by commas.
        top: Only of so many of the best trials.
        sort: The column by which rows are ordered; what is not known comes last.
    """

    columns: str | None = None
    top: int | None = None
    sort: str | None = None
    descending: bool = False

    def check(self) -> None:
        """Raise a UsageError for what no table has."""
        if self.top is not None and self.top < 1:
            raise UsageError(f"--top must be >= 1, got {self.top}")
        if self.descending and self.sort is None:
            raise UsageError("--descending needs --sort COLUMN")

    def of(self, table: ExportTable) -> ExportTable:
        """Return the part of a table.

        Raises:
            UsageError: If it has no such column.
        """
        if self.sort is not None:
            table = _sorted(table, _known(table, "--sort", self.sort), descending=self.descending)
        if self.columns is not None:
            words = [word for word in self.columns.split(",") if word.strip()]
            if not words:
                raise UsageError("--columns needs a name, got none")
            named = dict.fromkeys(_known(table, "--columns", word) for word in words)
            table = replace(table, named=tuple(named))
        return table


def _known(table: ExportTable, option: str, word: str) -> str:
    """Return the column that is named, in any case and with any dashes."""
    name = word.strip().lower().replace("-", "_").replace(" ", "_")
    if name not in table.cells:
        raise UsageError(
            f"{option} must name columns of the {table.name}: {', '.join(table.cells)}; "
            f"got {word.strip()!r}{did_you_mean(name, table.cells)}"
        )
    return name


def _sorted(table: ExportTable, name: str, *, descending: bool) -> ExportTable:
    column = table.cells[name]
    known = [place for place, value in enumerate(column) if value is not None]
    # Equal ones stay in the table's own order either way.
    known.sort(key=lambda place: column[place], reverse=descending)
    order = known + [place for place, value in enumerate(column) if value is None]
    cells = {other: [values[place] for place in order] for other, values in table.cells.items()}
    return replace(table, cells=cells)
