"""One driver a study; a dead one leaves no lock."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import StorageError

from .conftest import add_study

HOLDER = """
import sys
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.lock import StudyLock
database = open_database(sys.argv[1])
with StudyLock(database, repository.latest_study(database).uuid):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_is_refused_with_the_name_of_the_first(path: Path, db: Database) -> None:
    study = add_study(db)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(StorageError) as error:
        StudyLock(db, study.uuid).acquire()
    holder.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    holder.communicate()

    line = str(error.value)
    assert line.startswith(f"study 'digits/lambda' is being driven by process {holder.pid} on ")
    assert f"on {socket.gethostname()} since 2" in line
    assert line.endswith("; wait for it or stop it")
    with StudyLock(db, study.uuid):  # the dead one's row is still there, its lock is not
        found = repository.find_study(db, study.name)
        assert found is not None
        assert found.driver_pid == os.getpid()


def test_two_locks_in_one_process_exclude_each_other(db: Database) -> None:
    study = add_study(db)
    with StudyLock(db, study.uuid), pytest.raises(StorageError, match=f"process {os.getpid()}"):
        StudyLock(db, study.uuid).acquire()

    with StudyLock(db, study.uuid):
        pass


def test_different_studies_are_driven_side_by_side(db: Database) -> None:
    first, second = add_study(db, "first"), add_study(db, "second")

    with StudyLock(db, first.uuid), StudyLock(db, second.uuid):
        pass


def test_the_row_is_clear_after_release(db: Database) -> None:
    study = add_study(db)
    lock = StudyLock(db, study.uuid)
    with lock:
        pass
    lock.release()

    assert repository.find_study(db, study.name) == study


def test_a_lock_is_released_even_if_the_database_is_gone(path: Path, db: Database) -> None:
    study = add_study(db)
    with StudyLock(db, study.uuid):
        aside = path.rename(path.with_name("aside.db"))
    aside.rename(path)

    with open_database(str(path)) as again, StudyLock(again, study.uuid):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_outlives_the_driver_does_not_keep_the_lock(
    path: Path, db: Database
) -> None:
    study = add_study(db)
    code = (
        "import os, sys, time\n"
        "from coarsefine.db.connections.engine import open_database\n"
        "from coarsefine.db.connections.lock import StudyLock\n"
        "lock = StudyLock(open_database(sys.argv[1]), sys.argv[2])\n"
        "lock.acquire()\n"
        "if os.fork() == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "    time.sleep(600)\n"
        "os._exit(9)\n"
    )
    done = subprocess.Popen(
        [sys.executable, "-c", code, str(path), study.uuid], stdout=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    child = int(done.stdout.readline())
    done.wait()

    try:
        with StudyLock(db, study.uuid):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        done.stdout.close()
