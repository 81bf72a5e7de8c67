"""What final tests found: a row a tested trial of each opening of the test set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Final

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import StudyRecord, TestOpeningRecord, TestRunRecord
from coarsefine.studies.results.column import Column, Face
from coarsefine.studies.results.notes.test_set import is_hand_picked
from coarsefine.studies.results.statistics import Interval, binomial_error, wilson


@dataclass(frozen=True, slots=True)
class TestedTrial:
    """A trial that met the test set.

    Attributes:
        number: Which opening of the test set it was, from 1.
        trial: Optuna's number; ``None`` where the trial is no longer known.
    """

    __test__: ClassVar[bool] = False  # pytest: not a test

    number: int
    opening: TestOpeningRecord
    run: TestRunRecord
    trial: int | None = None

    @property
    def params(self) -> Mapping[str, Any]:
        """Return what was searched."""
        return self.run.params

    @property
    def interval(self) -> Interval | None:
        """Return the 95 % interval of the test accuracy."""
        accuracy = self.run.test_accuracy
        return None if accuracy is None else wilson(accuracy, self.opening.n_test)

    @property
    def error(self) -> float | None:
        """Return the standard error of the test accuracy."""
        accuracy = self.run.test_accuracy
        return None if accuracy is None else binomial_error(accuracy, self.opening.n_test)


def trials_of_openings(
    database: Database,
    study: StudyRecord,
    openings: Sequence[TestOpeningRecord],
    top: int | None,
) -> list[TestedTrial]:
    """Return the tested trials of some openings, in order; of each only the ``top`` best."""
    numbers = {
        row.id: row.position if row.number is None else row.number
        for row in repository.trial_rows(database, study)
    }
    return [
        TestedTrial(
            number, opening, run, None if run.trial_id is None else numbers.get(run.trial_id)
        )
        for number, opening in enumerate(openings, 1)
        for run in opening.runs[:top]
    ]


def of_opening(opening: TestOpeningRecord) -> list[TestedTrial]:
    """Return the trials that one opening of the test set tested."""
    return [TestedTrial(1, opening, run) for run in opening.runs]


_TITLE: Final = Face(absent="it is said once, above the table")
_BESIDE: Final = Face(absent="it is said beside the table")
_ASKED: Final = "only programs and those who name it need it"
_INTERVAL: Final = "people read both ends in one column"


def _end(place: int) -> Callable[[TestedTrial], float | None]:
    return lambda row: None if row.interval is None else row.interval[place]


FINAL_TEST: Final[tuple[Column, ...]] = (
    *(
        Column(
            name=name,
            kind="whole" if name == "seed" else "text",
            meaning=meaning,
            value=attrgetter(of),
            of_table=True,
            terminal=_TITLE,
            report=_TITLE,
            paper=_TITLE,
        )
        for name, meaning, of in (
            ("study", "the study's name", "study.name"),
            ("data", "the name of its data set", "study.data_name"),
            ("seed", "the study's seed", "study.seed"),
        )
    ),
    Column(
        name="opening",
        kind="whole",
        meaning="which opening of the test set for this study, from 1",
        value=attrgetter("number"),
        terminal=_TITLE,
        report=_TITLE,
        paper=Face(place=1, shown_if=lambda rows: len({row.number for row in rows}) > 1),
    ),
    Column(
        name="opened_at",
        kind="text",
        meaning="when, in UTC, as ISO 8601",
        value=lambda row: row.opening.opened_at.isoformat(timespec="seconds"),
        terminal=_TITLE,
        report=_TITLE,
        paper=Face("opened (UTC)", absent=_ASKED),
    ),
    Column(
        name="refit",
        kind="text",
        meaning="what it was trained on: `train+validation`, or `none`: as it was",
        value=attrgetter("opening.refit"),
        terminal=_TITLE,
        report=_TITLE,
        paper=Face(place=10),
    ),
    Column(
        name="hand_picked",
        kind="truth",
        meaning="whether trials were picked by hand",
        value=lambda row: is_hand_picked(row.opening),
        heading="picked by hand",
        terminal=_BESIDE,
        report=_BESIDE,
        paper=Face(place=11, shown_if=lambda rows: any(is_hand_picked(r.opening) for r in rows)),
    ),
    Column(
        name="rank",
        kind="whole",
        meaning="in the ranking by validation accuracy, from 1",
        value=attrgetter("run.rank"),
        terminal=Face(place=2),
        report=Face(place=2),
        paper=Face(place=2),
    ),
    Column(
        name="stage",
        kind="text",
        meaning="the stage, as in `coarse`",
        value=attrgetter("run.stage"),
        terminal=Face(place=3),
        report=Face(place=3),
        paper=Face(place=3),
    ),
    Column(
        name="trial",
        kind="whole",
        meaning="Optuna's number of the trial in its stage, from 0",
        terminal=Face(absent=_ASKED),
        report=Face(absent=_ASKED),
        paper=Face(absent=_ASKED),
    ),
    Column(
        name="params",
        kind="value",
        meaning="what was searched",
        terminal=Face(place=4),
        report=Face(place=4),
        paper=Face(place=4),
        not_in_tables="each parameter is a column, named as in recipes",
    ),
    Column(
        name="validation_accuracy",
        kind="percent",
        meaning="of the search, by which it was ranked",
        value=attrgetter("run.validation_accuracy"),
        terminal=Face("validation\naccuracy\n%", place=5, spare=2),
        report=Face("validation", place=5),
        paper=Face("validation accuracy (%)", place=5),
    ),
    Column(
        name="final_validation_accuracy",
        kind="percent",
        meaning="after the final training, on what that kept for validation; empty where it kept "
        "nothing",
        value=attrgetter("run.final_validation_accuracy"),
        terminal=Face(absent=_ASKED),
        report=Face(absent=_ASKED),
        paper=Face("validation accuracy, final training (%)", absent=_ASKED),
    ),
    Column(
        name="test_accuracy",
        kind="percent",
        meaning="on the test samples; empty where training diverged",
        value=attrgetter("run.test_accuracy"),
        error=lambda row, _: row.error,
        terminal=Face("test\naccuracy\n% ± SE", place=6),
        report=Face("test ± SE", place=6),
        paper=Face("test accuracy (%)", place=6),
    ),
    Column(
        name="interval",
        kind="interval",
        meaning="95 % interval of the test accuracy",
        heading="95 %\ninterval",
        terminal=Face(place=7),
        report=Face(place=7),
        paper=Face(absent="`interval_low` shows it"),
        not_in_tables="its ends are `interval_low` and `interval_high`",
    ),
    *(
        Column(
            name=f"interval_{name}",
            kind="percent",
            meaning=f"{word} end of the 95 % interval of the test accuracy",
            value=_end(place),
            ends=("interval_low", "interval_high"),
            heading="95 %\ninterval",
            terminal=Face(absent=_INTERVAL),
            report=Face(absent=_INTERVAL),
            paper=Face(place=7, absent=_INTERVAL if place else ""),
        )
        for place, (name, word) in enumerate((("low", "lower"), ("high", "upper")))
    ),
    Column(
        name="test_loss",
        kind="loss",
        meaning="on the test samples",
        value=attrgetter("run.test_loss"),
        heading="test\nloss",
        terminal=Face(place=8),
        report=Face(place=8),
        paper=Face(place=8),
    ),
    Column(
        name="test_samples",
        kind="whole",
        meaning="that the test set has",
        unit="samples",
        value=attrgetter("opening.n_test"),
        terminal=_TITLE,
        report=_TITLE,
        paper=Face(absent="the legend says it"),
    ),
    Column(
        name="trained_epochs",
        kind="whole",
        meaning="that the tested weights were trained",
        unit="epochs",
        value=attrgetter("run.epochs"),
        terminal=Face("epochs", place=9, spare=1),
        report=Face("epochs", place=9),
        paper=Face(place=9),
    ),
    Column(
        name="seconds",
        kind="seconds",
        meaning="that they were trained",
        value=attrgetter("run.seconds"),
        terminal=Face(absent=_ASKED),
        report=Face(absent=_ASKED),
        paper=Face("training (s)", absent=_ASKED),
    ),
)
