"""Rounds of a race over seeds: which trials get another seed, until it ends."""

from dataclasses import replace

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import PlanRecord, StageRecord, TrialRecord
from coarsefine.hints import Message, option
from coarsefine.studies.planning.races import MOST_RACED, Race
from coarsefine.studies.planning.runs import Plan
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.running.more_seeds import Begun


def another_seed(
    begun: Begun, record: StageRecord, stage: Stage, stored: PlanRecord
) -> tuple[StageRecord, Stage, Plan | None]:
    """Return a stage with its race as it stands, and how another seed is trained.

    Args:
        begun: The study.
        record: The stage as it is stored.
        stage: The same; it has a race.
        stored: Its trials, every one finished.

    Returns:
        No plan where the race has ended, or there are too few trials for one, or too many.
    """
    from coarsefine.studies.results.racing import looked_at  # NumPy is not needed before

    assert stage.race is not None  # noqa: S101  # it has one
    database, trials = begun.resources.database, stored.trials
    race, lacking = stage.race.of(trials), list[TrialRecord]()
    if not 2 <= race.n_trials <= MOST_RACED:
        return record, stage, None
    while race.ended is None and not lacking:
        n_runs = stage.run_options.n_runs(race.n_seeds)
        lacking = [t for t in race.racing(trials) if t.replicates < n_runs]
        if not lacking:
            race = looked_at(database, begun.study, race, trials)
    if race != stage.race:
        record, stage = store_race(database, record, stage, race)
    plan = begun.with_seeds(stage, stored, lacking, race.n_seeds) if lacking else None
    return record, stage, plan


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


def race_by_default(race: Race) -> Message:
    """Return that values are raced over seeds because that is soon done."""
    return Message(
        f"this takes seconds, so all values get {race.least} seeds, and those that may be the best "
        f"up to {race.most}; use ",
        option("replicates", 1),
        " for one seed",
    )
