"""Optuna's own storage in a database of ours, with the settings of our engine."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from coarsefine.db.connections import sqlite_files
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import tables_lock
from coarsefine.db.connections.messages import explained
from coarsefine.db.optuna.tables import CHECKED
from coarsefine.db.repository.measurements import get_measurement, set_measurement


def opened_storage(database: Database) -> RDBStorage:
    """Return Optuna's storage in the same database, with the same settings as our engine."""
    engine_kwargs: dict[str, Any] = database.server_options
    if database.path is not None:
        # Python opens transactions with SQLite's write lock: readers never have to upgrade to
        # writers, which is where "database is locked" comes from despite a timeout.
        engine_kwargs["creator"] = partial(
            sqlite_files.connect, database.path, isolation_level="IMMEDIATE"
        )
    with tables_lock(database):
        # Optuna compares its schema with the file's at each opening, which takes longer (0.2 s)
        # than telling a search's results. Once is enough for one version of it and of the file.
        schema = _schema(database)
        known = schema is not None and get_measurement(database, CHECKED) == schema
        storage = RDBStorage(
            database.url,
            engine_kwargs=engine_kwargs,
            skip_compatibility_check=known,
            skip_table_creation=known,
        )
        if not known:
            set_measurement(database, CHECKED, _schema(database))
        return storage


def _schema(database: Database) -> dict[str, str] | None:
    """Return the version of Optuna and of its tables in the file; ``None`` if there are none."""
    with database.session() as session:
        if not sa.inspect(session.connection()).has_table("alembic_version"):
            return None
        revision = session.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return {"optuna": optuna.__version__, "tables": str(revision)}


def close_storage(storage: RDBStorage) -> None:
    """Close a storage's connections."""
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def explained_by_optuna(label: str) -> Generator[None]:
    """Turn what the world does to Optuna's tables into one line."""
    try:
        with explained(label):
            yield
    except StorageInternalError as error:  # Optuna's wrapping of what the driver said
        with explained(label):
            raise error.__cause__ or error from None
