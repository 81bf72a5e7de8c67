"""One driver a study: a lock that dies with its process, and a line that names who holds it."""

import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import sqlalchemy as sa
from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy.orm import Session

from coarsefine.db.connections import sqlite_files
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.messages import explained
from coarsefine.db.connections.server_locks import ServerLock, is_free, locked_beside
from coarsefine.db.errors import BusyError, StorageError
from coarsefine.db.repository.common import now
from coarsefine.db.repository.studies import clear_driver, set_driver
from coarsefine.db.tables import Study

_TABLES_SECONDS: Final = 60.0
# How long a driver may take from having the lock to saying so in the study's row.
_NAMING_SECONDS: Final = 2.0


class StudyLock:
    """The right to drive a study; other studies of the same database go on side by side.

    The operating system holds the lock, or the server for a connection of its own; it is dropped
    when the process ends, however it ends. Host, process and time stand in the study's row to tell
    the next one who is there. On a server they are compared at each commit, too: a connection may
    be lost that its process did not miss, and another one drive by then.

    Raises:
        BusyError: On entering, if another process drives the study.
    """

    def __init__(self, database: Database, study_uuid: str) -> None:
        self._database = database
        self._study_uuid = study_uuid
        self._lock: _FileLock | ServerLock
        if database.path is not None:
            self._lock = _FileLock(file_lock(database.path, study_uuid))
        else:
            self._lock = ServerLock(database.engine, f"study {study_uuid}")
        self._me = (socket.gethostname(), os.getpid(), now())
        self._one_thread = threading.Lock()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, or say who has it; never waits."""
        with explained(self._database.label):
            taken = self._lock.acquire()
        if not taken:
            raise BusyError(self._refusal())
        try:
            self._check_not_trashed()
            host, pid, since = self._me = (socket.gethostname(), os.getpid(), now())
            set_driver(self._database, self._study_uuid, host=host, pid=pid, since=since)
        except BaseException:
            self._lock.release()
            raise
        if self._database.path is None:
            self._database.guards.append(self._check)

    def release(self) -> None:
        """Give the lock back; harmless if it is not held."""
        try:
            # A disk that is full must not keep the lock: the row is only a courtesy.
            with suppress(StorageError):
                if self._lock.taken:
                    clear_driver(self._database, self._study_uuid)
        finally:
            if self._check in self._database.guards:
                self._database.guards.remove(self._check)
            self._lock.release()

    def _check_not_trashed(self) -> None:
        """Refuse a study that was moved to the trash since its driver looked for it."""
        statement = sa.select(Study.trashed_name).where(
            Study.uuid == self._study_uuid, Study.trashed_at.is_not(None)
        )
        with self._database.session() as session:
            name = session.scalar(statement)
        if name is not None:
            raise StorageError(f"study {name!r} is in the trash; restore it first")

    def _check(self, session: Session) -> None:
        """Let nothing be written once another process drives the study.

        The row stays locked until the transaction ends: who takes over waits for it, and finds
        what was written.
        """
        row = session.execute(
            sa.select(Study.driver_host, Study.driver_pid, Study.driver_since)
            .where(Study.uuid == self._study_uuid)
            .with_for_update()
        ).one_or_none()
        if row is not None and row.driver_since is None:
            raise BusyError(
                f"study {self._study_uuid} was driven by another process while this one was cut off"
                " from the server; run the same command again"
            )
        if row is not None and tuple(row) != self._me:
            raise BusyError(f"{self._refusal()}; this process was cut off from the server before")
        with self._one_thread:
            # The server was started again, or the network away for a while. Nobody came meanwhile.
            if not self._lock.still_held() and not self._lock.acquire():
                raise StorageError(
                    f"the connection that held the lock of study {self._study_uuid} was lost, and"
                    " the server has not noticed yet; run the same command again in two minutes"
                )

    def _refusal(self) -> str:
        # Of several that start together, the one that has the lock says so in a moment.
        deadline = time.monotonic() + _NAMING_SECONDS
        while True:
            with self._database.session() as session:
                row = session.execute(
                    sa.select(
                        Study.name, Study.driver_host, Study.driver_pid, Study.driver_since
                    ).where(Study.uuid == self._study_uuid)
                ).one_or_none()
            if row is None:  # an entry of the queue
                return f"{self._study_uuid} is being worked at by another process; wait for it"
            if row.driver_since is not None:
                break
            if time.monotonic() > deadline:
                return f"study {row.name!r} is being driven by another process; wait for it"
            time.sleep(_NAMING_SECONDS / 40)
        since = row.driver_since.astimezone().isoformat(sep=" ", timespec="seconds")
        return (
            f"study {row.name!r} is being driven by process {row.driver_pid}"
            f" on {row.driver_host} since {since}; wait for it or stop it"
        )


def check_not_driven(database: Database, session: Session, names: Mapping[str, str]) -> None:
    """Refuse studies that are being driven, in a transaction that is about to change them.

    Who begins to drive one of them waits for the transaction before it writes anything.

    Args:
        database: Where they are.
        session: Of the transaction.
        names: By UUID.

    Raises:
        BusyError: Names the first that is driven.
    """
    for uuid, name in names.items():
        if database.path is None:
            free = is_free(session.connection(), f"study {uuid}")
        else:
            lock = _FileLock(file_lock(database.path, uuid))
            free = lock.acquire()
            lock.release()
        if not free:
            raise BusyError(
                f"study {name!r} is being driven by another process; wait for it or stop it"
            )


class _FileLock:
    """A lock on a file; taken at once or not at all."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    def acquire(self) -> bool:
        """Take the lock; return whether it could be had."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise StorageError(
                f"{self._lock.lock_file} cannot be locked: {error.strerror or error}"
            ) from error
        return True

    @property
    def taken(self) -> bool:
        """Return whether it is held."""
        return self._lock.is_locked

    def still_held(self) -> bool:
        """Return whether it is held: the operating system takes no lock away."""
        return self._lock.is_locked

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


def tables_lock(database: Database) -> AbstractContextManager[object]:
    """Return the lock for making Optuna's tables, which two processes cannot do at once."""
    if database.path is None:
        return locked_beside(database.engine, "tables")
    return file_lock(database.path, "tables", timeout=_TABLES_SECONDS)


def file_lock(path: Path, name: str, timeout: float = -1) -> BaseFileLock:
    """Return the lock ``name`` of a database file, which its group may take if it may write that.

    Args:
        path: The database.
        name: Of the lock.
        timeout: How many seconds to wait for it in a ``with`` block; -1 for ever.
    """
    place = lock_file(path, name)
    if sqlite_files.is_of_group(path):
        return FileLock(place, timeout=timeout, mode=0o660)
    return FileLock(place, timeout=timeout)


def lock_file(path: Path, name: str) -> Path:
    """Return where the lock ``name`` of a database file lies; its folder is there then.

    Lock files stay: removing one that another process has just opened would let two in.
    """
    folder = path.with_name(f".{path.name}.locks")
    try:
        folder.mkdir(exist_ok=True)
        if sqlite_files.is_of_group(path):
            with suppress(PermissionError):  # another user of the group made it, and did so
                sqlite_files.allow_group(folder, 0o070)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror or error}") from error
    return folder / f"{name}.lock"
