"""A race over seeds as its runs stand: who leaves after a seed, whether it ends, how it went."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord, TrialRecord
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.races import OPEN, Race, RaceEnd
from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.racing import Rules, decided
from coarsefine.studies.results.evidence.ties import judge, judge_accuracies
from coarsefine.studies.results.judging.family import family_of
from coarsefine.studies.results.judging.statistics import Measured
from coarsefine.studies.results.judging.trials import ANY_SAMPLES
from coarsefine.studies.results.predictions import metrics_of, outcomes_of, ranked_by
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.scorer import Scorer
from coarsefine.studies.results.scoring.splits import n_folds_of


def looked_at(
    database: Database, study: StudyRecord, race: Race, trials: Sequence[TrialRecord]
) -> Race:
    """Return a race after the next look: all trials in it have the seeds for it.

    Decided from what those seeds gave and what was decided before, whatever else is stored.

    Args:
        database: Where outcomes are.
        study: Whose trials.
        race: As it stands.
        trials: Of the race, in the order of the plan; those that are not complete play no part.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    by, n_samples = ranked_by(study), int(study.data.get("n_validation", 0))
    scorer = Scorer.of(by, study)
    splits, n_seeds = scorer.splits, race.n_seeds
    n_folds = n_folds_of(splits)
    runs = [n_folds * race.left.get(trial.uuid, n_seeds) for trial in complete]
    values = _values(database, study, scorer, [trial.id for trial in complete])
    measured = [
        Measured(trial.uuid, {r: values[trial.id][r] for r in range(n)})
        for trial, n in zip(complete, runs, strict=True)
    ]

    def read(of: Sequence[int]) -> dict[int, Mapping[int, bytes]]:
        found = outcomes_of(database, [complete[i].id for i in of])
        return {
            i: {r: payload for r, payload in each.items() if r < runs[i]}
            for i, each in zip(of, found, strict=True)
        }

    family = family_of(measured, range(len(complete)), n_samples, read, scorer)
    looks = Looks(race.least, race.most)
    if splits is not None:
        looks = replace(looks, now=n_seeds)
        judged = family.judged_on_splits(scorer, n_samples, looks)
        n_samples = 0
    elif family.scores is not None:
        judged = judge(family.scores, family.present, unit=scorer.unit, looks=looks)
    else:
        n_samples = n_samples or ANY_SAMPLES
        judged = judge_accuracies(family.values, family.present, n_samples, looks=looks)
    racing = np.array([trial.uuid not in race.left for trial in complete])
    look = decided(judged, family.present, racing, Rules(looks, race.indifference), n_samples)
    left = [complete[i].uuid for i in np.flatnonzero(look.left)]
    found = RaceEnd(
        end=look.end or OPEN,
        best=complete[look.best].uuid,
        above=look.above,
        below=look.below,
        ahead=look.ahead,
        samples=look.samples,
        seeds=look.seeds,
    )
    return race.with_step(left, found)


def _values(
    database: Database, study: StudyRecord, scorer: Scorer, trials: Sequence[int]
) -> dict[int, dict[int, float]]:
    """Return the score of each run, by trial id and replicate."""
    if scorer.metric != "accuracy":
        known = metrics_of(database, study, scorer.metric, scorer)
        return {trial: {r: value for r, (value, _) in own.items()} for trial, own in known.items()}
    found: dict[int, dict[int, float]] = {}
    for run in repository.run_rows(database, trial_ids=trials):
        if run.validation_accuracy is not None:
            found.setdefault(run.trial_id, {})[run.replicate] = run.validation_accuracy
    return found


class Lane(NamedTuple):
    """A value of a race.

    Attributes:
        behind: Its mean score over the first one, two, … seeds less that of the best value, in
            percentage points.
        left: After how many seeds it left; ``None`` if it did not.
    """

    trial: RankedTrial
    behind: tuple[float, ...]
    left: int | None


class RaceRun(NamedTuple):
    """A race as it went.

    Attributes:
        stage: Whose values.
        best: The best measured value.
        lanes: Of all values, the best ranked one first.
    """

    ranking: Ranking
    stage: str
    race: Race
    best: RankedTrial
    lanes: tuple[Lane, ...]


def read_race(database: Database, ranking: Ranking) -> RaceRun:
    """Return the race of the last stage that has one.

    Raises:
        StudyError: If there is none.
    """
    raced = [(s.name, s.race) for s in ranking.stages if s.race is not None and s.race.n_trials > 1]
    if not raced:
        raise StudyError(f"no values of {ranking.study.name} were raced over seeds")
    stage, race = raced[-1]
    trials = [t for t in ranking.trials if t.stage == stage and t.state == "complete"]
    ids = {row.uuid: row.id for row in repository.trial_rows(database, ranking.study)}
    scorer = Scorer.of(ranked_by(ranking.study), ranking.study)
    values = _values(database, ranking.study, scorer, [ids[trial.uuid or ""] for trial in trials])
    n_folds = n_folds_of(scorer.splits)

    def means(trial: RankedTrial) -> list[float]:
        own = values[ids[trial.uuid or ""]]
        # Runs beyond a trial's seeds may be there, with gaps, while others are being trained.
        runs = np.array([own[replicate] for replicate in range(trial.replicates)])
        known = runs[: len(runs) // n_folds * n_folds].reshape(-1, n_folds).mean(axis=1)
        return list(map(float, 100 * np.cumsum(known) / np.arange(1, len(known) + 1)))

    left = race.left
    ended = None if race.ended is None else race.ended.best
    best = next((t for t in trials if t.uuid == ended), None)
    best = best or next(t for t in trials if t.uuid not in left)
    ahead = means(best)[: race.n_seeds]
    lanes = []
    for trial in trials:
        n = left.get(trial.uuid or "", race.n_seeds)
        behind = [own - first for own, first in zip(means(trial)[:n], ahead, strict=False)]
        lanes.append(Lane(trial, tuple(behind), left.get(trial.uuid or "")))
    return RaceRun(ranking, stage, race, best, tuple(lanes))
