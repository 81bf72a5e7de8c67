"""The columns of rankings: a row each.

The terminal, JSON, exports, reports, data frames and ``docs/tables.md`` all read them here;
their names, types and units are a contract.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from coarsefine.studies.metric import OWN, Metric
from coarsefine.studies.results.column import Column, Condition, Face, Row, finite


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


_TITLE: Final = Face(absent="it is said once, above the table")
_ASKED: Final = "only programs and those who name it need it"
_INTERVAL: Final = "people read both ends in one column"
_SEEDS: Final = "tables show the interval for new samples, too"

COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        name="study",
        kind="text",
        meaning="the study's name",
        value=attrgetter("study.name"),
        of_table=True,
        terminal=_TITLE,
        report=_TITLE,
        paper=_TITLE,
        not_in_json="it is said once, beside the trials",
    ),
    Column(
        name="data",
        kind="text",
        meaning="the name of its data set",
        value=attrgetter("study.data_name"),
        of_table=True,
        terminal=_TITLE,
        report=_TITLE,
        paper=_TITLE,
        not_in_json="it is said once, beside the trials",
    ),
    Column(
        name="seed",
        kind="whole",
        meaning="the study's seed",
        value=attrgetter("study.seed"),
        of_table=True,
        terminal=_TITLE,
        report=_TITLE,
        paper=_TITLE,
        not_in_json="it is said once, beside the trials",
    ),
    Column(
        name="rank",
        kind="whole",
        meaning="from 1; empty unless complete",
        terminal=Face(place=1),
        report=Face(place=1),
        paper=Face(place=1),
    ),
    Column(
        name="stage",
        kind="text",
        meaning="the stage, as in `coarse`",
        terminal=Face(place=2),
        report=Face(place=2, shown_if=lambda trials: len({t.stage for t in trials}) > 1),
        paper=Face(place=2),
    ),
    Column(
        name="trial",
        kind="whole",
        meaning="Optuna's number of the trial in its stage, from 0",
        spare=2,
        terminal=Face(place=3),
        report=Face(place=3),
        paper=Face(absent=_ASKED),
    ),
    Column(
        name="state",
        kind="text",
        meaning="`complete`, `diverged`, `pruned`, `failed`, `running` or `planned`: not begun",
        shown_if=lambda trials: any(t.state != "complete" for t in trials),
        terminal=Face(place=5),
        report=Face(place=5),
        paper=Face(place=5),
    ),
    Column(
        name="score",
        kind="text",
        meaning="which epoch all measures are of: the `final` one or the `best`",
        of_table=True,
        terminal=_TITLE,
        report=_TITLE,
        paper=_TITLE,
        not_in_json="it is said once, beside the trials",
    ),
    Column(
        name="ranked_by",
        kind="text",
        meaning="what trials are ranked by: `accuracy`, `balanced-accuracy`, `macro-f1` or `loss`",
        value=attrgetter("by"),
        of_table=True,
        terminal=_TITLE,
        report=_TITLE,
        paper=_TITLE,
        not_in_json="it is said once, beside the trials, as `by`",
    ),
    Column(
        name="params",
        kind="value",
        meaning="what was searched",
        value=_params,
        terminal=Face(place=4),
        report=Face(place=4),
        paper=Face(place=4),
        not_in_tables="each parameter is a column, named as in recipes",
    ),
    Column(
        name="replicates",
        kind="whole",
        meaning="training runs that the numbers are means of",
        unit="runs",
        shown_if=lambda trials: any(t.replicates > 1 for t in trials),
        terminal=Face(place=13, spare=4),
        report=Face("seeds", place=13),
        paper=Face(absent=_ASKED),
    ),
    Column(
        name="validation_accuracy",
        kind="percent",
        meaning="on the validation samples, as the study's `score` says: after the last epoch, or "
        "after the trial's best; trials are ranked by it unless `ranked_by` says otherwise",
        error=lambda trial, ranking: ranking.error(trial),
        evidence=True,
        terminal=Face("validation\naccuracy\n% ± SE", place=6),
        report=Face("validation ± SE", place=6),
        paper=Face("validation accuracy, {epoch} epoch (%)", place=6),
    ),
    Column(
        name="validation_balanced_accuracy",
        kind="percent",
        meaning="mean of the classes' recalls on the validation samples; empty unless trials are "
        "ranked by it",
        shown_if=_any("validation_balanced_accuracy"),
        heading="validation balanced accuracy",
        terminal=Face("validation\nbalanced\naccuracy\n%", place=6),
        report=Face(place=6),
        paper=Face("validation balanced accuracy, {epoch} epoch (%)", place=6),
    ),
    Column(
        name="validation_macro_f1",
        kind="percent",
        meaning="mean of the classes' F1 on the validation samples; empty unless trials are ranked "
        "by it",
        heading="validation macro F1",
        shown_if=_any("validation_macro_f1"),
        terminal=Face("validation\nmacro F1\n%", place=6),
        report=Face(place=6),
        paper=Face("validation macro F1, {epoch} epoch (%)", place=6),
    ),
    Column(
        name="metrics",
        kind="value",
        meaning="what a custom trainer reported under names of its own, by name; empty without one",
        terminal=Face(absent="each metric is a column"),
        report=Face(absent="each metric is a column"),
        paper=Face(absent="each metric is a column"),
        not_in_tables="each metric is a column, `metrics.NAME`",
    ),
    Column(
        name="validation_loss",
        kind="loss",
        meaning="without the penalty",
        heading="validation\nloss",
        terminal=Face(place=11, spare=3),
        report=Face(place=11),
        paper=Face("validation loss, {epoch} epoch", place=11),
    ),
    Column(
        name="train_accuracy",
        kind="percent",
        meaning="on training samples, as many as `show` tells",
        terminal=Face("training\naccuracy\n%", place=12, spare=5),
        report=Face("training", place=12),
        paper=Face("training accuracy, {epoch} epoch (%)", place=12),
    ),
    Column(
        name="seconds",
        kind="seconds",
        meaning="training time of all replicates: a trial's share of its cohort's",
        terminal=Face(place=15, spare=6),
        report=Face(place=15),
        paper=Face("training (s)", absent=_ASKED),
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
        paper=Face("SE (points)", absent=_ASKED),
    ),
    Column(
        name="standard_deviation",
        kind="percent",
        meaning="of the score that trials are ranked by, over replicates; empty for one",
        of_score=True,
        evidence=True,
        heading="SD over\nseeds",
        shown_if=_any("standard_deviation"),
        terminal=Face(place=8, spare=5),
        report=Face(place=8),
        paper=Face(place=8),
    ),
    Column(
        name="interval",
        kind="interval",
        meaning="95 % interval of the score that trials are ranked by, for new seeds and samples",
        of_score=True,
        evidence=True,
        heading="95 %\ninterval",
        shown_if=_any("interval"),
        terminal=Face(place=7, spare=1),
        report=Face(place=7),
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
        paper=Face("difference to the best (points)", absent=_ASKED),
    ),
    Column(
        name="margin",
        kind="percent",
        meaning="how large that difference may be by chance",
        of_score=True,
        terminal=Face(absent="the legend says it for all"),
        report=Face(absent="the legend says it for all"),
        paper=Face("may be chance (points)", absent=_ASKED),
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
            terminal=Face(absent=_INTERVAL),
            report=Face(absent=_INTERVAL),
            paper=Face(place=7, absent=_INTERVAL if place else ""),
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
            paper=Face("95 % interval, these samples", absent=_ASKED),
            not_in_json="`seed_interval` is a list of both ends",
        )
        for place, (name, word) in enumerate((("low", "lower"), ("high", "upper")))
    ),
    Column(
        name="tied",
        kind="truth",
        meaning="whether it cannot be told from the best; of the best, whether others cannot be "
        "told from it; empty unless complete",
        evidence=True,
        mark="=",
        shown_if=_any("tied"),
        terminal=Face(place=9),
        report=Face(place=9),
        paper=Face(place=9),
    ),
    Column(
        name="reused",
        kind="truth",
        meaning="whether all of its runs were trained before, for another trial",
        mark="yes",
        shown_if=_any("reused"),
        terminal=Face(place=14, spare=4),
        report=Face(place=14),
        paper=Face(place=14),
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
        terminal=Face(place=12, spare=7),
        report=Face(place=12),
        paper=Face(place=12),
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
            terminal=Face(f"{shown} ± SE", place=6),
            report=Face(f"{metric.words} ± SE", place=6),
        )
    if column.name == "validation_accuracy":
        without = replace(column.terminal, heading="validation\naccuracy\n%", place=10)
        return replace(
            column,
            error=None,
            evidence=False,
            terminal=without,
            report=Face("validation accuracy", place=10),
            paper=replace(column.paper, place=10),
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
