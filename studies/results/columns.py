"""The columns of rankings: a row each.

The terminal, JSON, exports, reports, data frames and ``docs/tables.md`` all read them here;
their names, types and units are a contract.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from coarsefine.studies.results.column import Column, Condition, Face, Row, finite


def _any(name: str) -> Condition:
    value = attrgetter(name)
    return lambda trials: any(value(trial) not in {None, False} for trial in trials)


def _end(place: int) -> Callable[[Row], float | None]:
    return lambda trial: None if trial.interval is None else trial.interval[place]


def _params(trial: Row) -> dict[str, Any]:
    return {name: finite(value) for name, value in trial.params.items()}


_TITLE: Final = Face(absent="it is said once, above the table")
_ASKED: Final = "only programs and those who name it need it"
_INTERVAL: Final = "people read both ends in one column"

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
        "after the trial's best",
        error=lambda trial, ranking: ranking.error(trial),
        evidence=True,
        terminal=Face("validation\naccuracy\n% ± SE", place=6),
        report=Face("validation ± SE", place=6),
        paper=Face("validation accuracy, {epoch} epoch (%)", place=6),
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
        name="standard_deviation",
        kind="percent",
        meaning="of the accuracy over replicates; empty for one",
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
        meaning="95 % interval of the accuracy, for new seeds and samples",
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
        meaning="to the best trial's accuracy, over the replicates that both have",
        terminal=Face(absent="it follows from the accuracies"),
        report=Face(absent="it follows from the accuracies"),
        paper=Face("difference to the best (points)", absent=_ASKED),
    ),
    Column(
        name="margin",
        kind="percent",
        meaning="how large that difference may be by chance",
        terminal=Face(absent="the legend says it for all"),
        report=Face(absent="the legend says it for all"),
        paper=Face("may be chance (points)", absent=_ASKED),
    ),
    *(
        Column(
            name=f"interval_{name}",
            kind="percent",
            meaning=f"{word} end of the 95 % interval of the accuracy, for new seeds and samples",
            value=_end(place),
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


def trial_rows(trials: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the trials of a ranking as JSON has them."""
    columns = [column for column in COLUMNS if not column.not_in_json]
    names = [column.name for column in columns]
    cells = [column.values(trials) for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
