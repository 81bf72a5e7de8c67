"""One driver a study: a lock that dies with its process, and a line that names who holds it."""

import hashlib
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import sqlalchemy as sa
from filelock import FileLock, Timeout

from db.engine import Database
from db.errors import BusyError, StorageError
from db.repository.common import now
from db.repository.studies import clear_driver, set_driver
from db.tables import Study

_TABLES_SECONDS: Final = 60.0


class StudyLock:
    """The right to drive a study; other studies of the same database go on side by side.

    The operating system holds the lock and drops it when the process ends, however it ends. Host,
    process and time stand in the study's row only to tell the next one who is there.

    Raises:
        BusyError: On entering, if another process drives the study.
    """

    def __init__(self, database: Database, study_uuid: str) -> None:
        self._database = database
        self._study_uuid = study_uuid
        self._lock = FileLock(lock_file(database, study_uuid))

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
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise BusyError(self._refusal()) from error
        except OSError as error:
            raise StorageError(
                f"{self._lock.lock_file} cannot be locked: {error.strerror or error}"
            ) from error
        try:
            set_driver(
                self._database,
                self._study_uuid,
                host=socket.gethostname(),
                pid=os.getpid(),
                since=now(),
            )
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Give the lock back; harmless if it is not held."""
        if not self._lock.is_locked:
            return
        try:
            # A disk that is full must not keep the lock: the row is only a courtesy.
            with suppress(StorageError):
                clear_driver(self._database, self._study_uuid)
        finally:
            self._lock.release()

    def _refusal(self) -> str:
        with self._database.session() as session:
            row = session.execute(
                sa.select(
                    Study.name, Study.driver_host, Study.driver_pid, Study.driver_since
                ).where(Study.uuid == self._study_uuid)
            ).one_or_none()
        if row is None or row.driver_since is None:  # it is just starting, or just ending
            return f"study {self._study_uuid} is being driven by another process; wait for it"
        since = row.driver_since.astimezone().isoformat(sep=" ", timespec="seconds")
        return (
            f"study {row.name!r} is being driven by process {row.driver_pid}"
            f" on {row.driver_host} since {since}; wait for it or stop it"
        )


def tables_lock(database: Database) -> FileLock:
    """Return the lock for making Optuna's tables, which two processes cannot do at once."""
    return FileLock(lock_file(database, "tables"), timeout=_TABLES_SECONDS)


def lock_file(database: Database, name: str) -> Path:
    """Return where the lock ``name`` of a database lies; its folder is there then.

    Lock files stay: removing one that another process has just opened would let two in.
    """
    if database.path is not None:
        folder = database.path.with_name(f".{database.path.name}.locks")
    else:
        digest = hashlib.sha256(database.url.encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"coarsefine-{digest}.locks"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror or error}") from error
    return folder / f"{name}.lock"
