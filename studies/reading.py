"""A study as it stands in the database: what ``rank``, ``show`` and ``export`` present.

Imports neither Optuna nor the trainer: a ranking of thousands of trials should be there at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from db import repository
from db.engine import Database
from db.records import StageRecord, StudyRecord
from studies.dimensions import PARAMETERS
from studies.errors import StudyError
from studies.ranking import RankedTrial, StageSummary, rank_trials, ranking_json
from studies.spaces import LogRange
from studies.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class Ranking:
    """A study with its stages, and its trials, best first."""

    study: StudyRecord
    stages: tuple[StageSummary, ...]
    trials: tuple[RankedTrial, ...]

    @property
    def best(self) -> RankedTrial | None:
        """Return the first in the ranking, ``None`` if no trial is complete."""
        return self.trials[0] if self.trials and self.trials[0].rank == 1 else None

    def to_json(self) -> dict[str, Any]:
        """Return what ``rank --json`` prints."""
        return ranking_json(
            study=self.study.name,
            data=self.study.data_name,
            seed=self.study.seed,
            stages=self.stages,
            trials=self.trials,
        )


def named_study(database: Database, name: str | None, search: str | None = None) -> StudyRecord:
    """Return a study by name, or the most recent one.

    Args:
        database: Where it is.
        name: ``None`` for the most recent one.
        search: Only look among studies of this search.

    Raises:
        StudyError: If there is none.
    """
    if name is not None:
        found = repository.find_study(database, name)
        if found is None:
            names = [summary.name for summary in repository.list_studies(database)]
            raise StudyError(
                f"{database.label} has no study {name!r}{did_you_mean(name, names)}; "
                "`python -m search list` shows what there is"
            )
        return found
    for summary in repository.list_studies(database):
        if search is None or summary.search == search:
            latest = repository.find_study(database, summary.name)
            if latest is not None:
                return latest
    what = "studies" if search is None else f"{search} studies"
    raise StudyError(
        f"{database.label} has no {what}; run\n    python -m search {search or 'lambda'} --coarse"
    )


def read_ranking(database: Database, study: StudyRecord) -> Ranking:
    """Return the ranking over all stages that search."""
    stages = [s for s in repository.stages(database, study) if s.optuna_name is not None]
    rows = repository.trial_rows(database, study)
    errors = _standard_errors(database, study) if any(row.replicates > 1 for row in rows) else {}
    trials = rank_trials(
        (
            RankedTrial(
                stage=row.stage,
                # Optuna numbers trials in the order of the plan; before it has, so do we.
                trial=row.position if row.number is None else row.number,
                state=row.state,
                params=row.params,
                replicates=row.replicates,
                validation_accuracy=row.validation_accuracy,
                validation_loss=row.validation_loss,
                train_accuracy=row.train_accuracy,
                seconds=row.seconds,
                test_accuracy=row.test_accuracy,
                uuid=row.uuid,
                standard_error=errors.get(row.id),
            )
            for row in rows
        ),
        [stage.name for stage in stages],
    )
    return Ranking(study, tuple(_summary(stage, trials) for stage in stages), trials)


def _standard_errors(database: Database, study: StudyRecord) -> dict[int, float]:
    """Return, by trial, the standard error of the mean accuracy over its replicates."""
    accuracies: dict[int, list[float]] = {}
    for run in repository.run_rows(database, study):
        if run.validation_accuracy is not None:
            accuracies.setdefault(run.trial_id, []).append(run.validation_accuracy)
    return {
        trial: stdev(values) / math.sqrt(len(values))
        for trial, values in accuracies.items()
        if len(values) > 1
    }


def stage_range(stage: StageRecord) -> LogRange | None:
    """Return the range of a stage; ``None`` where single values were given."""
    if stage.low is None or stage.high is None:
        return None
    return LogRange(stage.low, stage.high)


def _summary(stage: StageRecord, trials: Sequence[RankedTrial]) -> StageSummary:
    tried = [trial.params[stage.parameter] for trial in trials if trial.stage == stage.name]
    if not PARAMETERS[stage.parameter].numeric:
        return StageSummary(
            name=stage.name,
            low=None,
            high=None,
            values=sorted(tried, key=(stage.values or tried).index),
            parent=stage.parent,
            reason=stage.reason,
        )
    values = sorted({float(value) for value in tried})
    # Values given one by one have the range that they span, and may lie beyond a window.
    spanned = LogRange.spanning(values)
    return StageSummary(
        name=stage.name,
        low=min((end.low for end in (stage_range(stage), spanned) if end), default=None),
        high=max((end.high for end in (stage_range(stage), spanned) if end), default=None),
        values=values,
        parent=stage.parent,
        reason=stage.reason,
    )
