"""Which version the tables have, and how they get to the newest.

A new database gets the newest tables at once; Alembic is only imported when older ones are to be
migrated. A new revision is a file beside the others in ``migrations/versions`` and one more entry
in ``REVISIONS``; the tests compare tables, migrations and this list.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from coarsefine.db.errors import StorageError
from coarsefine.hints import command

VERSION_TABLE: Final = "training_alembic_version"
"""Optuna stamps ``alembic_version``: sharing it would break whichever program comes second."""

REVISIONS: Final = tuple(f"{number:04}" for number in range(1, 11))
HEAD: Final = REVISIONS[-1]

SELECT_REVISION: Final = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608
OPTUNA_MARKS: Final = frozenset({"studies", "trials", "version_info"})


def check_revision(revision: str | None, label: str, *, older: bool) -> None:
    """Refuse tables of a newer program, and older ones unless they will do or be migrated.

    Raises:
        StorageError: With what to do.
    """
    if revision is None or revision == HEAD:
        return
    if revision not in REVISIONS:
        raise StorageError(
            f"{label} was written by a newer version of this program"
            f" (schema {revision}, this one knows {HEAD}); upgrade with pip"
        )
    if not older:
        raise StorageError(
            f"{label} was written by an older version of this program (schema {revision}, now"
            f" {HEAD}); run the search or `",
            command("test"),
            "` on it once to bring it up to date",
        )


# Optuna makes its tables, then a row of the first, then one of the second. Where one is missing,
# its storage writes it when it is opened, which it may not where the database is only read.
_OPTUNA_VERSIONS: Final = ("version_info", "alembic_version")


def optuna_has_begun(connection: Connection) -> bool:
    """Return whether Optuna has made all of its tables; a killed process leaves some."""
    tables = sa.inspect(connection).get_table_names()
    return all(
        name in tables
        and connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name))).first()
        for name in _OPTUNA_VERSIONS
    )


def read_revision(engine: Engine) -> str | None:
    """Return the revision of our tables; ``None`` if they are not there."""
    with engine.connect() as connection:
        return _revision(connection)


def migrate(engine: Engine, before: Callable[[str], None] | None = None) -> str | None:
    """Bring our tables to ``HEAD`` in one transaction: killed half-way, nothing has happened.

    Args:
        engine: Of the database.
        before: Called with the revision of older tables, if there are any, while the database is
            locked for other writers; what it raises stops the migration.

    Returns:
        The revision of the older tables, ``None`` if there was nothing to change.
    """
    with engine.execution_options(immediate=True).connect() as connection, _alone(connection):
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            # Rebuilding a table drops it, which would cascade; no effect inside a transaction.
            _pragma_foreign_keys(connection, "OFF")
        try:
            with connection.begin():
                # Another process may have been first, while this one waited for the write lock.
                found = _revision(connection)
                if found != HEAD:
                    if connection.dialect.name == "mysql" and _drop_empty(connection):
                        found = None
                    if found is None:
                        _create(connection)
                    else:
                        if before is not None:
                            before(found)
                        _upgrade(connection)
                    if sqlite:
                        _check_foreign_keys(connection)
        finally:
            if sqlite:
                _pragma_foreign_keys(connection, "ON")
    return None if found == HEAD else found


def _alone(connection: Connection) -> AbstractContextManager[None]:
    """Keep other writers out where the beginning of a transaction does not."""
    if connection.dialect.name == "sqlite":
        return nullcontext()
    from coarsefine.db.connections.server_locks import WRITING, locked

    return locked(connection, WRITING)


def _drop_empty(connection: Connection) -> bool:
    """Drop our tables unless there is a row in one, and return whether there is none.

    MySQL cannot take tables back that were made: a first start that was interrupted leaves some.
    """
    names = [n for n in sa.inspect(connection).get_table_names() if n.startswith("training_")]
    tables = [sa.table(name) for name in names if name != VERSION_TABLE]
    if any(connection.scalar(sa.select(sa.literal(1)).select_from(t).limit(1)) for t in tables):
        return False
    connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
    for name in names:
        connection.exec_driver_sql(f"DROP TABLE {name}")
    connection.exec_driver_sql("SET SESSION foreign_key_checks = 1")
    return True


def _create(connection: Connection) -> None:
    """Make the newest tables: running all migrations takes five times as long."""
    from coarsefine.db.tables import Study

    Study.metadata.create_all(connection, checkfirst=False)
    # As Alembic makes it.
    version = sa.Table(
        VERSION_TABLE,
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
    version.create(connection, checkfirst=True)
    connection.execute(version.insert().values(version_num=HEAD))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _escaped(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")  # configparser would interpolate


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    revision = connection.execute(sa.text(SELECT_REVISION)).scalar_one_or_none()
    return None if revision is None else str(revision)


def _pragma_foreign_keys(connection: Connection, switch: str) -> None:
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(f"PRAGMA foreign_keys = {switch}")


def _check_foreign_keys(connection: Connection) -> None:
    for table, *_ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        if str(table).startswith("training_"):
            raise StorageError(f"the rows of {table} point to rows that are not there")
