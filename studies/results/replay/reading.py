"""A study read from its database, to be replayed under sloppier protocols."""

from collections import defaultdict
from typing import Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import RunRecord
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.outcomes import read_outcomes
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.replay.protocols import Candidate, Replay, replayed

# Outcomes are read for so many of the best values, and for so many scores at the most.
_MOST_VALUES: Final = 32
_MOST_SCORES: Final = 1 << 26


def read_replay(database: Database, ranking: Ranking) -> Replay:
    """Return what sloppier protocols would have concluded of a study.

    Raises:
        StudyError: If no trial is complete.
    """
    best = ranking.best
    if best is None:
        raise StudyError(f"study {ranking.study.name} has no complete trial to be replayed")
    trials = _of_each_value(ranking)
    n_scores = max(1, ranking.n_validation * max(trial.replicates for trial in trials))
    n_read = max(2, min(_MOST_VALUES, _MOST_SCORES // n_scores))
    outcomes = read_outcomes(database, ranking, trials[:n_read])
    kept = {
        trial.uuid: each
        for trial, each in zip(trials, outcomes, strict=False)
        if each.whole and each.labels == outcomes[0].labels
    }
    runs = _runs(database, ranking)
    curves: dict[int, dict[int, float]] = defaultdict(dict)
    for run, epoch, accuracy in repository.accuracy_rows(database, ranking.study):
        curves[run][epoch] = accuracy
    candidates = []
    for trial in trials:
        own = runs.get(trial.uuid or "", {})
        of_trial = kept.get(trial.uuid)
        candidates.append(
            Candidate(
                trial,
                {replicate: run.validation_accuracy or 0.0 for replicate, run in own.items()},
                {replicate: curves[run.id] for replicate, run in own.items()},
                {} if of_trial is None else of_trial.rights,
            )
        )
    return replayed(ranking, candidates)


def _of_each_value(ranking: Ranking) -> list[RankedTrial]:
    """Return the best trial of each value that was tried, the best first."""
    found: dict[str, RankedTrial] = {}
    for trial in ranking.trials:
        if trial.rank is not None:
            found.setdefault(repr(sorted(trial.params.items())), trial)
    return list(found.values())


def _runs(database: Database, ranking: Ranking) -> dict[str, dict[int, RunRecord]]:
    """Return the runs that have an accuracy, by their trial's UUID and replicate."""
    uuids = {row.id: row.uuid for row in repository.trial_rows(database, ranking.study)}
    found: dict[str, dict[int, RunRecord]] = defaultdict(dict)
    for run in repository.run_rows(database, ranking.study):
        if run.trial_id in uuids and run.validation_accuracy is not None:
            found[uuids[run.trial_id]][run.replicate] = run
    return found
