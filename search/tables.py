"""The tables that answers are printed as."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from search.console import symbol
from search.words import percent, standard_error, value

if TYPE_CHECKING:
    from db.records import StudyRecord, TestOpeningRecord, TestRunRecord
    from studies.ranking import RankedTrial
    from studies.reading import Ranking

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        heading: Words, a line each.
        cell: What stands in a row.
        right: Whether it stands at the right, as numbers do.
        spare: Columns are left out where a table is too wide, those with the highest number first;
            0 never.
    """

    heading: str
    cell: Callable[[Row], str]
    right: bool = True
    spare: int = 0


def fitting(
    console: Console,
    title: str,
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    style: Callable[[Row], str] = lambda _: "",
) -> Table:
    """Return a table with as many of its columns as fit the console.

    Texts are taken as they are: what looks like markup in a user's name is not.
    """
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
    title: str, columns: Sequence[Column[Row]], rows: Sequence[Row], style: Callable[[Row], str]
) -> Table:
    table = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        header_style="",
    )
    for column in columns:
        table.add_column(
            Text(column.heading),
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            vertical="bottom",
        )
    for row in rows:
        table.add_row(*(Text(column.cell(row)) for column in columns), style=style(row))
    return table


def ranking_table(console: Console, ranking: "Ranking") -> Table:
    """Return a study's trials, best first."""
    trials = ranking.trials
    columns: list[Column[RankedTrial]] = [
        Column("rank", lambda t: "–" if t.rank is None else str(t.rank)),
        Column("stage", lambda t: t.stage, right=False),
        Column("trial", lambda t: str(t.trial), spare=1),
        *(_parameter(ranking.study, name) for name in (trials[0].params if trials else ())),
    ]
    if any(t.state != "complete" for t in trials):
        columns.append(Column("state", lambda t: t.state, right=False))
    columns += _validation(ranking)
    columns += [
        Column("validation\nloss", lambda t: _loss(t.validation_loss), spare=2),
        Column("training\naccuracy %", lambda t: percent(t.train_accuracy), spare=3),
    ]
    if any(t.replicates > 1 for t in trials):
        columns.append(Column("replicates", lambda t: str(t.replicates), spare=4))
    columns.append(
        Column("seconds", lambda t: "–" if t.seconds is None else f"{t.seconds:.2f}", spare=5)
    )
    if any(t.test_accuracy is not None for t in trials):
        columns.append(Column("test\naccuracy %", lambda t: percent(t.test_accuracy)))
    title = f"{ranking.study.name}: {ranking.study.data_name}, seed {ranking.study.seed}"
    return fitting(console, title, columns, trials, _ranking_style)


def _ranking_style(trial: "RankedTrial") -> str:
    return "bold" if trial.rank == 1 else "" if trial.rank else "dim"


def _parameter(study: "StudyRecord", name: str) -> "Column[RankedTrial]":
    return Column(parameter_symbol(study, name), lambda t: value(float(t.params[name])))


def _validation(ranking: "Ranking") -> "list[Column[RankedTrial]]":
    n_samples = int(ranking.study.data.get("n_validation", 0))

    def cell(trial: "RankedTrial") -> str:
        accuracy = trial.validation_accuracy
        if accuracy is None or trial.replicates > 1 or not n_samples:
            return percent(accuracy)
        return f"{percent(accuracy)} ± {percent(standard_error(accuracy, n_samples))}"

    single = any(t.replicates == 1 for t in ranking.trials)
    return [Column("validation\naccuracy %" + (" ± SE" if single else ""), cell)]


def _loss(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.4f}" if loss < 1000 else f"{loss:.4g}"


def _fixed(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def parameter_symbol(study: "StudyRecord", name: str) -> str:
    """Return what a parameter's column is called: its letter, if it has one."""
    from studies.registry import SEARCHES

    kind = SEARCHES.get(study.search)
    return symbol(kind.symbol, name) if kind is not None and kind.parameter == name else name


def test_table(console: Console, study: "StudyRecord", opening: "TestOpeningRecord") -> Table:
    """Return what the tested trials reached on the test set."""

    def tested(run: "TestRunRecord") -> str:
        accuracy = run.test_accuracy
        if accuracy is None:
            return "–"
        return f"{percent(accuracy)} ± {percent(standard_error(accuracy, opening.n_test))}"

    columns: list[Column[TestRunRecord]] = [
        Column("rank", lambda r: str(r.rank)),
        Column("stage", lambda r: r.stage, right=False),
    ]
    names = opening.runs[0].params if opening.runs else ()
    columns += [_run_parameter(study, name) for name in names]
    columns.append(
        Column("validation\naccuracy %", lambda r: percent(r.validation_accuracy), spare=2)
    )
    columns += [
        Column("test\naccuracy % ± SE", tested),
        Column("test\nloss", lambda r: _loss(r.test_loss)),
        Column("epochs", lambda r: "–" if r.epochs is None else str(r.epochs), spare=1),
    ]
    title = f"{study.name}: {opening.n_test:,} test samples, refit {opening.refit}"
    return fitting(console, title, columns, opening.runs)


def _run_parameter(study: "StudyRecord", name: str) -> "Column[TestRunRecord]":
    return Column(parameter_symbol(study, name), lambda r: value(float(r.params[name])))
