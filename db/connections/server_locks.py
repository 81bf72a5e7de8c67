"""Locks that a server holds for a connection, and drops when that ends, however it ends."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from coarsefine.db.errors import StorageError

WRITING: Final = "writing"
"""The lock of those who must not write at the same time; also of migrations."""

WAIT_SECONDS: Final = 60


@contextmanager
def locked(connection: Connection, name: str) -> Generator[None]:
    """Have the lock ``name`` of the database while the block runs; waits for it a minute.

    The connection is in no transaction before, at the start of the block, and after.

    Raises:
        StorageError: If another has it all that time.
    """
    if connection.dialect.name == "postgresql":  # waits for as long as the session's lock_timeout
        connection.execute(sa.select(sa.func.pg_advisory_lock(_number(name))))
    elif not connection.scalar(sa.select(sa.func.get_lock(_name(connection, name), WAIT_SECONDS))):
        raise StorageError(
            f"another program keeps the database busy since {WAIT_SECONDS} seconds;"
            " close that and run the same command again"
        )
    connection.commit()
    try:
        yield
    finally:
        # Where the connection is gone, so is the lock.
        with suppress(SQLAlchemyError):
            connection.rollback()
            connection.execute(_unlock(connection, name))
            connection.commit()


@contextmanager
def locked_beside(engine: Engine, name: str) -> Generator[None]:
    """Have the lock ``name`` while the block runs, on a connection of its own."""
    with engine.connect() as connection, locked(connection, name):
        yield


def is_free(connection: Connection, name: str) -> bool:
    """Return whether nobody else has the lock ``name`` at this moment."""
    free = bool(connection.scalar(_try(connection, name)))
    if free:
        connection.execute(_unlock(connection, name))
    return free


class ServerLock:
    """A lock that lives as long as a connection of its own; taken at once or not at all."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock; return whether it could be had."""
        self.release()
        connection = self._engine.connect()
        try:
            # Out of the pool: nobody else gets it, and to close it is to end it.
            connection.detach()
            taken = bool(connection.scalar(_try(connection, self._name)))
            connection.commit()
        except BaseException:
            connection.close()
            raise
        if taken:
            self._connection = connection
        else:
            connection.close()
        return taken

    @property
    def taken(self) -> bool:
        """Return whether it was taken and not given back, as far as this process knows."""
        return self._connection is not None

    def still_held(self) -> bool:
        """Return whether the server still holds it for this process."""
        if self._connection is None:
            return False
        try:
            found = bool(self._connection.scalar(_is_held(self._connection, self._name)))
            self._connection.commit()
        except SQLAlchemyError:
            return False
        return found

    def release(self) -> None:
        """Give the lock back; harmless if it is not held."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # A connection ends at the server a moment after it is closed, and the next may not wait.
        with suppress(SQLAlchemyError):
            connection.rollback()
            connection.execute(_unlock(connection, self._name))
        with suppress(SQLAlchemyError):
            connection.close()


def _try(connection: Connection, name: str) -> sa.Select[Any]:
    if connection.dialect.name == "postgresql":
        return sa.select(sa.func.pg_try_advisory_lock(_number(name)))
    return sa.select(sa.func.get_lock(_name(connection, name), 0))


def _unlock(connection: Connection, name: str) -> sa.Select[Any]:
    if connection.dialect.name == "postgresql":
        return sa.select(sa.func.pg_advisory_unlock(_number(name)))
    return sa.select(sa.func.release_lock(_name(connection, name)))


def _is_held(connection: Connection, name: str) -> sa.Executable:
    """Return the question whether this very connection has the lock.

    Not so if a pooler in between has given it to somebody else, which some do in each transaction.
    """
    if connection.dialect.name != "postgresql":
        key = _name(connection, name)
        return sa.select(sa.func.is_used_lock(key) == sa.func.connection_id())
    return sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND pid = pg_backend_pid() AND ((classid::bigint << 32) | objid::bigint) = :number "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).bindparams(number=_hash(name))


def _number(name: str) -> sa.ColumnElement[int]:
    """Return a lock's number: PostgreSQL's have 64 bits, and are each database's own."""
    return sa.literal(_hash(name), sa.BigInteger)


def _hash(name: str) -> int:
    digest = hashlib.sha256(f"coarsefine/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _name(connection: Connection, name: str) -> str:
    """Return a lock's name: MySQL's are the whole server's, and of 64 characters at most."""
    key = f"{connection.engine.url.database}/{name}"
    return f"coarsefine/{hashlib.sha256(key.encode()).hexdigest()[:40]}"
