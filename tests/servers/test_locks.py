"""One driver a study, whichever machine it runs on: the server holds the lock."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import BusyError, StorageError
from tests.db.conftest import Planned, add_study
from tests.db.test_lock import HOLDER
from tests.db.test_repository import segment


@pytest.fixture
def other(db: Database) -> Generator[Database]:
    """The same database, opened by another."""
    with open_database(db.url) as database:
        yield database


def locked_in_the_end(lock: StudyLock) -> None:
    """Take a lock: a server needs a moment to notice that a process has died."""
    deadline = time.monotonic() + 60
    while True:
        try:
            lock.acquire()
            return
        except BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_second_driver_is_refused_with_the_name_of_the_first(db: Database) -> None:
    study = add_study(db)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, db.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(BusyError) as error:
        StudyLock(db, study.uuid).acquire()
    holder.kill()
    holder.communicate()

    line = str(error.value)
    assert line.startswith(f"study 'digits/lambda' is being driven by process {holder.pid} on ")
    assert f"on {socket.gethostname()} since 2" in line
    assert line.endswith("; wait for it or stop it")
    lock = StudyLock(db, study.uuid)
    locked_in_the_end(lock)  # the dead one's row is still there, its lock is not
    found = repository.find_study(db, study.name)
    assert found is not None
    assert found.driver_pid == os.getpid()
    lock.release()
    assert repository.find_study(db, study.name) == study


def test_two_locks_in_one_process_exclude_each_other(db: Database, other: Database) -> None:
    first, second = add_study(db, "first"), add_study(db, "second")
    for second_opening in (db, other):
        with (
            StudyLock(db, first.uuid),
            StudyLock(second_opening, second.uuid),
            pytest.raises(BusyError, match=f"process {os.getpid()}"),
        ):
            StudyLock(second_opening, first.uuid).acquire()

    with StudyLock(other, first.uuid):
        pass


def test_a_lock_given_back_can_be_had_at_once(db: Database) -> None:
    study = add_study(db)
    for _ in range(20):
        with StudyLock(db, study.uuid):
            pass


def test_who_was_cut_off_for_a_while_goes_on(
    planned: Planned, disconnect: Callable[[], None], other: Database
) -> None:
    with StudyLock(planned.db, planned.study.uuid):
        disconnect()

        assert repository.store_segment(planned.db, segment(planned.plan, 0, 1))
        with pytest.raises(BusyError):
            StudyLock(other, planned.study.uuid).acquire()


def test_who_was_cut_off_writes_nothing_once_another_drives(
    planned: Planned, disconnect: Callable[[], None], other: Database
) -> None:
    first, second = (StudyLock(opening, planned.study.uuid) for opening in (planned.db, other))
    first.acquire()
    disconnect()
    second.acquire()
    driven = repository.find_study(other, planned.study.name)

    with pytest.raises(BusyError, match=r"is being driven by .*; this process was cut off"):
        repository.store_segment(planned.db, segment(planned.plan, 0, 1))
    first.release()

    assert repository.find_study(other, planned.study.name) == driven  # still the second's
    assert repository.epoch_rows(other, study=planned.study) == []
    assert repository.store_segment(other, segment(planned.plan, 0, 1))
    second.release()
    assert repository.find_study(other, planned.study.name).driver_pid is None
    assert repository.store_segment(planned.db, segment(planned.plan, 1, 2))


def test_who_was_cut_off_while_another_drove_stops(
    planned: Planned, disconnect: Callable[[], None], other: Database
) -> None:
    with StudyLock(planned.db, planned.study.uuid):
        disconnect()
        with StudyLock(other, planned.study.uuid):
            pass

        with pytest.raises(BusyError, match="was driven by another process while this one was cut"):
            repository.store_segment(planned.db, segment(planned.plan, 0, 1))


def test_who_cannot_have_the_lock_back_stops(
    planned: Planned, disconnect: Callable[[], None], other: Database
) -> None:
    first, second = (StudyLock(opening, planned.study.uuid) for opening in (planned.db, other))
    first.acquire()
    disconnect()
    second._lock.acquire()  # as another one does just before it writes its name

    with pytest.raises(StorageError, match=r"was lost.*run the same command again"):
        repository.store_segment(planned.db, segment(planned.plan, 0, 1))

    second._lock.release()
    first.release()
    assert repository.store_segment(planned.db, segment(planned.plan, 0, 1))
