"""What is stored comes back, after closing and reopening the file."""

import dataclasses
import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.db import curve_tables, records, repository, tables, tidying
from coarsefine.db.column_types import objects_of
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.final_records import NewTestOpening, NewTestRun, TestEnsembleRecord
from coarsefine.db.records import (
    EpochRecord,
    NewCohort,
    NewRun,
    NewTrial,
    PlanRecord,
    RunUpdate,
    SegmentResult,
    TrialUpdate,
)
from coarsefine.db.repository import curves

from .conftest import Planned, add_stage, add_study, plan_trials, untold_trials


def segment(
    plan: PlanRecord,
    start: int = 0,
    stop: int = 2,
    *,
    done: bool = False,
    checkpoint: bytes | None = b"state",
) -> SegmentResult:
    state: records.TrialState = "complete" if done else "running"
    return SegmentResult(
        cohort_uuid=plan.cohorts[0].uuid,
        from_epoch=start,
        to_epoch=stop,
        epochs=[
            EpochRecord(run.id, epoch, 10 * epoch, 0.1, 1.0, 1.5, 0.5, 2.0, 2.5, 0.25, 0.01)
            for run in plan.runs
            for epoch in range(start + 1, stop + 1)
        ],
        runs=[
            RunUpdate(run.id, state, stop, 10 * stop, 0.25, 2.0, 0.5, 1.0, stop, 0.1)
            for run in plan.runs
        ],
        trials=[
            TrialUpdate(trial.uuid, state, (i + 1) / 10, 2.0, 0.5, 0.1)
            for i, trial in enumerate(plan.trials)
        ],
        checkpoint=checkpoint,
        done=done,
    )


@pytest.mark.parametrize(
    ("record", "mapped"),
    [
        (records.StudyRecord, tables.Study),
        (records.StageRecord, tables.Stage),
        (records.TrialRecord, tables.Trial),
        (records.CohortRecord, tables.Cohort),
        (records.RunRecord, tables.Run),
        (records.EpochRecord, curve_tables.Epoch),
        (records.EvaluationRecord, curve_tables.Evaluation),
        (records.TestOpeningRecord, tables.Opening),
        (records.TestRunRecord, tables.FinalRun),
        (TestEnsembleRecord, tables.FinalEnsemble),
    ],
)
def test_a_record_has_the_fields_of_its_table_in_order(record: Any, mapped: Any) -> None:
    derived = {"runs", "ensembles"}
    if record is records.TestRunRecord:
        derived.add("replicates")
    names = (
        [field.name for field in dataclasses.fields(record)]
        if dataclasses.is_dataclass(record)
        else list(record._fields)
    )

    assert [name for name in names if name not in derived] == [c.name for c in mapped.__table__.c]


def test_a_study_comes_back_after_closing_the_file(path: Path, planned: Planned) -> None:
    planned.db.close()

    with open_database(str(path)) as again:
        assert repository.find_study(again, "digits/lambda") is not None
        study = repository.latest_study(again)
        assert study is not None
        assert (study.name, study.seed, study.recipe) == (
            "digits/lambda",
            2**62,
            {"hidden": [50], "note": "η"},
        )
        assert study.created_at.tzinfo is not None
        (stage,) = repository.stages(again, study)
        assert stage == planned.stage
        assert repository.load_plan(again, stage) == planned.plan


def test_a_second_study_of_the_same_name_is_refused(db: Database) -> None:
    add_study(db)

    with pytest.raises(StorageError, match=r"'digits/lambda' is in .* already"):
        add_study(db)


def test_the_latest_study_is_the_one_where_something_happened_last(db: Database) -> None:
    first, second = add_study(db, "first"), add_study(db, "second")
    assert repository.latest_study(db) == second

    add_stage(db, first)

    latest = repository.latest_study(db)
    assert latest is not None
    assert latest.uuid == first.uuid


def test_positions_go_on_where_the_stage_stands(planned: Planned) -> None:
    plan = plan_trials(planned.db, planned.stage, n_trials=2)

    assert [trial.position for trial in plan.trials] == [0, 1, 2, 3, 4, 5]
    assert [cohort.position for cohort in plan.cohorts] == [0, 1]
    assert [run.slot for run in plan.runs] == [0, 1, 2, 3, 0, 1]


def test_a_plan_is_written_whole_or_not_at_all(planned: Planned) -> None:
    trial = NewTrial({"lambda": 1.0})
    twice = NewRun(trial.uuid, seed=1, recipe_key="k")

    with pytest.raises(sa.exc.IntegrityError):
        repository.add_plan(planned.db, planned.stage, [trial], [NewCohort([twice, twice])])

    assert repository.load_plan(planned.db, planned.stage) == planned.plan


def test_a_segment_is_stored_once_however_often_it_is_delivered(planned: Planned) -> None:
    first = segment(planned.plan)

    assert repository.store_segment(planned.db, first)
    stored = repository.epoch_rows(planned.db, study=planned.study)
    assert not repository.store_segment(planned.db, first)

    assert stored == list(first.epochs)
    assert repository.epoch_rows(planned.db, study=planned.study) == stored
    assert repository.load_checkpoint(planned.db, first.cohort_uuid) == (2, b"state")


@pytest.mark.parametrize("at_a_time", [1, 3, 100])
def test_columns_of_curves_hold_what_their_rows_hold(
    planned: Planned, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(curves, "_AT_A_TIME", at_a_time)
    first = segment(planned.plan)
    rows = [row._replace(train_loss=None) if row.epoch else row for row in first.epochs]
    repository.store_segment(planned.db, dataclasses.replace(first, epochs=rows))

    columns = repository.epoch_columns(planned.db, planned.study)

    assert list(zip(*columns.values(), strict=True)) == rows


def test_a_last_segment_is_stored_once_too(planned: Planned) -> None:
    last = segment(planned.plan, 0, 4, done=True)
    repository.store_segment(planned.db, last)
    late = dataclasses.replace(segment(planned.plan, 4, 6), done=False)

    assert not repository.store_segment(planned.db, last)
    assert not repository.store_segment(planned.db, late)
    plan = repository.load_plan(planned.db, planned.stage)

    assert (plan.cohorts[0].state, plan.cohorts[0].epochs_done) == ("done", 4)
    assert {trial.state for trial in plan.trials} == {"complete"}
    assert all(trial.finished_at is not None and not trial.told for trial in plan.trials)
    assert {run.epochs for run in plan.runs} == {4}


def test_a_segment_that_leaves_a_gap_is_refused(planned: Planned) -> None:
    with pytest.raises(StorageError, match="stands at epoch 0"):
        repository.store_segment(planned.db, segment(planned.plan, 2, 4))


def test_a_segment_of_a_deleted_study_is_refused(planned: Planned) -> None:
    tidying.purge(planned.db, [planned.study.uuid])
    other = add_stage(planned.db, add_study(planned.db))
    plan = plan_trials(planned.db, other)
    if planned.db.path is not None:
        assert plan.runs[0].id == planned.plan.runs[0].id  # SQLite gives ids out again

    with pytest.raises(StorageError, match="its study was deleted"):
        repository.store_segment(planned.db, segment(planned.plan))

    assert repository.load_plan(planned.db, other) == plan


def test_half_a_segment_is_never_stored(planned: Planned) -> None:
    broken = segment(planned.plan)
    twice = dataclasses.replace(broken, epochs=[*broken.epochs, broken.epochs[0]])

    with pytest.raises(sa.exc.IntegrityError):
        repository.store_segment(planned.db, twice)

    assert repository.load_plan(planned.db, planned.stage) == planned.plan
    assert repository.store_segment(planned.db, broken)


def test_the_final_checkpoint_is_kept_unless_told_otherwise(planned: Planned) -> None:
    kept = planned.plan.cohorts[0].uuid
    repository.store_segment(planned.db, segment(planned.plan))
    repository.store_segment(
        planned.db, segment(planned.plan, 2, 4, done=True, checkpoint=b"final")
    )
    assert repository.load_checkpoint(planned.db, kept) == (4, b"final")

    stage = add_stage(planned.db, planned.study, "fine")
    plan = plan_trials(planned.db, stage)
    repository.store_segment(planned.db, segment(plan))
    repository.store_segment(planned.db, segment(plan, 2, 4, done=True), keep=False)
    assert repository.load_checkpoint(planned.db, plan.cohorts[0].uuid) is None


def test_a_damaged_checkpoint_is_refused(path: Path, planned: Planned) -> None:
    repository.store_segment(planned.db, segment(planned.plan))
    with sqlite3.connect(path) as outside:
        outside.execute("UPDATE training_checkpoints SET payload = x'00'")
    outside.close()

    with pytest.raises(StorageError, match=r"checkpoint .* is damaged at epoch 2"):
        repository.load_checkpoint(planned.db, planned.plan.cohorts[0].uuid)


def test_numbers_of_numpy_are_stored_as_numbers_and_what_is_not_finite_as_null(
    path: Path, planned: Planned
) -> None:
    run = planned.plan.runs[0]
    row = EpochRecord(run.id, 1, 10, np.float32(0.5), math.nan, math.inf, None, -math.inf)  # type: ignore[arg-type]
    diverged = TrialUpdate(planned.plan.trials[0].uuid, "diverged", None, math.inf)

    repository.store_segment(
        planned.db,
        SegmentResult(planned.plan.cohorts[0].uuid, 0, 1, [row], trials=[diverged]),
    )

    with sqlite3.connect(path) as outside:
        stored = outside.execute(
            "SELECT eta, train_loss, train_cost, validation_loss FROM training_epochs"
        ).fetchall()
        loss = outside.execute("SELECT validation_loss FROM training_trials").fetchone()
    outside.close()
    assert stored == [(0.5, None, None, None)]
    assert loss == (None,)


def test_what_json_does_not_know_is_refused(db: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="not JSON compliant"):
        repository.set_measurement(db, "width", math.nan)


def test_sqlite_from_outside_reads_what_was_stored(path: Path, planned: Planned) -> None:
    repository.store_segment(planned.db, segment(planned.plan, 0, 4, done=True))
    repository.set_numbers(planned.db, {t.uuid: t.position for t in planned.plan.trials})
    planned.db.close()

    with sqlite3.connect(path) as outside:
        rows = outside.execute(
            "SELECT number, params, validation_accuracy FROM training_trials ORDER BY number"
        ).fetchall()
        assert outside.execute("PRAGMA foreign_key_check").fetchall() == []
        assert outside.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert outside.execute("SELECT count(*) FROM training_epochs").fetchone() == (16,)
    outside.close()

    assert [(number, json.loads(params), accuracy) for number, params, accuracy in rows] == [
        (trial.position, trial.params, (trial.position + 1) / 10) for trial in planned.plan.trials
    ]


def test_trials_are_told_once(planned: Planned) -> None:
    assert untold_trials(planned.db, planned.stage) == []
    repository.store_segment(planned.db, segment(planned.plan, 0, 4, done=True))
    untold = untold_trials(planned.db, planned.stage)

    repository.mark_told(planned.db, [trial.uuid for trial in untold[:3]])

    assert [trial.position for trial in untold] == [0, 1, 2, 3]
    assert [t.position for t in untold_trials(planned.db, planned.stage)] == [3]


def test_a_finished_run_is_found_and_reused_with_its_curve(planned: Planned) -> None:
    db = planned.db
    assert repository.find_finished_run(db, ["key-0", "key-1"]) == {}
    repository.store_segment(db, segment(planned.plan, 0, 4, done=True))
    found = repository.find_finished_run(db, ["key-0", "key-x"])
    assert set(found) == {"key-0"}

    fine = add_stage(db, planned.study, "fine")
    trial = NewTrial({"lambda": 1e-5})
    source = found["key-0"]
    run = NewRun(trial.uuid, source.seed, "key-0", reused_from=source.id)
    plan = repository.add_plan(
        db, fine, [trial], reused=[run], finished=[TrialUpdate(trial.uuid, "complete", 0.25)]
    )

    (copy,) = plan.runs
    assert (copy.cohort_id, copy.slot, copy.reused_from) == (None, None, source.id)
    assert (copy.state, copy.validation_accuracy) == ("complete", source.validation_accuracy)
    curve = repository.epoch_rows(db, run_ids=[copy.id])
    assert [row[1:] for row in curve] == [
        row[1:] for row in repository.epoch_rows(db, run_ids=[source.id])
    ]
    assert [t.uuid for t in untold_trials(db, fine)] == [trial.uuid]
    assert repository.find_finished_run(db, ["key-0"])["key-0"] == source  # not the copy


def test_a_run_that_is_not_finished_is_not_reused(planned: Planned) -> None:
    trial = NewTrial({"lambda": 1.0})
    run = NewRun(trial.uuid, 7, "key-0", reused_from=planned.plan.runs[0].id)

    with pytest.raises(StorageError, match="no longer there"):
        repository.add_plan(planned.db, planned.stage, [trial], reused=[run])

    assert repository.load_plan(planned.db, planned.stage) == planned.plan


def test_ranking_rows_carry_the_latest_test_result(planned: Planned) -> None:
    db, study = planned.db, planned.study
    repository.store_segment(db, segment(planned.plan, 0, 4, done=True))
    best = planned.plan.trials[3]
    opening = NewTestOpening("f" * 64, "train+validation", {"epochs": 4}, n_test=100)
    for accuracy in (0.5, 0.625):
        repository.record_opening(
            db,
            study,
            opening,
            [
                NewTestRun(
                    1,
                    "coarse",
                    best.params,
                    best.uuid,
                    test_accuracy=accuracy,
                    test_loss=1.5,
                    confusion=[[1, 0], [0, 1]],
                )
            ],
        )

    rows = repository.trial_rows(db, study)

    assert [row.test_accuracy for row in rows] == [None, None, None, 0.625]
    assert [row.params for row in rows] == [trial.params for trial in planned.plan.trials]
    assert rows[0].stage == "coarse"
    first, second = repository.openings(db, study)
    assert first.runs[0].test_accuracy == 0.5
    assert second.runs[0].confusion == [[1, 0], [0, 1]]
    assert repository.openings(db, data_fingerprint="f" * 64) == [first, second]


def test_an_opening_is_on_record_before_its_runs(planned: Planned) -> None:
    opening = repository.record_opening(
        planned.db, planned.study, NewTestOpening("f", "none", {}, n_test=1)
    )
    assert repository.openings(planned.db, planned.study) == [opening]

    full = repository.add_test_runs(
        planned.db, opening, [NewTestRun(1, "coarse", {}, test_accuracy=1.0)]
    )

    assert repository.openings(planned.db, planned.study) == [full]
    assert [run.rank for run in full.runs] == [1]


def test_the_list_of_studies_counts_trials_by_state(planned: Planned) -> None:
    add_study(planned.db, "empty")
    repository.store_segment(planned.db, segment(planned.plan, 0, 4, done=True))
    uuid = planned.plan.trials[3].uuid
    repository.update_trials(planned.db, [TrialUpdate(uuid, "pruned", 0.9)])

    full, empty = repository.list_studies(planned.db)

    assert (full.name, full.stages) == ("digits/lambda", ("coarse",))
    assert full.trials == {"complete": 3, "pruned": 1}
    assert full.best_accuracy == 0.3
    assert (empty.name, empty.trials, empty.best_accuracy) == ("empty", {}, None)


def test_deleting_a_study_takes_all_of_it_but_the_record_of_the_test_set(
    path: Path, planned: Planned
) -> None:
    repository.store_segment(planned.db, segment(planned.plan))
    repository.record_opening(
        planned.db, planned.study, NewTestOpening("f", "none", {}, 1), [NewTestRun(1, "coarse", {})]
    )

    tidying.purge(planned.db, [planned.study.uuid])

    with pytest.raises(StorageError, match="no longer in"):
        tidying.purge(planned.db, [planned.study.uuid])
    of_test_sets = {"training_test_openings", "training_test_runs"}
    with sqlite3.connect(path) as outside:
        for name in tables.Base.metadata.tables:
            count = outside.execute(f"SELECT count(*) FROM {name}").fetchone()
            assert count == (int(name in of_test_sets),), name
    outside.close()
    with pytest.raises(StorageError, match="no longer in the database"):
        add_stage(planned.db, planned.study)


def test_a_study_changes_only_in_what_may_change(planned: Planned) -> None:
    changed = repository.update_study(planned.db, planned.study, recipe={"hidden": []})

    assert changed.recipe == {"hidden": []}
    assert changed.updated_at > planned.study.updated_at
    with pytest.raises(TypeError, match="name, uuid cannot be changed"):
        repository.update_study(planned.db, planned.study, uuid="x", name="y")


def test_runs_are_found_by_study_and_by_trial(planned: Planned) -> None:
    first, second, *_ = planned.plan.trials

    assert repository.run_rows(planned.db, planned.study) == list(planned.plan.runs)
    found = repository.run_rows(planned.db, trial_ids=[first.id, second.id])
    assert [run.trial_id for run in found] == [first.id, second.id]
    assert repository.run_rows(planned.db, trial_ids=[]) == []


def test_measurements_are_kept_by_key(db: Database) -> None:
    assert repository.get_measurement(db, "width") is None
    repository.set_measurement(db, "width", {"cohort": 16})
    repository.set_measurement(db, "width", {"cohort": 32})

    assert repository.get_measurement(db, "width") == {"cohort": 32}


@given(st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=2)))
def test_objects_are_read_as_one_like_one_by_one(objects):
    texts = [json.dumps(each) for each in objects]

    assert objects_of(texts) == objects


@pytest.mark.parametrize("texts", [['{"a":1', '"b":2}'], ["{},{}", "{}"], ["", "{}"], ["1,2"]])
def test_texts_that_are_objects_only_together_are_none(texts):
    with pytest.raises(StorageError, match=r"Expecting|Extra data"):
        objects_of(texts)
