"""Studies of one database in another: once, renewed, or left where results differ."""

from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coarsefine.db import repository, tidying
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import BusyError, StorageError
from coarsefine.db.merging import Merged, merge
from coarsefine.db.packing import check_packed, make_optunas_tables, pack
from coarsefine.db.records import (
    NewCohort,
    NewRun,
    NewTrial,
    RunRecord,
    RunUpdate,
    SegmentResult,
    StageRecord,
    StudyRecord,
)
from coarsefine.db.repository.common import table
from coarsefine.db.study_rows import compared_columns, digest
from coarsefine.db.tables import Run

from .test_repository import segment
from .test_tidying import counted, named, optunas, searched


@pytest.fixture
def other(tmp_path: Path) -> Generator[Database]:
    """A file with a study, beside the database of the test."""
    with open_database(str(tmp_path / "other.db"), create=True) as database:
        searched(database, "one")
        yield database


def merged(source: Database, target: Database, name: str = "one") -> Merged:
    make_optunas_tables(target)
    return merge(source, target, {named(source, "one").uuid: name})


def prints(database: Database, study: StudyRecord) -> str:
    with database.session() as session:
        return digest(session, study.id, compared_columns())


def test_a_study_is_written_whole_and_once(db: Database, other: Database) -> None:
    study = named(other, "one")

    assert merged(other, db, "anna/one") == Merged(added=[("one", "anna/one")])

    here = named(db, "anna/one")
    assert here.uuid == study.uuid
    assert prints(db, here) == prints(other, study)
    assert optunas(db) == {"anna/one/coarse": ("anna/one", 8)}
    before = counted(db)
    again = merged(other, db, "another")
    assert (again.kept, again.added, again.n_equal) == (["anna/one"], [], 4)
    assert counted(db) == before


def test_a_name_that_is_taken_gets_a_number_and_equal_runs_one_network(
    db: Database, other: Database
) -> None:
    searched(db, "one")  # the same recipe keys

    found = merged(other, db)

    assert (found.added, found.n_equal, found.n_once) == ([("one", "one-2")], 4, 4)
    assert counted(db)["training_checkpoints"] == counted(db)["training_cohorts"] == 1
    assert counted(db)["training_runs"] == 8
    assert counted(db)["training_epochs"] == 2 * counted(other)["training_epochs"]
    (stage,) = repository.stages(db, named(db, "one-2"))
    runs = repository.load_plan(db, stage).runs
    assert {run.cohort_id for run in runs} == {None}
    source, cohort = repository.trained_run(db, runs[0])
    assert source.recipe_key == runs[0].recipe_key
    assert repository.load_checkpoint(db, cohort.uuid) == (2, b"state")
    # Of a copy, too, they lead to that network.
    tidying.copy(db, {named(db, "one-2").uuid: "three"})
    (stage,) = repository.stages(db, named(db, "three"))
    again = repository.load_plan(db, stage).runs
    assert [run.reused_from for run in again] == [run.reused_from for run in runs]


def test_a_study_that_came_further_takes_its_place(db: Database, other: Database) -> None:
    merged(other, db, "mine")
    here = named(db, "mine")
    tidying.label(db, {here.uuid: {"tags": ["kept"]}})
    borrowing = searched(db, "borrowing")
    borrow(db, here, borrowing)
    (stage,) = repository.stages(other, named(other, "one"))
    add_trial(other, stage)

    with StudyLock(db, here.uuid), pytest.raises(BusyError, match="'mine' is being driven"):
        merged(other, db)
    found = merged(other, db)

    assert (found.renewed, found.n_equal, found.unequal) == (["mine"], 4, [])
    now = named(db, "mine")
    assert now.tags == ["kept"]
    assert len(repository.trial_rows(db, now)) == 5
    assert optunas(db)["mine/coarse"] == ("mine", 8)
    assert len(repository.openings(db, now)) == 1
    (source, key), (theirs, of_theirs) = (run_of(db, each) for each in (now, borrowing))
    assert (theirs.reused_from, of_theirs) == (source.id, key)
    # The other way round, there is nothing to do.
    make_optunas_tables(other)
    assert merge(db, other, {now.uuid: "one"}).kept == ["one"]


def run_of(db: Database, study: StudyRecord) -> tuple[RunRecord, str]:
    (stage,) = repository.stages(db, study)
    run = repository.load_plan(db, stage).runs[2]
    return run, run.recipe_key


def borrow(db: Database, lender: StudyRecord, study: StudyRecord) -> None:
    """Have a run of a study be one that was taken over."""
    source, run = run_of(db, lender)[0], run_of(db, study)[0]
    with db.write() as session:
        own = sa.update(table(Run)).where(Run.id == run.id)
        session.execute(own.values(reused_from=source.id, cohort_id=None, slot=None))


def add_trial(db: Database, stage: StageRecord) -> None:
    plan = repository.add_plan(
        db,
        stage,
        [NewTrial({"lambda": 0.5})],
    )
    trial = plan.trials[-1]
    plan = repository.add_plan(
        db,
        stage,
        [],
        [NewCohort([NewRun(trial.uuid, 7, "key-new")])],
    )
    run = plan.runs[-1]
    repository.store_segment(
        db,
        SegmentResult(
            cohort_uuid=plan.cohorts[-1].uuid,
            from_epoch=0,
            to_epoch=1,
            epochs=[],
            runs=[RunUpdate(run.id, "complete", 1, 10, 0.5, 1.0, 0.5, 1.0, 1, 0.1)],
            done=True,
        ),
    )


def change_a_result(db: Database, study: StudyRecord) -> None:
    (stage,) = repository.stages(db, study)
    run = repository.load_plan(db, stage).runs[1]
    with db.write() as session:
        own = sa.update(table(Run)).where(Run.id == run.id)
        session.execute(own.values(validation_loss=2.0000000001))


def test_unequal_results_are_reported(db: Database, other: Database) -> None:
    searched(db, "first")
    change_a_result(other, named(other, "one"))

    found = merged(other, db)

    assert (found.n_equal, found.n_once) == (3, 0)
    (run,) = found.unequal
    assert (run.there, run.here) == ("one coarse:1, replicate 0", "first coarse:1, replicate 0")
    assert run.fields == {"validation_loss": (2.0000000001, 2.0)}
    change_a_result(db, named(db, "one"))
    with db.write() as session:
        session.execute(sa.update(table(Run)).values(validation_loss=1.0))
    before = counted(db)
    refused = merged(other, db)
    assert (refused.refused, len(refused.unequal)) == (["one"], 4)
    assert counted(db) == before


def test_openings_of_a_study_that_was_deleted_come_back_to_it(
    db: Database, other: Database
) -> None:
    merged(other, db)
    tidying.purge(db, [named(db, "one").uuid])
    assert counted(db)["training_test_openings"] == 1

    merged(other, db)

    assert counted(db)["training_test_openings"] == 1
    assert len(repository.openings(db, named(db, "one"))) == 1


def test_what_this_program_does_not_write_is_refused(db: Database, other: Database) -> None:
    uuid = named(other, "one").uuid
    with other.write() as session:
        session.execute(sa.text("UPDATE training_stages SET name = 'a' || char(27)"))

    with pytest.raises(StorageError, match="did not write"):
        merged(other, db)

    assert repository.study_names(db) == []
    with pytest.raises(StorageError, match="no longer in"):
        merge(other, db, {uuid[::-1]: "x"})


@pytest.mark.parametrize("value", ["7.5", "'much'"])
def test_values_that_the_tables_do_not_take_are_refused_in_a_line(
    db: Database, other: Database, value: str
) -> None:
    with other.write() as session:
        session.execute(sa.text("PRAGMA ignore_check_constraints = 1"))
        session.execute(sa.text(f"UPDATE training_trials SET validation_accuracy = {value}"))

    with pytest.raises(StorageError, match="study 'one' has a row that this program did not write"):
        merged(other, db)

    assert repository.study_names(db) == []


def test_segments_are_stored_after_a_merge(db: Database, other: Database) -> None:
    """A study that is not finished carries on where it is now."""
    from .conftest import add_stage, add_study, plan_trials

    study = add_study(other, "two")
    stage = add_stage(other, study)
    repository.store_segment(other, segment(plan_trials(other, stage), 0, 2))
    make_optunas_tables(db)
    merge(other, db, {study.uuid: "two"})

    (stage,) = repository.stages(db, named(db, "two"))
    plan = repository.load_plan(db, stage)
    assert repository.state_to_carry_on(db, plan.cohorts[0]) == b"state"
    repository.store_segment(db, segment(plan, 2, 4, done=True))

    assert {run.epochs for run in repository.load_plan(db, stage).runs} == {4}


def test_many_studies_are_packed_with_the_statements_of_one(db: Database, tmp_path: Path) -> None:
    studies = [searched(db, name) for name in ("one", "two", "three")]
    # Of another study, and stored before the run that it was taken over from.
    with db.write() as session:
        first, *_, last = session.scalars(sa.select(Run.id).order_by(Run.id))
        session.execute(sa.update(Run).where(Run.id == first).values(reused_from=last))
    made = []

    def packed(some: list[StudyRecord]) -> int:
        target = tmp_path / f"{len(some)}.cfs"
        made.clear()
        pack(db, {study.uuid: f"a/{study.name}" for study in some}, target, replace=False)
        return len([each for each in made if "training_" in each or "tudies" in each])

    def hear(_connection, _cursor, statement, *_others) -> None:  # type: ignore[no-untyped-def]
        made.append(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", hear)
    try:
        assert packed(studies) == packed(studies[:1]) + 1  # the run that was taken over
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", hear)
    with open_database(str(tmp_path / "3.cfs"), read_only=True) as found:
        check_packed(found)
        assert counted(found) == counted(db) | {"training_measurements": 2}
        assert prints(found, named(found, "a/two")) == prints(db, named(db, "two"))
        assert optunas(found).keys() == {"a/one/coarse", "a/two/coarse", "a/three/coarse"}
        with found.session() as session:
            links = sa.select(Run.reused_from).where(Run.reused_from.is_not(None))
            assert list(session.scalars(links)) == [last]
