"""Tables of searches that are one grid: time and accuracy, sizes, variants."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarsefine.search.tables.column import TextColumn, fitting, text_columns
from coarsefine.search.tables.ranking import ranking_title
from coarsefine.search.words import percent, value
from coarsefine.studies.results.columns.rankings import columns_of
from coarsefine.studies.results.comparing.grids import Compared, recommended
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.spaces.dimensions import symbol_of
from coarsefine.studies.spaces.searches.grids import added
from coarsefine.studies.spaces.searches.registry import SEARCHES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def comparison_table(console: "Console", ranking: Ranking, rows: Sequence[Compared]) -> "Table":
    """Return the trials of a grid in the order of their values, with what each took."""
    names = list(ranking.trials[0].params) if ranking.trials else []
    columns: list[TextColumn[Compared]] = [
        *(_parameter(name) for name in names),
        TextColumn("rank", lambda r: "–" if r.trial.rank is None else str(r.trial.rank), spare=4),
    ]
    if any(r.trial.state != "complete" for r in rows):
        columns.append(TextColumn("state", lambda r: r.trial.state, right=False))
    columns += [
        TextColumn("updates", lambda r: _whole(r.updates), spare=3),
        TextColumn("seconds", lambda r: _seconds(r.seconds)),
        TextColumn("measuring\nseconds", lambda r: _seconds(r.evaluation_seconds), spare=7),
    ]
    if any(r.running_accuracy is not None for r in rows):
        columns.append(
            TextColumn("running\ntraining\naccuracy %", lambda r: percent(r.running_accuracy))
        )
    columns.append(TextColumn("training\naccuracy %", lambda r: percent(r.trial.train_accuracy)))
    evidence = [column for column in columns_of(ranking) if column.evidence]
    columns += map(_of_trial, text_columns(evidence, ranking.trials, ranking))
    if any(_stopped_early(r) for r in rows):
        columns += [
            TextColumn("epochs\ntrained", lambda r: _number(r.epochs), spare=2),
            TextColumn("best in\nepoch", lambda r: _number(r.best_epoch), spare=5),
            TextColumn(
                "validation\naccuracy %\nthere", lambda r: percent(r.best_accuracy), spare=6
            ),
        ]
    if any(r.squared_weights is not None for r in rows):
        columns.append(TextColumn("Σ W²", lambda r: _number(r.squared_weights), spare=8))
    if _timed(ranking):
        columns.append(TextColumn("front", lambda r: "*" if r.on_front else "", right=False))
    if any(r.trial.test_accuracy is not None for r in rows):
        columns.append(TextColumn("test\naccuracy %", lambda r: percent(r.trial.test_accuracy)))
    title = ranking_title(ranking)
    return fitting(console, title, columns, rows, lambda r: "bold" if r.trial.rank == 1 else "")


def _of_trial(column: TextColumn[RankedTrial]) -> TextColumn[Compared]:
    return TextColumn(
        column.heading,
        lambda row: column.cell(row.trial),
        right=column.right,
        spare=column.spare and column.spare + 1,
    )


def comparison_lines(ranking: Ranking, rows: Sequence[Compared]) -> list[str]:
    """Return what the table means: front, recommendation, what not to read out of it."""
    lines = []
    if _timed(ranking):
        machine = ranking.study.machine
        named = machine.get("processor") or machine.get("machine") or "this machine"
        n_runs = max((row.trial.replicates for row in rows), default=1)
        each = "one run each" if n_runs == 1 else f"means of {n_runs} runs"
        lines.append(
            f"seconds: training alone, one after another, on as many cores as help; {each}, "
            f"warm-up and measuring not counted; on {named}"
        )
        lines.append("*: on the front: no other is both faster and more accurate")
        found = recommended(rows, lambda trial: bool(trial.tied))
        if found is not None:
            chosen, reason = found
            what = ", ".join(
                f"{name.replace('_', ' ')} {value(v)}" for name, v in chosen.trial.params.items()
            )
            lines.append(f"recommended: {what}: {reason}")
    for stage in ranking.stages:
        for dimension in stage.dimensions:
            how = added(dimension.get("variants") or {})
            lines += [] if how is None else [how]
    return lines


def _parameter(name: str) -> TextColumn[Compared]:
    return TextColumn(
        symbol_of(name),
        lambda r: value(r.trial.params[name]),
        right=name != "variant",
    )


def _timed(ranking: Ranking) -> bool:
    kind = SEARCHES.get(ranking.study.search)
    return kind is not None and kind.alone


def _stopped_early(row: Compared) -> bool:
    return row.best_epoch is not None and row.epochs is not None and row.best_epoch < row.epochs


def _whole(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:.4g}"


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"
