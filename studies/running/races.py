"""Rounds of a race over seeds: which trials get another seed, until the race ends."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import StageRecord, StudyRecord, TrialRecord
from coarsefine.studies.planning.races import MOST_RACED, Race
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.running.loop import Mirror


def next_round(
    database: Database, study: StudyRecord, stage: Stage, trials: Sequence[TrialRecord]
) -> tuple[Race | None, list[TrialRecord]]:
    """Return a race as far as its trials have seeds, and those that get one more.

    Args:
        database: Where outcomes are.
        study: Whose stage.
        stage: It has a race.
        trials: All of its trials, every one finished.

    Returns:
        The race, ``None`` where there are too few trials or too many; no trials where it has ended.
    """
    from coarsefine.studies.results.racing import looked_at  # NumPy is not needed before

    assert stage.race is not None  # noqa: S101  # it has one
    race = stage.race.of(trials)
    if not 2 <= race.n_trials <= MOST_RACED:
        return None, []
    while race.ended is None:
        lacking = [t for t in race.racing(trials) if t.replicates < race.n_seeds]
        if lacking:
            return race, lacking
        race = looked_at(database, study, race, trials)
    return race, []


def store_race(
    database: Database, record: StageRecord, stage: Stage, race: Race
) -> tuple[StageRecord, Stage]:
    """Store what was decided, and return the stage with it."""
    stage = replace(stage, race=race)
    return repository.set_stage_options(database, record, stage.options), stage


def with_race(database: Database, record: StageRecord, asked: Race | None) -> StageRecord:
    """Return a stage with the race that is asked for, begun anew where it was another one.

    Decisions follow from what is stored: what was trained is not trained again.
    """
    stage = Stage.of(record)
    if asked is None or (stage.race is not None and stage.race.asked == asked.asked):
        return record
    return store_race(database, record, stage, asked)[0]


class UntoldMirror:
    """Optuna's side of a stage while its race is on: trials are seen running, and end with it.

    What Optuna was told of a finished trial cannot be changed there, and seeds still come.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def start(
        self, trials: Sequence[TrialRecord], started: Callable[[int], None] | None = None
    ) -> None:
        """Have all trials running in Optuna that it was not told of."""
        self._mirror.start([t if t.told else replace(t, state="running") for t in trials], started)

    def tell(self, trials: Sequence[TrialRecord]) -> None:
        """Tell nothing yet."""
