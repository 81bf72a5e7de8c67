"""Studies renamed, copied, deleted and taken back: on both sides, ours and Optuna's."""

from typing import Any

import pytest
import sqlalchemy as sa

from coarsefine.db import repository, tidying
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import BusyError, NameTakenError, StorageError
from coarsefine.db.final_records import NewTestOpening, NewTestRun
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.optuna.trials import OptunaTrial, Range
from coarsefine.db.records import StudyRecord
from coarsefine.db.study_rows import KINDS, compared_columns, digest, walk
from coarsefine.db.tables import Study

from .conftest import Planned, add_stage, add_study, plan_trials
from .test_repository import segment

LAMBDA = Range(1e-5, 1e-1, log=True)


def searched(db: Database, name: str) -> StudyRecord:
    """A study with a stage that was trained, told to Optuna and tested."""
    study = add_study(db, name)
    stage = add_stage(db, study)
    plan = plan_trials(db, stage)
    repository.store_segment(db, segment(plan, 0, 2, done=True))
    attributes = {"uuid": stage.uuid, "study": name}
    with OptunaStage.open(db, f"{name}/coarse", attributes) as optuna:
        numbers = optuna.start(
            [OptunaTrial(t.uuid, t.params, {"lambda": LAMBDA}) for t in plan.trials]
        )
        for number in numbers.values():
            optuna.finish(number, "complete", 0.5, curve={1: 0.25, 2: 0.5})
    opening = NewTestOpening("f" * 64, "none", {}, 10, stage=None)
    repository.record_opening(db, study, opening, [NewTestRun(1, "coarse", {"lambda": 1e-5})])
    return study


def optunas(db: Database) -> dict[str, Any]:
    """Return what Optuna has: trials of each study, and what it says the study is called."""
    with db.session() as session:
        rows = session.execute(
            sa.text(
                "SELECT s.study_name, a.value_json, (SELECT count(*) FROM trials t"
                " JOIN trial_intermediate_values v ON v.trial_id = t.trial_id"
                " WHERE t.study_id = s.study_id) FROM studies s"
                " JOIN study_user_attributes a ON a.study_id = s.study_id AND a.key = 'study'"
            )
        )
        return {name: (study.strip('"'), n_points) for name, study, n_points in rows}


def counted(db: Database) -> dict[str, int]:
    with db.session() as session:
        return {
            name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in Study.metadata.tables.items()
        }


def named(db: Database, name: str) -> StudyRecord:
    found = repository.find_study(db, name)
    assert found is not None
    return found


def test_studies_that_exchange_their_names_do_so_in_optuna_too(db: Database) -> None:
    one, two = searched(db, "one"), searched(db, "two")
    before = optunas(db)

    tidying.rename(db, {one.uuid: "two", two.uuid: "one"})

    assert named(db, "one").uuid == two.uuid
    assert [s.optuna_name for s in repository.stages(db, one)] == ["two/coarse"]
    assert optunas(db) == before == {"one/coarse": ("one", 8), "two/coarse": ("two", 8)}
    with pytest.raises(NameTakenError, match="'one' is in"):
        tidying.rename(db, {one.uuid: "one"})


def test_a_name_that_is_anothers_in_optuna_changes_nothing(db: Database) -> None:
    study = searched(db, "one")
    OptunaStage.open(db, "two/coarse", {"uuid": "not ours", "study": ""}).close()

    with pytest.raises(StorageError, match="that this program did not make"):
        tidying.rename(db, {study.uuid: "two"})

    assert named(db, "one") == repository.find_study(db, "one")
    assert set(optunas(db)) == {"one/coarse", "two/coarse"}


def test_the_trash_is_seen_by_nobody_and_gives_everything_back(db: Database) -> None:
    one, two = searched(db, "one"), searched(db, "two")
    repository.set_driver(db, one.uuid, host="gone", pid=1, since=one.created_at)
    rows, optuna = counted(db), optunas(db)

    tidying.trash(db, [one.uuid])

    assert repository.study_names(db) == ["two"]
    assert repository.find_study(db, "one") is None
    assert repository.latest_study(db) == named(db, "two")
    (trashed,) = repository.list_studies(db, trashed=True)
    assert (trashed.name, trashed.uuid) == ("one", one.uuid)
    assert optunas(db) == {
        f"trash/{one.uuid}/coarse": ("one", 8),
        "two/coarse": ("two", 8),
    }
    assert repository.openings_elsewhere(db, two) == [("one (in the trash)", 1)]
    with pytest.raises(StorageError, match="'one' is in the trash"):
        StudyLock(db, one.uuid).acquire()
    again = add_study(db, "one")
    with pytest.raises(NameTakenError, match="'one' is in"):
        tidying.restore(db, [one.uuid])
    tidying.rename(db, {again.uuid: "other"})
    tidying.restore(db, [one.uuid])
    tidying.purge(db, [again.uuid])
    assert (counted(db), optunas(db)) == (rows, optuna)
    assert named(db, "one").trashed_at is None


def test_what_is_purged_leaves_the_record_of_the_test_set(db: Database) -> None:
    one, two = searched(db, "one"), searched(db, "two")
    tidying.trash(db, [one.uuid])

    tidying.purge(db, [one.uuid])

    assert repository.list_studies(db, trashed=True) == []
    assert optunas(db) == {"two/coarse": ("two", 8)}
    assert counted(db)["training_test_openings"] == 2
    assert counted(db)["training_runs"] == counted(db)["training_trials"] == 4
    assert repository.openings_elsewhere(db, two) == [("one (deleted)", 1)]
    tidying.give_back(db)
    assert named(db, "two").uuid == two.uuid


def test_all_tables_of_studies_are_copied() -> None:
    of_no_study = {"training_queue", "training_measurements"}

    assert {kind.name for kind in KINDS} == Study.metadata.tables.keys() - of_no_study


def test_a_copy_has_all_rows_and_shares_none(db: Database) -> None:
    study = searched(db, "one")
    before = counted(db)

    tidying.copy(db, {study.uuid: "two"})

    copied = named(db, "two")
    of_studies = {kind.name for kind in KINDS}
    assert counted(db) == {name: n * 2 if name in of_studies else n for name, n in before.items()}
    assert optunas(db) == {"one/coarse": ("one", 8), "two/coarse": ("two", 8)}
    with db.session() as session:
        uuids = [
            {row["uuid"] for kind, rows in walk(session, each.id) for row in rows if "uuid" in row}
            for each in (study, copied)
        ]
        digests = {digest(session, each.id, compared_columns()) for each in (study, copied)}
    assert len(uuids[0]) == len(uuids[1]) == 8
    assert not uuids[0] & uuids[1]
    assert len(digests) == 2  # other UUIDs
    # One opening, however many studies it is shown for.
    assert repository.openings_elsewhere(db, study) == []
    (stage,) = repository.stages(db, copied)
    plan = repository.load_plan(db, stage)
    stored = repository.load_checkpoint(db, plan.cohorts[0].uuid)
    assert stored == (2, b"state")
    with OptunaStage.open(db, "two/coarse", {"uuid": stage.uuid}, begun=True) as optuna:
        assert optuna.known() == {trial.uuid for trial in plan.trials}
    with pytest.raises(NameTakenError, match="'two' is in"):
        tidying.copy(db, {study.uuid: "two"})


def test_a_study_that_is_driven_stays_as_it_is(planned: Planned) -> None:
    db, uuid = planned.db, planned.study.uuid
    with StudyLock(db, uuid):
        for change in (
            lambda: tidying.trash(db, [uuid]),
            lambda: tidying.rename(db, {uuid: "other"}),
            lambda: tidying.purge(db, [uuid]),
        ):
            with pytest.raises(BusyError, match="'digits/lambda' is being driven"):
                change()

    assert repository.study_names(db) == ["digits/lambda"]
    tidying.trash(db, [uuid])  # and nobody has a lock of it


def test_tags_and_notes_are_kept(planned: Planned) -> None:
    tidying.label(planned.db, {planned.study.uuid: {"tags": ["a", "λ"], "note": "x\ny"}})

    (summary,) = repository.list_studies(planned.db)
    assert (summary.tags, summary.note) == (("a", "λ"), "x\ny")
