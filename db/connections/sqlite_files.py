"""SQLite's files and connections: one engine a file in each process, shared by its threads.

``db.connections.open_files`` says why nothing but SQLite opens them.
"""

import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from coarsefine.db.connections.open_files import Identity, beside, identity, is_log, opened
from coarsefine.db.errors import StorageError

BUSY_SECONDS: Final = 60.0


class SharedFile:
    """An SQLite file that is open in this process, and its engine; the last user closes it."""

    def __init__(self, path: Path, key: Identity, mode: str) -> None:
        self.path = path
        self.identity = key
        self.mode = mode
        self.users: set[object] = set()
        self.engine = _engine(self)

    def is_there(self) -> bool:
        """Return whether the file still has its name."""
        return identity(self.path) == self.identity

    def release(self, user: object) -> None:
        """Let a user go; the last one closes all connections. Harmless if it has gone before."""
        with _process.lock:
            if user not in self.users:
                return
            self.users.remove(user)
            if self.users:
                return
            if _process.files.get(self.identity) is self:
                del _process.files[self.identity]
            self.engine.dispose()
            opened[self.path] -= 1
            if not opened[self.path]:
                del opened[self.path]


class _Process:
    """The files that are open in this process, and those that were in the one it was forked from.

    SQLite counts the locks of a process in its memory. A forked child inherits the count and none
    of the locks: whatever it does with these files it does without a lock.
    """

    def __init__(self) -> None:
        self.files: dict[Identity, SharedFile] = {}
        self.lock = threading.Lock()
        self.inherited: set[Identity] = set()
        self._of_parent: list[sa.Pool] = []

    def forked(self) -> None:
        """Have a forked child leave the files alone that its parent has open."""
        self.lock = threading.Lock()
        self.inherited.update(self.files)
        for shared in self.files.values():
            # Kept and never closed here, which would be the child's doing on its parent's files.
            self._of_parent.append(shared.engine.pool)
            shared.engine.dispose(close=False)
        self.files = {}
        opened.clear()

    def check(self, path: Path) -> None:
        """Refuse a file that SQLite cannot open here without harm to what is open.

        Raises:
            StorageError: With what to do.
        """
        if is_log(path):
            raise StorageError(f"{path} is the log of a database that is open; name the database")
        if self.inherited and identity(path) in self.inherited:
            raise StorageError(
                f"{path} was open in the process that this one was forked from, and SQLite cannot "
                "go on with it here; start processes with 'spawn', or fork before opening it"
            )


_process: Final = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forked)


def share(path: Path, user: object, *, writing: bool) -> SharedFile:
    """Return the file at ``path``, which is there, for a user who calls ``release`` in the end.

    Whoever opens the same file meanwhile, by whatever path, gets the same engine.

    Args:
        path: Absolute, without links.
        user: Whom to remember.
        writing: Whether the user is going to write.
    """
    key = identity(path)
    if key is None:
        raise sqlite3.OperationalError("unable to open database file")
    with _process.lock:
        shared = _process.files.get(key)
        # The number of a file that was deleted may be another's by now.
        if shared is None or not shared.is_there():
            shared = _process.files[key] = SharedFile(path, key, reading_mode(path))
            opened[path] += 1
        if writing and shared.mode != _WRITABLE:
            shared.mode = _WRITABLE
            shared.engine.dispose()  # of connections that cannot write
        shared.users.add(user)
    return shared


def make(path: Path) -> None:
    """Have an empty database where there is no file."""
    sqlite3.connect(_uri(path, "mode=rwc"), uri=True, timeout=BUSY_SECONDS).close()


def give_to_group(path: Path) -> None:
    """Let the group of a file write it: SQLite makes the log and its index with the same rights.

    Raises:
        StorageError: If that needs another folder, or another user.
    """
    folder = path.parent.stat()
    if folder.st_mode & _OF_FOLDER != _OF_FOLDER:
        raise StorageError(
            f"the folder of a database that a group shares must be the group's, too; run: chmod "
            f"g+rwxs {path.parent}"
        )
    try:
        allow_group(path, 0o060)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be made writable for its group: {error.strerror}; its owner can"
        ) from error


_OF_FOLDER: Final = stat.S_ISGID | stat.S_IRWXG


def is_of_group(path: Path) -> bool:
    """Return whether the group of a file may write it."""
    return bool(path.stat().st_mode & stat.S_IWGRP)


def allow_group(path: Path, rights: int) -> None:
    """Give rights to the group of a file or folder, if it has not got them."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & rights != rights:
        path.chmod(mode | rights)


def connect(
    path: Path, *, read_only: bool = False, isolation_level: Literal["IMMEDIATE"] | None = None
) -> sqlite3.Connection:
    """Return a connection of one's own with this project's settings.

    Args:
        path: The file, which is there.
        read_only: Refuse to change anything.
        isolation_level: ``None`` leaves transactions to the caller; ``"IMMEDIATE"`` lets Python
            open them, with the write lock, before the first change.
    """
    mode = reading_mode(path) if read_only else _WRITABLE
    connection = _connected(path, mode, isolation_level=isolation_level)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def inspect(path: Path) -> sqlite3.Connection:
    """Return a connection that neither folds in nor leaves a write-ahead log.

    Another program's file stays as it is.
    """
    _process.check(path)
    mode = "mode=ro" if beside(path, "-wal").exists() else reading_mode(path)
    connection = sqlite3.connect(_uri(path, mode), uri=True, timeout=BUSY_SECONDS)
    hear_signals(connection)
    connection.execute("PRAGMA query_only = ON")
    return connection


def hear_signals(connection: sqlite3.Connection) -> None:
    """Let Ctrl-C end a long statement: Python runs no handler of a signal while SQLite works.

    SQLite calls Python again and again. What a handler raises then reaches SQLite, which gives up
    the statement, and is lost there: ``db.connections.messages`` makes a ``KeyboardInterrupt`` of
    that again.
    """
    connection.set_progress_handler(lambda: None, _STEPS)


# Of SQLite's machine between two calls: some milliseconds.
_STEPS: Final = 100_000


def damage(connection: sqlite3.Connection, most: int) -> list[str]:
    """Return what SQLite finds wrong with a file's pages, so many lines at the most.

    Args:
        connection: That any thread may use: SQLite before 3.41 calls nobody while it looks, so that
            a thread has to wait for it for signals to be heard.
        most: The lines.
    """
    # Loaded where it is needed: a ranking does without.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(
            lambda: connection.execute(f"PRAGMA integrity_check({most:d})").fetchall()
        )
        try:
            return [str(line) for (line,) in looking.result() if line != "ok"]
        except KeyboardInterrupt:
            connection.interrupt()
            raise


_WRITABLE: Final = "mode=rw"


def reading_mode(path: Path) -> str:
    """Return how to open ``path`` so that reading leaves nothing behind.

    A reader that may write cleans up after itself: the last to leave folds the write-ahead log in
    and removes it; ``mode=ro`` would leave it and an index file. ``query_only`` forbids changes.
    Where the folder is read-only nothing can be left and, without a log, nobody writes.
    """
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return _WRITABLE
    return "mode=ro" if beside(path, "-wal").exists() else "mode=ro&immutable=1"


def use_write_ahead_log(engine: Engine) -> None:
    """Switch a file to a write-ahead log, if it has none yet."""
    # The switch needs the file for itself for a moment and does not wait for it by itself. Some
    # network disks cannot do it at all: slower, but correct.
    deadline = time.monotonic() + 5
    with closing(engine.raw_connection()) as connection:
        _set_query_only(connection.info, connection.cursor(), wanted=False)
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _engine(shared: SharedFile) -> Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(shared.path)),
        creator=lambda: _connected(shared.path, shared.mode),
        # A file has room for all of its readers: none waits for those of the dashboard.
        max_overflow=-1,
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        immediate = options.get("immediate", False)
        cursor = connection.connection.cursor()
        try:
            _set_query_only(
                connection.info, cursor, wanted=options.get("query_only", False) and not immediate
            )
        finally:
            cursor.close()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _set_query_only(info: dict[Any, Any], cursor: Any, *, wanted: bool) -> None:
    """Have a connection of the pool refuse changes, or not: its last user may have been another."""
    if info.get("query_only", False) != wanted:
        cursor.execute(f"PRAGMA query_only = {'ON' if wanted else 'OFF'}")
        info["query_only"] = wanted


def _connected(
    path: Path, mode: str, *, isolation_level: Literal["IMMEDIATE"] | None = None
) -> sqlite3.Connection:
    _process.check(path)
    connection = sqlite3.connect(
        _uri(path, mode),
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=isolation_level,
        # SQLAlchemy's pool hands a connection to one thread at a time.
        check_same_thread=False,
    )
    hear_signals(connection)
    try:
        # SQLite leaves foreign keys unchecked unless each connection asks.
        connection.execute("PRAGMA foreign_keys = ON")
        # Safe against the death of a process in WAL mode, and far fewer waits for the disk.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path, query: str) -> str:
    return f"{path.absolute().as_uri()}?{query}"
