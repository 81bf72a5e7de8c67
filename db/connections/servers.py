"""Databases on a server, PostgreSQL or MySQL: what differs from a file when they are opened.

SQLite gives one writer the whole file, and what it has read stays true until it commits. Here,
writers that need that take a lock that the server holds for them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.connections.server_locks import WAIT_SECONDS, WRITING, locked
from coarsefine.db.errors import StorageError
from coarsefine.db.table_base import PREFIX

# Who is silent for a minute and a half is gone: a laptop that was closed must not keep a lock.
_POSTGRESQL: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 90_000,
    "application_name": "coarsefine",
}
_POSTGRESQL_SESSION: Final = (
    f"SET lock_timeout = '{WAIT_SECONDS}s';"
    " SET idle_in_transaction_session_timeout = '10min';"
    " SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
    " SET tcp_keepalives_count = 6;"
)
# Whoever holds a lock is silent for as long as a segment is trained.
_IDLE_SESSION: Final = " SET idle_session_timeout = 0"
_IDLE_SESSION_SINCE: Final = 140_000

_MYSQL: Final = {"connect_timeout": 10, "read_timeout": 180, "write_timeout": 180}
_MYSQL_SESSION: Final = (
    # Text that is too long is an error and not cut.
    "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),"
    f" SESSION innodb_lock_wait_timeout = {WAIT_SECONDS},"
    " SESSION wait_timeout = 2147483"
)

# A statement that had to wait sees what it waited for; on MySQL where it changes something.
_ISOLATION: Final = {"postgresql": "READ COMMITTED", "mysql": "REPEATABLE READ"}

_PACKAGES: Final = {"postgresql": "psycopg[binary]", "mysql": "pymysql"}


def engine_options(url: URL) -> dict[str, Any]:
    """Return arguments for ``sqlalchemy.create_engine``; what the URL says goes before."""
    defaults = _POSTGRESQL if url.get_backend_name() == "postgresql" else _MYSQL
    given = {key: value for key, value in defaults.items() if key not in url.query}
    return {"pool_pre_ping": True, "connect_args": given}


def make_engine(url: URL, label: str) -> Engine:
    """Return an engine that has connected once.

    Raises:
        StorageError: If the driver is not installed, or does not know what the URL asks for.
    """
    kind = url.get_backend_name()
    try:
        engine = sa.create_engine(url, isolation_level=_ISOLATION[kind], **engine_options(url))
    except ImportError as error:
        raise StorageError(
            f"{label} needs {_PACKAGES[kind]}, which comes with this program's extra {kind!r};"
            f" run: pip install '{_PACKAGES[kind]}'"
        ) from error
    except (ValueError, ArgumentError) as error:
        raise _refused(label, error) from error
    sa.event.listen(engine, "connect", _settle)
    try:
        engine.connect().close()
    # Options of drivers, files of certificates.
    except (TypeError, ValueError, OSError, ArgumentError) as error:
        engine.dispose()
        raise _refused(label, error) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _refused(label: str, error: Exception) -> StorageError:
    return StorageError(f"{label} cannot be connected to: {error}; look at its URL")


def _settle(connection: Any, _: object) -> None:
    """Set what each session needs, in one exchange."""
    statement = _MYSQL_SESSION
    info = getattr(connection, "info", None)  # psycopg's
    if info is not None:
        statement = _POSTGRESQL_SESSION
        statement += _IDLE_SESSION if info.server_version >= _IDLE_SESSION_SINCE else ""
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.commit()  # or PostgreSQL forgets it with the transaction


# ------------------------------------------------------------------------------- transactions


@contextmanager
def reading(engine: Engine) -> Generator[Session]:
    """Yield a session that sees one moment of the database."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    with Session(engine) as session:
        yield session


@contextmanager
def writing(engine: Engine, *, alone: bool) -> Generator[Session]:
    """Yield a session in one transaction; ``alone``: no other of these meanwhile."""
    if not alone:
        with Session(engine) as session, session.begin():
            yield session
        return
    with (
        engine.connect() as connection,
        locked(connection, WRITING),
        Session(connection) as session,
        session.begin(),
    ):
        yield session


# ------------------------------------------------------------------------------ looking around


def check_place(engine: Engine, label: str) -> str | None:
    """Return the revision of our tables; ``None`` if there are none, but could be.

    Raises:
        StorageError: If the tables there are another program's, or texts would be spoilt.
    """
    with engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        if schema.VERSION_TABLE in tables:
            revision = connection.scalar(sa.text(schema.SELECT_REVISION))
            if revision is not None:
                return str(revision)
        theirs = {name for name in tables if not name.startswith(PREFIX)}
        if theirs and not theirs >= schema.OPTUNA_MARKS:
            raise StorageError(
                f"{label} belongs to another program (it holds the table {min(theirs)!r});"
                " it was not changed; name a database of its own"
            )
        if engine.dialect.name == "postgresql":
            _check_encoding(connection, label)
        else:
            _check_collation(connection, label)
    return None


def _check_encoding(connection: Connection, label: str) -> None:
    encoding = connection.scalar(sa.text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise StorageError(
            f"{label} must have the encoding UTF8, has {encoding}; make another one:"
            " createdb --encoding=UTF8 --template=template0 NAME"
        )


def _check_collation(connection: Connection, label: str) -> None:
    found = str(connection.scalar(sa.text("SELECT @@collation_database")))
    if not found.startswith("utf8mb4") or not found.endswith(("_bin", "_cs")):
        raise StorageError(
            f"{label} must tell a from A and know all letters, but its collation is {found}; run:"
            f" ALTER DATABASE {connection.engine.url.database} COLLATE utf8mb4_bin"
        )
