"""A database of an older version is copied, then migrated in one transaction, or not touched."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from coarsefine.db import repository, schema
from coarsefine.db.connections.engine import open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.final_records import NewTestEnsemble, NewTestOpening, NewTestRun
from coarsefine.db.records import EpochRecord, RunUpdate, SegmentResult

from .conftest import plan_trials
from .older import OLDER, put_older
from .test_migrations import differences

COPY = "search.db.schema-0001.bak"

of_every_revision = pytest.mark.parametrize("older", OLDER, indirect=True)


@pytest.fixture
def older(path, request):
    return put_older(path, getattr(request, "param", "0001"))


def revision(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(schema.SELECT_REVISION).fetchone()[0]


def content(path):
    """Return all rows, whatever pages they lie on."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@of_every_revision
def test_it_is_brought_up_to_date_and_said_so_in_one_line(older):
    lines, before = [], revision(older)

    open_database(str(older), said=lines.append).close()

    assert differences(older) == []
    wanted = f"note: {older} was brought up to date (schema {before} to {schema.HEAD}); "
    assert lines == [f"{wanted}what it was is kept as search.db.schema-{before}.bak"]


def test_nothing_is_said_or_copied_where_nothing_is_to_be_done(path):
    lines = []

    open_database(str(path), create=True, said=lines.append).close()
    open_database(str(path), said=lines.append).close()

    assert lines == []
    assert names(path.parent) == [path.name]


@of_every_revision
def test_the_copy_is_what_was_there(older):
    before, copy = content(older), f"search.db.schema-{revision(older)}.bak"

    open_database(str(older)).close()

    assert names(older.parent) == [older.name, copy]
    assert content(older.with_name(copy)) == before


def test_what_is_still_in_the_write_ahead_log_is_in_the_copy(older):
    with closing(sqlite3.connect(older)) as writer:
        writer.execute("UPDATE training_studies SET name = 'renamed' WHERE name = 'half'")
        writer.commit()
        assert older.with_name("search.db-wal").stat().st_size > 0
        open_database(str(older)).close()

    assert "'renamed'" in "".join(content(older.with_name(COPY)))


def test_a_copy_that_is_there_is_not_written_over(older):
    older.with_name(COPY).write_text("precious")
    older.with_name(f"{COPY}.2").write_text("as well")

    open_database(str(older)).close()

    assert older.with_name(COPY).read_text() == "precious"
    assert older.with_name(f"{COPY}.2").read_text() == "as well"
    assert revision(older.with_name(f"{COPY}.3")) == "0001"


def test_rows_of_older_tables_have_nothing_in_the_new_columns(older):
    with open_database(str(older)) as database:
        study = repository.find_study(database, "digits/lambda")
        curve = repository.epoch_rows(database, study=study)
        runs = repository.run_rows(database, study)

    assert len(curve) == 90
    assert {(row.running_accuracy, row.running_loss) for row in curve} == {(None, None)}
    assert {run.failure for run in runs} == {None}


def test_the_new_columns_are_kept(planned):
    run = planned.plan.runs[0]
    row = EpochRecord(run.id, 0, 0, running_accuracy=0.5, running_loss=1.25)
    segment = SegmentResult(
        planned.plan.cohorts[0].uuid,
        from_epoch=0,
        to_epoch=1,
        epochs=[row],
        runs=[RunUpdate(run.id, "failed", 1, 2, failure="the plug-in raised KeyError: 'x'")],
    )

    repository.store_segment(planned.db, segment)

    assert repository.epoch_rows(planned.db, run_ids=[run.id]) == [row]
    assert repository.run_rows(planned.db, planned.study)[0].failure == segment.runs[0].failure


def test_reading_it_changes_nothing_and_says_what_to_do(older):
    before = older.read_bytes()

    with pytest.raises(StorageError, match=r"older version .*schema 0001.*run the search or"):
        open_database(str(older), read_only=True)

    assert older.read_bytes() == before
    assert names(older.parent) == [older.name]


def test_without_a_copy_nothing_is_changed(older):
    before = content(older)
    in_the_way = older.with_name(f"{COPY}.part")
    in_the_way.mkdir()

    with pytest.raises(StorageError, match="a copy of it could not be kept") as error:
        open_database(str(older))

    assert "\n" not in str(error.value)
    assert content(older) == before
    in_the_way.rmdir()
    open_database(str(older)).close()
    assert revision(older) == schema.HEAD


KILLED_AT = """
import os, signal, sys
import sqlalchemy as sa
import coarsefine.db.backup as backup
import coarsefine.db.schema as schema
from coarsefine.db.connections.engine import open_database

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

place, path = sys.argv[1:]
if place == "copying":
    backup.closing = die
elif place == "copied":
    backup.sync_folder = die
elif place == "migrated":
    schema._check_foreign_keys = die
else:
    n = int(place)
    @sa.event.listens_for(sa.engine.Engine, "before_cursor_execute")
    def count(*_):
        global n
        n -= 1
        if n == 0:
            die()
open_database(path)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("place", ["copying", "copied", "migrated", "5", "9"])
def test_killed_in_between_it_is_as_it_was_and_the_next_start_migrates(older, place):
    before = content(older)

    done = subprocess.run([sys.executable, "-c", KILLED_AT, place, str(older)], check=False)

    assert done.returncode == -signal.SIGKILL
    assert content(older) == before
    open_database(str(older)).close()
    assert revision(older) == schema.HEAD
    copies = [name for name in names(older.parent) if ".bak" in name]
    assert copies
    assert all(content(older.with_name(name)) == before for name in copies)


def test_several_processes_migrate_it_once(older):
    code = (
        "import sys; from coarsefine.db.connections.engine import open_database;"
        " open_database(sys.argv[1]).close()"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(older)]) for _ in range(4)]

    assert [process.wait() for process in started] == [0] * 4

    assert revision(older) == schema.HEAD
    assert names(older.parent) == [older.name, COPY]


def test_a_newer_database_is_refused_and_left_as_it_is(older):
    open_database(str(older)).close()
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '0042'")
    before = older.read_bytes()

    for read_only in (True, False):
        with pytest.raises(StorageError, match=r"newer version .*schema 0042.*upgrade with pip"):
            open_database(str(older), read_only=read_only)

    assert older.read_bytes() == before


def test_measures_of_while_it_trained_are_still_there(path):
    with open_database(str(put_older(path, "0002"))) as database:
        curve = repository.epoch_rows(database, study=repository.find_study(database, "half"))

    assert len(curve) == 3 * (1 + 5)
    assert all((row.running_loss is None) == (row.epoch == 0) for row in curve)


@of_every_revision
def test_its_queue_is_empty_and_can_be_waited_in(older):
    with open_database(str(older)) as database:
        assert repository.queue(database) == []
        repository.add_entry(database, name="a", content="", options={}, submitted_by="me")

        assert [entry.id for entry in repository.queue(database)] == [1]


@of_every_revision
def test_its_runs_have_no_outcomes_and_new_ones_can_have(older):
    with open_database(str(older)) as database:
        study = repository.find_study(database, "half")
        runs = repository.run_rows(database, study)
        ids = [run.id for run in runs]
        assert repository.run_outcomes(database, ids) == {}
        cohort = next(
            cohort
            for stage in repository.stages(database, study)
            for cohort in repository.load_plan(database, stage).cohorts
            if cohort.id == runs[0].cohort_id
        )

        repository.store_segment(
            database,
            SegmentResult(
                cohort.uuid, cohort.epochs_done, 16, outcomes={ids[0]: b"packed"}, done=True
            ),
        )

        assert repository.run_outcomes(database, ids) == {ids[0]: b"packed"}


@of_every_revision
def test_it_can_be_written_to_afterwards(older):
    with open_database(str(older)) as database:
        study = repository.find_study(database, "half")
        stage = repository.stages(database, study)[0]
        plan_trials(database, stage, 2)

        assert len(repository.load_plan(database, stage).trials) == 3 + 2


def test_final_tests_of_one_seed_keep_their_outcomes_and_later_ones_may_have_several(path):
    with open_database(str(put_older(path, "0004"))) as database:
        study = repository.find_study(database, "digits/lambda")
        _, tested = repository.openings(database, study)
        assert [(run.rank, run.replicate, len(run.seeds)) for run in tested.runs] == [
            (1, 0, 1),
            (2, 0, 1),
        ]
        assert len(repository.test_outcomes(database, [run.id for run in tested.runs])) == 2
        opening = NewTestOpening("f", "none", {}, n_test=4)

        added = repository.add_test_runs(
            database,
            repository.record_opening(database, study, opening),
            [
                NewTestRun(1, "coarse", {}, test_accuracy=a, replicate=r, outcomes=b"packed")
                for r, a in enumerate((0.5, 0.75))
            ],
            [NewTestEnsemble("vote", [], 2, 0.75, None, [[1]], b"packed")],
        )

        (together,) = added.runs
        assert together.test_accuracy == 0.625
        assert [run.test_accuracy for run in together.seeds] == [0.5, 0.75]
        assert [each.method for each in added.ensembles] == ["vote"]
        assert repository.openings(database, study)[-1] == added
