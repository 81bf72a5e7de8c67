"""The rows of final tests: a tested trial, or an ensemble of trials, of each opening."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.final_records import TestEnsembleRecord
from coarsefine.db.records import StudyRecord, TestOpeningRecord, TestRunRecord
from coarsefine.studies.results.final.evidence import (
    NOTHING,
    EnsembleEvidence,
    OpeningEvidence,
    TestedEvidence,
    evidence_of,
)
from coarsefine.studies.results.judging.statistics import Interval, binomial_error


@dataclass(frozen=True, slots=True)
class TestedTrial:
    """A trial that met the test set, or an ensemble of trials.

    Attributes:
        number: Which opening of the test set it was, from 1.
        evidence: What its test accuracy is worth.
        trial: Optuna's number; ``None`` where the trial is no longer known.
        ensemble: In place of a trial; ``run`` has what it reached.
    """

    __test__: ClassVar[bool] = False  # pytest: not a test

    number: int
    opening: TestOpeningRecord
    run: TestRunRecord
    evidence: TestedEvidence = NOTHING
    trial: int | None = None
    ensemble: TestEnsembleRecord | None = None

    @property
    def params(self) -> Mapping[str, Any]:
        """Return what was searched."""
        return self.run.params

    @property
    def rank(self) -> int | None:
        """Return the rank by validation accuracy; ``None`` of an ensemble."""
        return self.run.rank or None

    @property
    def predictor(self) -> str:
        """Return whether it is a trial or an ensemble, and of which kind."""
        return "trial" if self.ensemble is None else self.ensemble.method

    @property
    def corrected(self) -> float | None:
        """Return the validation accuracy without its selection bias, as far as that is known."""
        accuracy, bias = self.run.validation_accuracy, self.run.selection_bias
        return None if accuracy is None or bias is None else accuracy - bias

    @property
    def interval(self) -> Interval | None:
        """Return the 95 % interval of the test accuracy."""
        return self.evidence.interval

    @property
    def error(self) -> float | None:
        """Return the standard error of the test accuracy."""
        return self.evidence.error


def trials_of_openings(
    database: Database,
    study: StudyRecord,
    openings: Sequence[TestOpeningRecord],
    top: int | None,
) -> list[TestedTrial]:
    """Return the tested trials of some openings and their ensembles, in order.

    Of the trials of each opening only the ``top`` best.
    """
    numbers = {
        row.id: row.position if row.number is None else row.number
        for row in repository.trial_rows(database, study)
    }
    rows: list[TestedTrial] = []
    for number, opening in enumerate(openings, 1):
        evidence = evidence_of(database, opening)
        rows += [
            replace(
                row,
                number=number,
                trial=None if row.run.trial_id is None else numbers.get(row.run.trial_id),
            )
            for row in of_opening(opening, evidence)[:top]
        ]
        rows += [_ensemble_row(number, opening, each) for each in evidence.ensembles]
    return rows


def of_opening(opening: TestOpeningRecord, evidence: OpeningEvidence) -> list[TestedTrial]:
    """Return the trials that one opening of the test set tested."""
    return [TestedTrial(1, opening, run, evidence.of(run)) for run in opening.runs]


def _ensemble_row(number: int, opening: TestOpeningRecord, found: EnsembleEvidence) -> TestedTrial:
    ensemble = found.record
    run = TestRunRecord(
        id=0,
        opening_id=ensemble.opening_id,
        rank=0,
        trial_id=None,
        stage="",
        params={},
        validation_accuracy=None,
        final_validation_accuracy=None,
        test_accuracy=ensemble.test_accuracy,
        test_loss=ensemble.test_loss,
        confusion=ensemble.confusion,
        seconds=None,
        epochs=None,
    )
    evidence = TestedEvidence(
        n_seeds=0,
        error=binomial_error(ensemble.test_accuracy, opening.n_test),
        interval=found.interval,
        samples=found.interval,
    )
    return TestedTrial(number, opening, run, evidence, ensemble=ensemble)
