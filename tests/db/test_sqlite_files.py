"""The files of a database: opened by SQLite alone, by one engine a process, under one name."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.open_files import is_open
from coarsefine.db.errors import StorageError
from tests.db.conftest import add_study
from tests.opened import locks_of, opens_of

needs_locks = pytest.mark.skipif(
    not Path("/proc/self/fdinfo").exists(), reason="needs the list of a process's locks"
)
# The byte that every connection of a database with a write-ahead log has locked for reading.
SHARED = ("READ", "1073741826")


def names(db: Database) -> list[str]:
    return [study.name for study in repository.list_studies(db)]


@needs_locks
@pytest.mark.parametrize("read_only", [False, True])
def test_opening_it_again_leaves_its_locks_in_place(path: Path, read_only: bool) -> None:
    with open_database(str(path), create=True) as db, opens_of(path) as opened:
        add_study(db)
        before = locks_of(path)
        with open_database(str(path), read_only=read_only) as again:
            names(again)

        assert SHARED in before
        assert locks_of(path) == before
        assert opened == []


def test_another_process_leaves_the_log_in_place_that_is_in_use_here(path: Path) -> None:
    code = (
        "from coarsefine.db.connections.engine import open_database\n"
        f"open_database({str(path)!r}).close()"
    )
    with open_database(str(path), create=True) as db:
        open_database(str(path), read_only=True).close()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
        add_study(db)
        log = path.with_name("search.db-wal")

        assert log.stat().st_size > 0
        with open_database(str(path), read_only=True) as again:
            assert names(again) == ["digits/lambda"]
    assert not log.exists()


@pytest.mark.parametrize("second", ["search.db", "link.db", "there/../search.db"])
def test_all_handles_of_a_file_share_connections_until_the_last_is_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    monkeypatch.chdir(path.parent)
    Path("there").mkdir()
    first = open_database(str(path), create=True)
    Path("link.db").symlink_to("search.db")
    other = open_database(second)

    assert other.engine is first.engine
    assert other.path == first.path
    first.close()
    first.close()
    add_study(other)
    assert path.with_name("search.db-wal").exists()
    other.close()
    assert not path.with_name("search.db-wal").exists()


def test_a_file_in_the_place_of_an_open_one_is_another(path: Path) -> None:
    with open_database(str(path), create=True) as before:
        add_study(before)
        for each in path.parent.glob("search.db*"):
            each.rename(each.with_name(f"before-{each.name}"))
        with open_database(str(path), create=True) as after:
            assert after.engine is not before.engine
            assert names(after) == []


@pytest.mark.parametrize("reader_first", [True, False])
def test_a_reader_that_shares_a_writers_connections_still_cannot_write(
    path: Path, reader_first: bool
) -> None:
    open_database(str(path), create=True).close()
    order = [True, False] if reader_first else [False, True]
    handles = {read_only: open_database(str(path), read_only=read_only) for read_only in order}
    reader, writer = handles[True], handles[False]
    try:
        for turn in range(2):  # the same connections have been a writer's by the second time
            with pytest.raises(StorageError, match="readonly"), reader.session() as session:
                session.execute(sa.text("DELETE FROM training_studies"))
            add_study(writer, f"study-{turn}")
            assert len(names(reader)) == turn + 1
    finally:
        writer.close()
        reader.close()


def test_many_threads_read_while_one_writes(path: Path) -> None:
    failures: list[BaseException] = []
    n_threads, all_reading = 30, threading.Barrier(31)

    def read() -> None:
        try:
            with open_database(str(path), read_only=True) as db, db.session() as session:
                session.execute(sa.text("SELECT count(*) FROM training_studies"))
                all_reading.wait(60)
        except BaseException as error:
            failures.append(error)

    with open_database(str(path), create=True) as db:
        threads = [threading.Thread(target=read) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        all_reading.wait(60)
        add_study(db)
        for thread in threads:
            thread.join()
        assert names(db) == ["digits/lambda"]
    assert failures == []


@needs_locks
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_file_alone(path: Path) -> None:
    with open_database(str(path), create=True) as db:
        add_study(db)
        before = locks_of(path)
        child = os.fork()
        if child == 0:  # pragma: no cover  # in the child
            status = 1
            try:
                for use in (lambda: names(db), lambda: open_database(str(path), read_only=True)):
                    with pytest.raises(StorageError, match="was forked from"):
                        use()
                db.close()
                with open_database(str(path.with_name("own.db")), create=True) as own:
                    add_study(own)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert locks_of(path) == before
        add_study(db, "afterwards")
        assert len(names(db)) == 2


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_with_a_second_name_is_refused(path: Path, read_only: bool) -> None:
    with open_database(str(path), create=True) as db:
        add_study(db)
    before = path.read_bytes()
    other = path.with_name("other.db")
    other.hardlink_to(path)

    for name in (path, other):
        with pytest.raises(StorageError) as refusal:
            open_database(str(name), create=not read_only, read_only=read_only)
        assert str(refusal.value) == (
            f"{name} has 2 names (hard links), by which SQLite would damage it; remove the other"
            " names, or work on a copy"
        )
    assert path.read_bytes() == before
    other.unlink()
    with open_database(str(path)) as db:
        assert names(db) == ["digits/lambda"]


def test_two_drivers_through_a_hard_link_do_not_meet(path: Path) -> None:
    with open_database(str(path), create=True) as db:
        add_study(db)
        path.with_name("other.db").hardlink_to(path)
        with pytest.raises(StorageError, match="has 2 names"):
            open_database(str(path.with_name("other.db")))
        # What is open goes on: the link may be a backup's, for a moment.
        add_study(db, "another")
        assert len(names(db)) == 2


def test_what_a_database_consists_of_is_known_by_any_name(path: Path) -> None:
    with open_database(str(path), create=True) as db, open_database(str(path)):
        add_study(db)
        path.with_name("link.csv").symlink_to(path)
        path.with_name("log.csv").hardlink_to(path.with_name("search.db-wal"))
        path.with_name("mine.csv").write_text("a,b")

        assert is_open(path.with_name("link.csv"))
        assert is_open(path.with_name("log.csv"))
        assert not is_open(path.with_name("mine.csv"))
        assert not is_open(path.with_name("missing.csv"))
        db.close()
        assert is_open(path)
    assert not is_open(path)


# More than a minute of SQLite's own work.
ENDLESS = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2000000000) "
    "SELECT count(*) FROM c"
)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_signal_ends_a_long_statement(tmp_path, read_only):
    path = str(tmp_path / "a.db")
    open_database(path, create=True).close()
    with open_database(path, read_only=read_only) as database:
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        transaction = database.session if read_only else database.write
        timer.start()
        with pytest.raises(KeyboardInterrupt), transaction() as session:
            session.scalar(sa.text(ENDLESS))

        with database.session() as session:
            assert session.scalar(sa.text("SELECT 1")) == 1
