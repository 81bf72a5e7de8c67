"""What was measured within epochs: a row an evaluation of each training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import EvaluationRecord
from coarsefine.studies.results.columns.column import Column, Face
from coarsefine.studies.results.columns.shared import PARAMS, STAGE, STUDY, TITLE, TRIAL
from coarsefine.studies.results.curves.runs import read_runs
from coarsefine.studies.results.ranking import RankedTrial, Ranking


@dataclass(frozen=True, slots=True)
class RunEvaluation:
    """An evaluation of one training run of a trial."""

    trial: RankedTrial
    replicate: int
    measured: EvaluationRecord

    @property
    def params(self) -> Mapping[str, Any]:
        """Return what was searched."""
        return self.trial.params


EVALUATIONS: Final[tuple[Column, ...]] = (
    STUDY,
    replace(STAGE, value=attrgetter("trial.stage"), absent=TITLE, paper=Face()),
    replace(TRIAL, value=attrgetter("trial.trial"), absent=TITLE, paper=Face()),
    replace(PARAMS, absent=TITLE, paper=Face()),
    Column(name="replicate", kind="whole", meaning="of the trial, from 0"),
    Column(
        name="updates",
        kind="count",
        unit="updates",
        meaning="updates made so far",
        value=attrgetter("measured.step"),
    ),
    Column(
        name="validation_loss",
        kind="loss",
        meaning="on the validation samples, without the penalty",
        value=attrgetter("measured.validation_loss"),
    ),
    Column(
        name="validation_accuracy",
        kind="percent",
        meaning="on the validation samples",
        value=attrgetter("measured.validation_accuracy"),
    ),
    Column(
        name="batch_loss",
        kind="loss",
        meaning="mean of the batches since the evaluation before, each before its update; empty "
        "unless running measures were asked for",
        value=attrgetter("measured.batch_loss"),
    ),
    Column(
        name="batch_deviation",
        kind="loss",
        meaning="standard deviation of the losses of these batches",
        value=attrgetter("measured.batch_deviation"),
    ),
)


def read_evaluations(
    database: Database, ranking: Ranking, trials: Sequence[RankedTrial]
) -> list[RunEvaluation]:
    """Return the evaluations of some trials, by trial, replicate and update."""
    runs = read_runs(database, ranking, trials)
    of_run = {
        run.id: (trial, run.replicate) for trial in trials for run in runs.get(trial.uuid or "", ())
    }
    kept: dict[int, list[EvaluationRecord]] = {run: [] for run in of_run}
    for record in repository.evaluation_rows(database, list(of_run)):
        kept[record.run_id].append(record)
    return [
        RunEvaluation(trial, replicate, record)
        for run, (trial, replicate) in of_run.items()
        for record in kept[run]
    ]
