"""A database in a folder of its own, and a study with a planned stage in it."""

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coarsefine.db import records, repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.new_records import NewStage, NewStudy
from coarsefine.db.records import (
    NewCohort,
    NewRun,
    NewTrial,
    PlanRecord,
    StageRecord,
    StudyRecord,
)


@dataclass(frozen=True)
class Planned:
    db: Database
    study: StudyRecord
    stage: StageRecord
    plan: PlanRecord


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "search.db"


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables and without rows."""
    path = tmp_path_factory.mktemp("empty") / "search.db"
    open_database(str(path), create=True).close()
    return path


@pytest.fixture
def db(path: Path, empty: Path) -> Generator[Database]:
    shutil.copy(empty, path)
    with open_database(str(path)) as database:
        yield database


def add_study(db: Database, name: str = "digits/lambda") -> StudyRecord:
    return repository.add_study(
        db,
        NewStudy(
            name=name,
            search="lambda",
            recipe={"hidden": [50], "note": "η"},
            seed=2**62,
            data_name="digits",
            data_fingerprint="f" * 64,
            data={"n_classes": 10},
            versions={"numpy": "2"},
            machine={"cores": 2},
        ),
    )


def add_stage(db: Database, study: StudyRecord, name: str = "coarse") -> StageRecord:
    return repository.add_stage(
        db,
        study,
        NewStage(
            name=name,
            optuna_name=f"{study.name}/{name}",
            parameter="lambda",
            low=1e-5,
            high=1e-1,
            sampler="grid",
            reason="the default window",
        ),
    )


def plan_trials(db: Database, stage: StageRecord, n_trials: int = 4) -> PlanRecord:
    """One cohort with one run a trial."""
    trials = [NewTrial({"lambda": 10.0 ** (i % 8 - 5)}) for i in range(n_trials)]
    runs = [NewRun(trial.uuid, seed=7, recipe_key=f"key-{i}") for i, trial in enumerate(trials)]
    return repository.add_plan(db, stage, trials, [NewCohort(runs, plan={"n_epochs": 4})])


@pytest.fixture
def planned(db: Database) -> Planned:
    study = add_study(db)
    stage = add_stage(db, study)
    return Planned(db, study, stage, plan_trials(db, stage))


def untold_trials(db: Database, stage: records.StageRecord) -> list[records.TrialRecord]:
    """Return trials that have ended here and were not told to Optuna, in order."""
    ended = records.FINAL_STATES
    trials = repository.load_plan(db, stage).trials
    return [trial for trial in trials if trial.state in ended and not trial.told]
