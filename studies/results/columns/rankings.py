"""The columns of rankings: a row each.

The terminal, JSON, exports, reports, data frames and ``docs/tables.md`` all read them here;
their names, types and units are a contract.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from coarsefine.studies.metric import OWN, Metric
from coarsefine.studies.results.columns.column import Column, Condition, Face, Row, finite
from coarsefine.studies.results.columns.shared import (
    ASKED,
    BOTH_ENDS,
    DATA,
    PARAMS,
    SEED,
    STAGE,
    STUDY,
    TITLE,
    TRIAL,
)


def _any(name: str) -> Condition:
    value = attrgetter(name)
    return lambda trials: any(value(trial) not in {None, False} for trial in trials)


def _end(name: str, place: int) -> Callable[[Row], float | None]:
    def end(trial: Row) -> float | None:
        ends = getattr(trial, name)
        return None if ends is None else ends[place]

    return end


def _params(trial: Row) -> dict[str, Any]:
    return {name: finite(value) for name, value in trial.params.items()}


_SAID: Final = "it is said once, beside the trials"
_SEEDS: Final = "tables show the interval for new samples, too"

COLUMNS: Final[tuple[Column, ...]] = (
    replace(STUDY, not_in_json=_SAID),
    replace(DATA, not_in_json=_SAID),
    replace(SEED, not_in_json=_SAID),
    Column(
        name="rank",
        kind="whole",
        meaning="from 1; empty unless complete",
        place=1,
    ),
    replace(
        STAGE,
        place=2,
        report=Face(shown_if=lambda trials: len({t.stage for t in trials}) > 1),
    ),
    replace(TRIAL, place=3, spare=2, paper=Face(absent=ASKED)),
    Column(
        name="state",
        kind="text",
        meaning=(
            "`complete`, `diverged`, `pruned`, `failed`, `running` from its first results until "
            "its last seed has ended, or `planned`: not begun"
        ),
        shown_if=lambda trials: any(t.state != "complete" for t in trials),
        place=5,
    ),
    Column(
        name="score",
        kind="text",
        meaning="which epoch all measures are of: the `final` one or the `best`",
        of_table=True,
        absent=TITLE,
        not_in_json=_SAID,
    ),
    Column(
        name="ranked_by",
        kind="text",
        meaning="what trials are ranked by: `accuracy`, `balanced-accuracy`, `macro-f1` or `loss`",
        value=attrgetter("by"),
        of_table=True,
        absent=TITLE,
        not_in_json="it is said once, beside the trials, as `by`",
    ),
    replace(PARAMS, value=_params, place=4),
    Column(
        name="replicates",
        kind="whole",
        meaning="training runs that the numbers are means of",
        unit="runs",
        shown_if=lambda trials: any(t.replicates > 1 for t in trials),
        place=13,
        terminal=Face(spare=4),
        report=Face("runs"),
        paper=Face(absent=ASKED),
    ),
    Column(
        name="validation_accuracy",
        kind="percent",
        meaning="on the validation samples, as the study's `score` says: after the last epoch, or "
        "after the trial's best; trials are ranked by it unless `ranked_by` says otherwise",
        error=lambda trial, ranking: ranking.error(trial),
        evidence=True,
        place=6,
        terminal=Face("validation\naccuracy\n% ± SE"),
        report=Face("validation ± SE"),
        paper=Face("validation accuracy, {epoch} epoch (%)"),
    ),
    Column(
        name="validation_balanced_accuracy",
        kind="percent",
        meaning="mean of the classes' recalls on the validation samples; empty unless trials are "
        "ranked by it",
        shown_if=_any("validation_balanced_accuracy"),
        heading="validation balanced accuracy",
        place=6,
        terminal=Face("validation\nbalanced\naccuracy\n%"),
        paper=Face("validation balanced accuracy, {epoch} epoch (%)"),
    ),
    Column(
        name="validation_macro_f1",
        kind="percent",
        meaning="mean of the classes' F1 on the validation samples; empty unless trials are ranked "
        "by it",
        heading="validation macro F1",
        shown_if=_any("validation_macro_f1"),
        place=6,
        terminal=Face("validation\nmacro F1\n%"),
        paper=Face("validation macro F1, {epoch} epoch (%)"),
    ),
    Column(
        name="metrics",
        kind="value",
        meaning="what a custom trainer reported under names of its own, by name; empty without one",
        absent="each metric is a column",
        not_in_tables="each metric is a column, `metrics.NAME`",
    ),
    Column(
        name="validation_loss",
        kind="loss",
        meaning="without the penalty",
        heading="validation\nloss",
        place=11,
        terminal=Face(spare=3),
        paper=Face("validation loss, {epoch} epoch"),
    ),
    Column(
        name="train_accuracy",
        kind="percent",
        meaning="on training samples, as many as `show` tells",
        place=12,
        terminal=Face("training\naccuracy\n%", spare=5),
        report=Face("training"),
        paper=Face("training accuracy, {epoch} epoch (%)"),
    ),
    Column(
        name="seconds",
        kind="seconds",
        meaning="training time of all replicates: a trial's share of its cohort's",
        place=15,
        terminal=Face(spare=6),
        paper=Face("training (s)", absent=ASKED),
    ),
    Column(
        name="test_accuracy",
        kind="percent",
        meaning="of the latest final test run; empty until then",
        shown_if=_any("test_accuracy"),
        terminal=Face("test\naccuracy\n%", place=16),
        report=Face(absent="final tests have a chapter of their own"),
        paper=Face("test accuracy (%)", place=13),
    ),
    Column(
        name="standard_error",
        kind="percent",
        meaning="of the score that trials are ranked by, over new seeds and samples: what "
        "`interval` follows from",
        of_score=True,
        terminal=Face(absent="it stands beside the score"),
        report=Face(absent="it stands beside the score"),
        paper=Face("SE (points)", absent=ASKED),
    ),
    Column(
        name="standard_deviation",
        kind="percent",
        meaning="of the score that trials are ranked by, over replicates; empty for one",
        of_score=True,
        evidence=True,
        heading="SD over\nruns",
        shown_if=_any("standard_deviation"),
        place=8,
        terminal=Face(spare=5),
    ),
    Column(
        name="interval",
        kind="interval",
        meaning="95 % interval of the score that trials are ranked by, for new seeds and samples",
        of_score=True,
        evidence=True,
        heading="95 %\ninterval",
        shown_if=_any("interval"),
        place=7,
        terminal=Face(spare=1),
        paper=Face(absent="`interval_low` shows it"),
        not_in_tables="its ends are `interval_low` and `interval_high`",
    ),
    Column(
        name="difference",
        kind="percent",
        meaning="to the best trial's score, over the replicates that both have",
        of_score=True,
        terminal=Face(absent="it follows from the accuracies"),
        report=Face(absent="it follows from the accuracies"),
        paper=Face("difference to the best (points)", absent=ASKED),
    ),
    Column(
        name="margin",
        kind="percent",
        meaning="how large that difference may be by chance",
        of_score=True,
        terminal=Face(absent="the legend says it for all"),
        report=Face(absent="the legend says it for all"),
        paper=Face("may be chance (points)", absent=ASKED),
    ),
    *(
        Column(
            name=f"interval_{name}",
            kind="percent",
            meaning=f"{word} end of `interval`, for new seeds and samples",
            value=_end("interval", place),
            of_score=True,
            ends=("interval_low", "interval_high"),
            heading="95 %\ninterval",
            terminal=Face(absent=BOTH_ENDS),
            report=Face(absent=BOTH_ENDS),
            paper=Face(place=7, absent=BOTH_ENDS if place else ""),
            not_in_json="`interval` is a list of both ends",
        )
        for place, (name, word) in enumerate((("low", "lower"), ("high", "upper")))
    ),
    Column(
        name="seed_interval",
        kind="interval",
        meaning="95 % interval of the score for new seeds on these samples alone; empty for one "
        "replicate",
        of_score=True,
        terminal=Face(absent=_SEEDS),
        report=Face(absent=_SEEDS),
        paper=Face(absent="`seed_interval_low` shows it"),
        not_in_tables="its ends are `seed_interval_low` and `seed_interval_high`",
    ),
    *(
        Column(
            name=f"seed_interval_{name}",
            kind="percent",
            meaning=f"{word} end of `seed_interval`, for new seeds on these samples",
            value=_end("seed_interval", place),
            of_score=True,
            ends=("seed_interval_low", "seed_interval_high"),
            terminal=Face(absent=_SEEDS),
            report=Face(absent=_SEEDS),
            paper=Face("95 % interval, these samples", absent=ASKED),
            not_in_json="`seed_interval` is a list of both ends",
        )
        for place, (name, word) in enumerate((("low", "lower"), ("high", "upper")))
    ),
    Column(
        name="tied",
        kind="truth",
        meaning="whether it is tied with the best; of the best, whether others are tied with "
        "it; empty unless complete",
        evidence=True,
        mark="=",
        shown_if=_any("tied"),
        place=9,
    ),
    Column(
        name="reused",
        kind="truth",
        meaning="whether all of its runs were trained before, for another trial",
        mark="yes",
        shown_if=_any("reused"),
        place=14,
        terminal=Face(spare=4),
    ),
)


def columns_of(ranking: Any) -> tuple[Column, ...]:
    """Return the columns of a ranking, fit for what its trials are ranked by."""
    metric: Metric = ranking.metric
    own = dict.fromkeys(name for trial in ranking.trials for name in trial.metrics or ())
    columns = (*COLUMNS, *map(own_column, own))
    return columns if metric.name == "accuracy" else tuple(_fit(each, metric) for each in columns)


def own_column(name: str) -> Column:
    """Return the column of a metric that a custom trainer reported under a name of its own."""
    return Column(
        name=f"{OWN}{name}",
        kind="real",
        meaning="what the custom trainer reported under this name; the mean over replicates",
        value=lambda row: (row.metrics or {}).get(name),
        heading=name,
        place=12,
        terminal=Face(spare=7),
        not_in_json="it is in `metrics`",
    )


def _fit(column: Column, metric: Metric) -> Column:
    """Return a column as it is where trials are ranked by another metric than accuracy."""
    if column.name == metric.column:
        shown = column.face("terminal").heading
        return replace(
            column,
            error=lambda trial, ranking: ranking.error(trial),
            evidence=True,
            place=6,
            terminal=Face(f"{shown} ± SE"),
            report=Face(f"{metric.words} ± SE"),
        )
    if column.name == "validation_accuracy":
        return replace(
            column,
            error=None,
            evidence=False,
            place=10,
            terminal=Face("validation\naccuracy\n%"),
            report=Face("validation accuracy"),
        )
    if column.of_score and not metric.share:
        if metric.own:
            return replace(column, kind="real")
        return replace(column, kind="losses" if column.kind == "interval" else "loss")
    return column


def trial_rows(trials: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the trials of a ranking as JSON has them."""
    columns = [column for column in COLUMNS if not column.not_in_json]
    names = [column.name for column in columns]
    cells = [column.values(trials) for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
