"""Databases with many finished trials: ours and Optuna's side of one study, made up."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.new_records import NewStage, NewStudy
from coarsefine.db.optuna.trials import End, OptunaTrial, Range
from coarsefine.db.optuna.writing import written
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
    uuids = _fill_ours(path, strengths, accuracies)
    _fill_optuna(path, uuids, strengths, accuracies)


def _fill_ours(path: Path, strengths: np.ndarray, accuracies: np.ndarray) -> list[str]:
    """Write our side, and return the UUIDs of the trials."""
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
                    for epoch in range(EPOCHS + 1)
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
    return [trial.uuid for trial in trials]


def _row(run_id: int, epoch: int, accuracy: float) -> EpochRecord:
    reached = float(accuracy)
    if epoch < EPOCHS:
        reached *= 1 - math.exp(-epoch - 1)
    return EpochRecord(
        run_id, epoch, 500 * epoch, 0.01, 0.3, 0.31, reached, 0.3, 0.31, reached, 0.1, 0.01
    )


def _fill_optuna(
    path: Path, uuids: Sequence[str], strengths: np.ndarray, accuracies: np.ndarray
) -> None:
    """Add the trials as Optuna's users do, with every epoch reported.

    Through Optuna, a trial takes 15 ms: minutes for what is only to be read.
    """
    attributes = {"validation_loss": 0.3, "train_accuracy": 0.9, "seconds": 1.0, "replicates": 1}
    curve = {epoch: 0.9 - 0.1 / (epoch + 1) for epoch in range(EPOCHS)}
    space = {"lambda": Range(1e-5, 1e-1, log=True)}
    trials = [
        OptunaTrial(
            uuid,
            {"lambda": float(strength)},
            space,
            end=End.of("complete", float(accuracy), attributes, curve),
        )
        for uuid, strength, accuracy in zip(uuids, strengths, accuracies, strict=True)
    ]
    with open_database(str(path)) as database:
        study = repository.find_study(database, STUDY)
        assert study is not None
        (stage,) = repository.stages(database, study)
        if written(database, STAGE, {"uuid": stage.uuid, "study": STUDY}, trials) is None:
            raise RuntimeError("Optuna's tables are newer than those that are known here")
