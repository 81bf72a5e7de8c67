"""What final tests found, as columns: each shown wherever final tests are, or it says why not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from coarsefine.studies.results.columns.column import Column, Face
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
from coarsefine.studies.results.final.rows import TestedTrial
from coarsefine.studies.results.judging.statistics import Interval
from coarsefine.studies.results.notes.test_set import is_hand_picked

_OWN: Final = "ensembles have a table of their own"


def _end(of: Callable[[TestedTrial], Interval | None], place: int) -> Callable[..., float | None]:
    def value(row: TestedTrial) -> float | None:
        ends = of(row)
        return None if ends is None else ends[place]

    return value


def _several_seeds(rows: Sequence[TestedTrial]) -> bool:
    return any(row.evidence.n_seeds > 1 for row in rows)


def _any(what: str) -> Callable[[Sequence[TestedTrial]], bool]:
    of = attrgetter(what)
    return lambda rows: any(of(row) is not None for row in rows)


def _interval(name: str, heading: str, meaning: str, of: str, place: int) -> tuple[Column, ...]:
    """Return the columns of an interval: whole for people, and its ends for programs."""
    value = attrgetter(of)
    whole = name == "interval"
    several = None if whole else _several_seeds
    low, high = f"{name}_low", f"{name}_high"
    ends = (
        Column(
            name=low if end == 0 else high,
            kind="percent",
            meaning=f"{('lower', 'upper')[end]} end of the {meaning}",
            value=_end(value, end),
            ends=(low, high),
            heading=heading,
            shown_if=several,
            terminal=Face(absent=BOTH_ENDS),
            report=Face(absent=BOTH_ENDS),
            paper=Face(place=place, absent=BOTH_ENDS if end else ""),
        )
        for end in (0, 1)
    )
    return (
        Column(
            name=name,
            kind="interval",
            meaning=meaning,
            value=value,
            heading=heading,
            shown_if=several,
            terminal=Face(place=place, spare=0 if whole else 1),
            report=Face(place=place),
            paper=Face(absent=f"`{low}` shows it"),
            not_in_tables=f"its ends are `{low}` and `{high}`",
        ),
        *ends,
    )


FINAL_TEST: Final[tuple[Column, ...]] = (
    STUDY,
    DATA,
    SEED,
    Column(
        name="opening",
        kind="whole",
        meaning="which opening of the test set for this study, from 1",
        value=attrgetter("number"),
        absent=TITLE,
        paper=Face(place=1, shown_if=lambda rows: len({row.number for row in rows}) > 1),
    ),
    Column(
        name="opened_at",
        kind="text",
        meaning="when, in UTC, as ISO 8601",
        value=lambda row: row.opening.opened_at.isoformat(timespec="seconds"),
        absent=TITLE,
        paper=Face("opened (UTC)", absent=ASKED),
    ),
    Column(
        name="refit",
        kind="text",
        meaning="what it was trained on: `train+validation`, or `none`: as it was",
        value=attrgetter("opening.refit"),
        absent=TITLE,
        paper=Face(place=14),
    ),
    Column(
        name="hand_picked",
        kind="truth",
        meaning="whether trials were picked by hand",
        value=lambda row: is_hand_picked(row.opening),
        heading="picked by hand",
        absent="it is said beside the table",
        paper=Face(place=15, shown_if=lambda rows: any(is_hand_picked(r.opening) for r in rows)),
    ),
    Column(
        name="predictor",
        kind="text",
        meaning="`trial`; or an ensemble: by the `vote` of its networks, or the `mean` of their "
        "probabilities",
        place=1,
        terminal=Face(absent=_OWN),
        report=Face(absent=_OWN),
        paper=Face(shown_if=lambda rows: any(row.ensemble for row in rows)),
    ),
    Column(
        name="rank",
        kind="whole",
        meaning="in the ranking by validation accuracy, from 1; empty for an ensemble",
        place=2,
    ),
    replace(STAGE, value=attrgetter("run.stage"), place=3),
    replace(TRIAL, absent=ASKED),
    replace(PARAMS, place=4),
    Column(
        name="validation_accuracy",
        kind="percent",
        meaning="of the search, by which it was ranked",
        value=attrgetter("run.validation_accuracy"),
        place=5,
        terminal=Face("validation\naccuracy\n%", spare=2),
        report=Face("validation"),
        paper=Face("validation accuracy (%)"),
    ),
    Column(
        name="validation_corrected",
        kind="percent",
        meaning="validation accuracy without its selection bias: what a trial of its place is "
        "worth; empty where it was picked by hand, or the bias is not known",
        value=attrgetter("corrected"),
        shown_if=_any("corrected"),
        place=5,
        terminal=Face("validation\ncorrected\n%", spare=3),
        report=Face("validation, corrected"),
        paper=Face("validation accuracy, corrected (%)"),
    ),
    Column(
        name="final_validation_accuracy",
        kind="percent",
        meaning="after the final training, on what that kept for validation; empty where it kept "
        "nothing",
        value=attrgetter("run.final_validation_accuracy"),
        terminal=Face(absent=ASKED),
        report=Face(absent=ASKED),
        paper=Face("validation accuracy, final training (%)", absent=ASKED),
    ),
    Column(
        name="test_accuracy",
        kind="percent",
        meaning="on the test samples; empty where training diverged",
        value=attrgetter("run.test_accuracy"),
        error=lambda row, _: row.error,
        place=6,
        terminal=Face("test\naccuracy\n% ± SE"),
        report=Face("test ± SE"),
        paper=Face("test accuracy (%)"),
    ),
    Column(
        name="tied",
        kind="truth",
        meaning="whether it may be the best of the tested trials on new samples, and on new seeds "
        "where there are several; empty where one trial was tested",
        value=attrgetter("evidence.tied"),
        mark="=",
        shown_if=_any("evidence.tied"),
        place=7,
    ),
    *_interval(
        "interval",
        "95 %\ninterval",
        "95 % interval of the test accuracy: with several seeds, for new seeds and new samples; "
        "else for this network on new samples",
        "interval",
        8,
    ),
    *_interval(
        "seeds_interval",
        "95 %\nnew\nseeds",
        "95 % interval of the test accuracy for new seeds, on these test samples; empty for one "
        "seed",
        "evidence.seeds",
        9,
    ),
    *_interval(
        "samples_interval",
        "95 %\nnew\nsamples",
        "95 % interval of the test accuracy for new samples, of these networks",
        "evidence.samples",
        10,
    ),
    Column(
        name="test_corrected",
        kind="percent",
        meaning="test accuracy without the selection bias of choosing by it, of the best by test "
        "accuracy; empty for others, and where the ranking had put it first before",
        value=attrgetter("evidence.corrected"),
        heading="test\ncorrected\n%",
        shown_if=_any("evidence.corrected"),
        place=11,
        paper=Face("test accuracy, corrected (%)"),
    ),
    Column(
        name="difference",
        kind="real",
        unit="share",
        meaning="to the highest test accuracy, over the seeds that both have",
        value=attrgetter("evidence.difference"),
        absent=ASKED,
    ),
    Column(
        name="replicates",
        kind="whole",
        meaning="seeds it has a result of",
        unit="seeds",
        value=lambda row: row.evidence.n_seeds or None,
        absent=TITLE,
        paper=Face("seeds", absent=ASKED),
    ),
    Column(
        name="standard_deviation",
        kind="percent",
        meaning="of the test accuracy over seeds; empty for one",
        value=attrgetter("evidence.standard_deviation"),
        absent=ASKED,
    ),
    Column(
        name="test_loss",
        kind="loss",
        meaning="on the test samples",
        value=attrgetter("run.test_loss"),
        heading="test\nloss",
        spare=4,
        place=12,
    ),
    Column(
        name="test_cost",
        kind="loss",
        meaning="on the test samples, with the penalty λ Σ W²; empty of tests that are older than "
        "this column",
        value=attrgetter("run.test_cost"),
        heading="test\ncost",
        shown_if=lambda rows: any(
            None not in (row.run.test_cost, row.run.test_loss)
            and row.run.test_cost != row.run.test_loss
            for row in rows
        ),
        spare=4,
        place=12,
    ),
    Column(
        name="test_samples",
        kind="whole",
        meaning="that the test set has",
        unit="samples",
        value=attrgetter("opening.n_test"),
        absent=TITLE,
        paper=Face(absent="the legend says it"),
    ),
    Column(
        name="trained_epochs",
        kind="whole",
        meaning="that the tested weights were trained",
        unit="epochs",
        value=attrgetter("run.epochs"),
        place=13,
        terminal=Face("epochs", spare=5),
        report=Face("epochs"),
    ),
    Column(
        name="seconds",
        kind="seconds",
        meaning="that they were trained",
        value=attrgetter("run.seconds"),
        terminal=Face(absent=ASKED),
        report=Face(absent=ASKED),
        paper=Face("training (s)", absent=ASKED),
    ),
)
