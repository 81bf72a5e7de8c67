"""Databases with many finished trials: ours and Optuna's side of one study, made up."""

import math
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np

from coarsefine.db import repository
from coarsefine.db.engine import open_database
from coarsefine.db.new_records import NewStage, NewStudy
from coarsefine.db.records import (
    EpochRecord,
    NewCohort,
    NewRun,
    NewTrial,
    RunUpdate,
    SegmentResult,
    TrialUpdate,
)
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.recipe import to_json

STUDY = "mnist/lambda"
STAGE = f"{STUDY}/coarse"
EPOCHS = 20
COHORT = 8


def fill(path: Path, n_trials: int) -> None:
    """Write a study of ``n_trials`` trials with a curve each, to both sides of one file."""
    rng = np.random.default_rng(n_trials)
    accuracies = rng.uniform(0.85, 0.93, n_trials)
    strengths = 10 ** rng.uniform(-5, -1, n_trials)
    _fill_ours(path, strengths, accuracies)
    _fill_optuna(path, strengths, accuracies)


def _fill_ours(path: Path, strengths: np.ndarray, accuracies: np.ndarray) -> None:
    n_trials = len(strengths)
    with open_database(str(path), create=True) as database:
        recipe = to_json(make_recipe(None, {"data.name": "mnist"}))
        study = repository.add_study(
            database,
            NewStudy(
                name=STUDY,
                search="lambda",
                recipe=recipe,
                seed=0,
                data_name="mnist",
                data_fingerprint="0" * 64,
                data={"n_train": 54_000, "n_validation": 6_000, "n_test": 10_000, "n_classes": 10},
                versions={},
                machine={},
            ),
        )
        stage = repository.add_stage(
            database,
            study,
            NewStage(
                name="coarse",
                optuna_name=STAGE,
                parameter="lambda",
                sampler="random",
                reason="made up",
                low=1e-5,
                high=1e-1,
                options={"replicates": 1, "n_trials": n_trials},
            ),
        )
        trials = [NewTrial({"lambda": float(value)}) for value in strengths]
        cohorts = [
            NewCohort(
                [NewRun(t.uuid, 0, f"{i:064d}") for t in trials[i : i + COHORT]],
                plan={"trials": len(trials[i : i + COHORT])},
            )
            for i in range(0, n_trials, COHORT)
        ]
        plan = repository.add_plan(database, stage, trials, cohorts)
        runs = {(run.cohort_id, run.slot): run for run in plan.runs}
        for k, cohort in enumerate(plan.cohorts):
            first = k * COHORT
            members = range(first, min(first + COHORT, n_trials))
            segment = SegmentResult(
                cohort_uuid=cohort.uuid,
                from_epoch=0,
                to_epoch=EPOCHS,
                epochs=[
                    _row(runs[cohort.id, i - first].id, epoch, accuracies[i])
                    for i in members
                    for epoch in range(EPOCHS)
                ],
                runs=[
                    RunUpdate(
                        runs[cohort.id, i - first].id,
                        "complete",
                        EPOCHS,
                        EPOCHS * 500,
                        float(accuracies[i]),
                        0.3,
                        float(accuracies[i]),
                        0.3,
                        EPOCHS,
                        1.0,
                    )
                    for i in members
                ],
                trials=[
                    TrialUpdate(
                        trials[i].uuid, "complete", float(accuracies[i]), 0.3, accuracies[i], 1.0
                    )
                    for i in members
                ],
                done=True,
            )
            repository.store_segment(database, segment)
        repository.set_numbers(database, {t.uuid: i for i, t in enumerate(trials)})
        repository.mark_told(database, [t.uuid for t in trials])


def _row(run_id: int, epoch: int, accuracy: float) -> EpochRecord:
    reached = float(accuracy) * (1 - math.exp(-epoch - 1))
    return EpochRecord(
        run_id, epoch, 500 * epoch, 0.01, 0.3, 0.31, reached, 0.3, 0.31, reached, 0.1, 0.01
    )


def _fill_optuna(path: Path, strengths: np.ndarray, accuracies: np.ndarray) -> None:
    """Add one trial as Optuna's users do, with every epoch reported, and copy its rows.

    Through Optuna, a trial takes 15 ms: minutes for what is only to be read.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    study = optuna.create_study(study_name=STAGE, storage=storage, direction="maximize")
    study.add_trial(
        optuna.trial.create_trial(
            params={"lambda": float(strengths[0])},
            distributions={"lambda": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)},
            value=float(accuracies[0]),
            user_attrs={
                "uuid": "0" * 36,
                "validation_loss": 0.3,
                "train_accuracy": 0.9,
                "seconds": 1.0,
                "replicates": 1,
            },
            intermediate_values={epoch: 0.9 - 0.1 / (epoch + 1) for epoch in range(EPOCHS)},
        )
    )
    storage.engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        _copy_trial(connection, len(strengths))


def _copy_trial(connection: sqlite3.Connection, n_trials: int) -> None:
    """Copy the rows of trial 1 until there are ``n_trials``, whatever its tables are."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    for name in names:
        info = connection.execute(f"PRAGMA table_info({name})").fetchall()
        columns = [column for _, column, *_ in info]
        if name.startswith("training_") or "trial_id" not in columns:
            continue
        # A table's own key is left to SQLite; the key of the trials counts them.
        copied = [column for _, column, *_, key in info if column == "trial_id" or not key]
        listed, marks = ", ".join(copied), ", ".join("?" * len(copied))
        rows = connection.execute(f"SELECT {listed} FROM {name} WHERE trial_id = 1").fetchall()
        connection.executemany(
            f"INSERT INTO {name} ({listed}) VALUES ({marks})",
            (
                [
                    trial if column == "trial_id" else trial - 1 if column == "number" else value
                    for column, value in zip(copied, row, strict=True)
                ]
                for trial in range(2, n_trials + 1)
                for row in rows
            ),
        )
