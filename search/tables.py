"""The tables that answers are printed as."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from coarsefine.search.console import written
from coarsefine.search.words import counted, percent, size, standard_error, value

if TYPE_CHECKING:
    from coarsefine.db.records import (
        EpochRecord,
        StudyRecord,
        StudySummary,
        TestOpeningRecord,
        TestRunRecord,
    )
    from coarsefine.models.data import DatasetStatus, FileCheck
    from coarsefine.models.gradient_check import ParameterCheck
    from coarsefine.models.parameter_count import LayerCount
    from coarsefine.studies.checks.network import NetworkCheck
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table.

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


def ranking_table(console: Console, ranking: "Ranking") -> Table:
    """Return a study's trials, best first."""
    trials = ranking.trials
    columns: list[Column[RankedTrial]] = [
        Column("rank", lambda t: "–" if t.rank is None else str(t.rank)),
        Column("stage", lambda t: t.stage, right=False),
        Column("trial", lambda t: str(t.trial), spare=2),
        *(_parameter(ranking.study, name) for name in (trials[0].params if trials else ())),
    ]
    if any(t.state != "complete" for t in trials):
        columns.append(Column("state", lambda t: t.state, right=False))
    columns += validation_columns(ranking)
    columns += [
        Column("validation\nloss", lambda t: _loss(t.validation_loss), spare=3),
        Column("training\naccuracy\n%", lambda t: percent(t.train_accuracy), spare=5),
    ]
    if any(t.replicates > 1 for t in trials):
        columns.append(Column("replicates", lambda t: str(t.replicates), spare=4))
    if any(t.reused for t in trials):
        columns.append(Column("reused", lambda t: "yes" if t.reused else "", right=False, spare=4))
    columns.append(
        Column("seconds", lambda t: "–" if t.seconds is None else f"{t.seconds:.2f}", spare=6)
    )
    if any(t.test_accuracy is not None for t in trials):
        columns.append(Column("test\naccuracy\n%", lambda t: percent(t.test_accuracy)))
    return fitting(console, ranking_title(ranking), columns, trials, _ranking_style)


def _ranking_style(trial: "RankedTrial") -> str:
    return "bold" if trial.rank == 1 else "" if trial.rank else "dim"


def _parameter(study: "StudyRecord", name: str) -> "Column[RankedTrial]":
    return Column(parameter_symbol(study, name), lambda t: value(t.params[name]))


def ranking_title(ranking: "Ranking") -> str:
    """Return what a table of trials is called: study, data, seed, and when scores were measured."""
    study = ranking.study
    when = "each trial's best epoch" if ranking.score == "best" else "the last epoch"
    return f"{study.name}: {study.data_name}, seed {study.seed}; measured after {when}"


def validation_columns(ranking: "Ranking") -> "list[Column[RankedTrial]]":
    """Return the columns of the score that ranks, with its spread and what it is tied with."""
    n_samples = ranking.n_validation

    def cell(trial: "RankedTrial") -> str:
        accuracy = trial.validation_accuracy
        error = trial.standard_error
        if accuracy is not None and trial.replicates == 1 and n_samples:
            error = standard_error(accuracy, n_samples)
        return percent(accuracy) + ("" if error is None else f" ± {percent(error)}")

    columns = [Column("validation\naccuracy\n% ± SE", cell)]
    if any(t.interval is not None for t in ranking.trials):
        columns.append(Column("95 %\ninterval", lambda t: interval(t.interval), spare=1))
    if any(t.standard_deviation is not None for t in ranking.trials):
        columns.append(Column("SD over\nseeds", lambda t: percent(t.standard_deviation), spare=5))
    if any(t.tied for t in ranking.trials):
        columns.append(Column("tied", lambda t: "=" if t.tied else "", right=False))
    return columns


def interval(ends: tuple[float, float] | None) -> str:
    """Return an interval in percent."""
    return "–" if ends is None else f"{percent(ends[0], 1)}–{percent(ends[1], 1)}"


def _loss(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.4f}" if loss < 1000 else f"{loss:.4g}"


def _fixed(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def parameter_symbol(study: "StudyRecord", name: str) -> str:
    """Return what a parameter's column is called: its letter, if it has one."""
    from coarsefine.studies.spaces.dimensions import PARAMETERS

    return PARAMETERS[name].symbol if name in PARAMETERS else name


def test_table(console: Console, study: "StudyRecord", opening: "TestOpeningRecord") -> Table:
    """Return what the tested trials reached on the test set."""
    from coarsefine.studies.results.notes.marks import HAND_PICKED, is_hand_picked

    def tested(run: "TestRunRecord") -> str:
        accuracy = run.test_accuracy
        if accuracy is None:
            return "–"
        return f"{percent(accuracy)} ± {percent(standard_error(accuracy, opening.n_test))}"

    names = opening.runs[0].params if opening.runs else ()
    columns: list[Column[TestRunRecord]] = [
        Column("rank", lambda r: str(r.rank)),
        Column("stage", lambda r: r.stage, right=False),
        *(_run_parameter(study, name) for name in names),
        Column("validation\naccuracy\n%", lambda r: percent(r.validation_accuracy), spare=2),
        Column("test\naccuracy\n% ± SE", tested),
        Column("95 %\ninterval", lambda r: interval(_test_interval(r, opening.n_test))),
        Column("test\nloss", lambda r: _loss(r.test_loss)),
        Column("epochs", lambda r: "–" if r.epochs is None else str(r.epochs), spare=1),
    ]
    if is_hand_picked(opening):
        columns.append(Column("chosen", lambda r: f"{HAND_PICKED}, rank {r.rank}", right=False))
    title = f"{study.name}: {counted(opening.n_test, 'test sample')}, refit {opening.refit}"
    return fitting(console, title, columns, opening.runs)


def _test_interval(run: "TestRunRecord", n_test: int) -> tuple[float, float] | None:
    from coarsefine.studies.results.statistics import wilson

    return None if run.test_accuracy is None else wilson(run.test_accuracy, n_test)


def _run_parameter(study: "StudyRecord", name: str) -> "Column[TestRunRecord]":
    return Column(parameter_symbol(study, name), lambda r: value(r.params[name]))


def studies_table(console: Console, label: str, studies: "Sequence[StudySummary]") -> Table:
    """Return a line a study."""

    def trials(study: "StudySummary") -> str:
        n_trials, n_complete = sum(study.trials.values()), study.trials.get("complete", 0)
        return f"{n_trials}" if n_complete == n_trials else f"{n_complete} of {n_trials}"

    columns: list[Column[StudySummary]] = [
        Column("study", lambda s: s.name, right=False, fold=True),
        Column("data", lambda s: s.data_name, right=False, spare=3),
        Column("stages", lambda s: ", ".join(s.stages), right=False, spare=2),
        Column("trials", trials),
        Column("best\nvalidation\naccuracy %", lambda s: percent(s.best_accuracy)),
        Column("test set\nopened", lambda s: str(s.test_openings)),
        Column("changed (UTC)", lambda s: f"{s.updated_at:%Y-%m-%d %H:%M}", right=False, spare=1),
    ]
    return fitting(console, label, columns, studies)


def facts_table(facts: "Sequence[tuple[str, Sequence[str]]]") -> Table:
    """Return names and what belongs to them, which may take several lines."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, lines in facts:
        for i, line in enumerate(lines):
            table.add_row(Text("" if i else name, style="bold"), Text(written(line)))
    return table


def curve_table(console: Console, title: str, curve: "Sequence[EpochRecord]") -> Table:
    """Return some epochs of a training run."""
    columns: list[Column[EpochRecord]] = [
        Column("epoch", lambda e: str(e.epoch)),
        Column("updates", lambda e: f"{e.step:,}", spare=2),
        Column("η", lambda e: "–" if e.eta is None else value(e.eta)),
        Column("training\nloss", lambda e: _loss(e.train_loss)),
        Column("training\ncost", lambda e: _loss(e.train_cost), spare=3),
        Column("validation\nloss", lambda e: _loss(e.validation_loss)),
        Column("validation\ncost", lambda e: _loss(e.validation_cost), spare=4),
        Column("training\naccuracy\n%", lambda e: percent(e.train_accuracy), spare=1),
        Column("validation\naccuracy\n%", lambda e: percent(e.validation_accuracy)),
    ]
    return fitting(console, title, columns, curve)


def check_table(console: Console, title: str, checks: "Sequence[ParameterCheck]") -> Table:
    """Return the errors of each parameter tensor of a network."""
    columns: list[Column[ParameterCheck]] = [
        Column("parameter", lambda c: c.name, right=False),
        Column("max absolute\nerror", lambda c: f"{c.max_absolute_error:.2e}"),
        Column("max relative\nerror", lambda c: f"{c.max_relative_error:.2e}"),
        Column("checked", lambda c: f"{c.n_checked:,}"),
        Column("skipped", lambda c: f"{c.n_skipped:,}"),
        Column("", lambda c: "ok" if c.passed else "wrong", right=False),
    ]
    return fitting(console, title, columns, checks)


def checks_table(console: Console, title: str, checks: "Sequence[NetworkCheck]") -> Table:
    """Return the largest errors of many networks."""
    columns: list[Column[NetworkCheck]] = [
        Column("network", lambda c: "-".join(map(str, c.network.widths)), right=False),
        Column(
            "activation", lambda c: c.network.activation if c.network.hidden else "–", right=False
        ),
        Column("loss", lambda c: c.network.loss, right=False),
        Column("λ", lambda c: value(c.l2_strength)),
        Column("max relative\nerror", lambda c: f"{c.worst:.2e}"),
        Column("", lambda c: "ok" if c.passed else "wrong", right=False),
    ]
    return fitting(console, title, columns, checks)


def layers_table(console: Console, title: str, layers: "Sequence[LayerCount]") -> Table:
    """Return the parameters of each layer and their sums, in both conventions."""
    rows = [
        (
            layer.name,
            layer.arithmetic,
            f"{layer.n_parameters:,}",
            layer.arithmetic_bias_trick,
            f"{layer.n_parameters_bias_trick:,}",
        )
        for layer in layers
    ]
    total = f"{sum(layer.n_parameters for layer in layers):,}"
    total_trick = f"{sum(layer.n_parameters_bias_trick for layer in layers):,}"
    columns: list[Column[tuple[str, ...]]] = [
        Column("layer", lambda r: r[0], right=False),
        Column("inputs × outputs", lambda r: r[1], right=False),
        Column("parameters", lambda r: r[2]),
        Column("with the bias trick", lambda r: r[3], right=False),
        Column("parameters", lambda r: r[4]),
    ]
    last = ("total", "", total, "", total_trick)
    return fitting(
        console, title, columns, [*rows, last], lambda row: "bold" if row is last else ""
    )


def data_table(console: Console, found: "Sequence[DatasetStatus]") -> Table:
    """Return a line a data set."""

    def where(one: "DatasetStatus") -> str:
        return str(one.place) if one.place is not None else one.state

    columns: list[Column[DatasetStatus]] = [
        Column("name", lambda s: s.info.name, right=False),
        Column("training", lambda s: f"{s.info.n_train:,}"),
        Column("test", lambda s: f"{s.info.n_test:,}"),
        Column("sample", lambda s: "×".join(map(str, s.info.sample_shape))),
        Column("classes", lambda s: str(s.info.n_classes), spare=2),
        Column(
            "download", lambda s: size(s.info.size_bytes) if s.info.size_bytes else "–", spare=1
        ),
        Column("where", where, right=False, fold=True),
    ]
    return fitting(console, "", columns, found)


def files_table(console: Console, title: str, files: "Sequence[FileCheck]") -> Table:
    """Return how each file compares with the published one."""
    columns: list[Column[FileCheck]] = [
        Column("file", lambda f: f.name, right=False),
        Column("state", lambda f: f.state, right=False),
        Column("MD5", lambda f: f.actual or "–", right=False),
        Column("published", lambda f: f.expected or "–", right=False, spare=1),
    ]
    return fitting(console, title, columns, files)
