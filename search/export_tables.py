"""What can be exported: a study's ranking, its curves, its final test; whole or in parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search import curve_export, export_columns, final_export
from coarsefine.search.errors import UsageError
from coarsefine.search.export_columns import Column, searched

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.studies.results.ranking import Ranking

# Columns without whose marks and intervals their legend would say nothing.
_EXPLAINED: Final = {"tied", "interval_low", "interval_high", "standard_deviation", "reused"}


@dataclass(frozen=True, slots=True)
class Table:
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
    cells: Mapping[str, list[Any]]
    columns: Mapping[str, Column]
    usual: tuple[str, ...]
    legend: Callable[[], tuple[str, ...]] = tuple
    epoch: str = ""
    named: tuple[str, ...] | None = None

    @property
    def n_rows(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.cells.values()), []))

    def exact(self) -> dict[str, list[Any]]:
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
            texts = [column.cell(row) for row in rows]
            if heading not in found and (self.named or any(texts)):
                found[heading] = texts
                if column.type in {"text", "truth"}:
                    words.add(heading)
        return found, words

    def heading(self, column: Column) -> str:
        """Return what people read above a column."""
        return column.heading.format(epoch=self.epoch) or column.name.replace("_", " ")

    def explained(self) -> tuple[str, ...]:
        """Return the legend, if there is anything it explains."""
        shown = set(self.named or self.usual)
        return self.legend() if shown & _EXPLAINED else ()

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        return zip(*self.cells.values(), strict=True)


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

    def of(self, table: Table) -> Table:
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


def _known(table: Table, option: str, word: str) -> str:
    """Return the column that is named, in any case and with any dashes."""
    from coarsefine.studies.errors import did_you_mean

    name = word.strip().lower().replace("-", "_").replace(" ", "_")
    if name not in table.cells:
        raise UsageError(
            f"{option} must name columns of the {table.name}: {', '.join(table.cells)}; "
            f"got {word.strip()!r}{did_you_mean(name, table.cells)}"
        )
    return name


def _sorted(table: Table, name: str, *, descending: bool) -> Table:
    column = table.cells[name]
    known = [place for place, value in enumerate(column) if value is not None]
    # Equal ones stay in the table's own order either way.
    known.sort(key=lambda place: column[place], reverse=descending)
    order = known + [place for place, value in enumerate(column) if value is None]
    cells = {other: [values[place] for place in order] for other, values in table.cells.items()}
    return replace(table, cells=cells)


# ---------------------------------------------------------------------------------------- tables


def of_ranking(ranking: "Ranking", top: int | None = None) -> Table:
    """Return a ranking: a row a trial, best first."""
    from coarsefine.search.export import exact
    from coarsefine.studies.results.notes.marks import legend

    whole = ranking
    if top is not None:
        ranking = replace(ranking, trials=_best(ranking, top))
    cells = exact(ranking)
    complete = all(state == "complete" for state in cells["state"])
    return Table(
        name="ranking",
        rows="trials",
        cells=cells,
        columns=_described(cells, export_columns.RANKING),
        usual=(
            *("rank", "stage", *ranking.searched),
            *(() if complete else ("state",)),
            *("validation_accuracy", "interval_low", "standard_deviation", "tied"),
            *("validation_loss", "train_accuracy", "test_accuracy", "reused"),
        ),
        legend=partial(legend, whole),
        epoch="best" if ranking.score == "best" else "last",
    )


def of_curves(database: "Database", ranking: "Ranking", top: int | None = None) -> Table:
    """Return the curves of a study: a row an epoch of each training run."""
    if top is not None:
        ranking = replace(ranking, trials=_best(ranking, top))
    cells = curve_export.exact(database, ranking)
    columns = _described(cells, export_columns.CURVES)
    usual = tuple(name for name in cells if name not in {"study", "seconds", "evaluation_seconds"})
    return Table("curves", "epochs", cells, columns, usual)


def of_test(database: "Database", ranking: "Ranking", top: int | None = None) -> Table:
    """Return what the final test found: a row a tested trial of each opening of the test set.

    Raises:
        ExportError: If the test set was not opened yet.
    """
    openings = final_export.openings(database, ranking)
    cells = final_export.exact(database, ranking, openings, top)
    usual = (
        *(("opening",) if len(set(cells["opening"])) > 1 else ()),
        *("rank", "stage", *ranking.searched, "validation_accuracy", "test_accuracy"),
        *("interval_low", "test_loss", "trained_epochs", "refit"),
        *(("hand_picked",) if any(cells["hand_picked"]) else ()),
    )
    return Table(
        name="test",
        rows="test runs",
        cells=cells,
        columns=_described(cells, export_columns.FINAL_TEST),
        usual=tuple(name for name in usual if name in cells),
        legend=partial(final_export.legend, openings, ranking),
    )


def _best(ranking: "Ranking", n: int) -> tuple[Any, ...]:
    return tuple(trial for trial in ranking.trials if trial.rank is not None)[:n]


def _described(cells: Mapping[str, Sequence[Any]], known: Sequence[Column]) -> dict[str, Column]:
    described = {column.name: column for column in known}
    return {
        name: described[name] if name in described else searched(name, values)
        for name, values in cells.items()
    }


TABLES: Final[dict[str, Callable[["Database", "Ranking", int | None], Table]]] = {
    "ranking": lambda _, ranking, top: of_ranking(ranking, top),
    "curves": of_curves,
    "test": of_test,
}
