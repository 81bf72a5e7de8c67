"""Optuna's dashboard over a database, as a WSGI application: the only module that imports it."""

import logging
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import RDBStorage

from coarsefine.db.connections import sqlite_files
from coarsefine.db.connections.engine import Database
from coarsefine.db.optuna.reading import ReadingStorage

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def optuna_dashboard(
    database: Database, artifacts: Path | None = None
) -> "tuple[WSGIApplication, ReadingStorage]":
    """Return Optuna's dashboard and the storage that it shows, which is to be closed.

    Args:
        database: Nothing in it can be changed from the dashboard if it is open for reading only.
        artifacts: The folder of files that users add to studies and trials, if they may.
    """
    # Its errors become answers with a status, and tracebacks that nobody at a terminal wants; nor
    # that Optuna finds few trials too few, whenever somebody looks at them.
    logging.getLogger("optuna_dashboard").setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", module="optuna")
    from optuna_dashboard import wsgi

    kwargs: dict[str, Any] = database.server_options
    if database.path is not None:
        # As everywhere: what writes begins with the write lock and need not be upgraded to it.
        kwargs["creator"] = partial(
            sqlite_files.connect,
            database.path,
            read_only=database.read_only,
            isolation_level=None if database.read_only else "IMMEDIATE",
        )
    storage = ReadingStorage(
        database,
        lambda: RDBStorage(
            database.url,
            engine_kwargs=kwargs,
            skip_compatibility_check=True,
            skip_table_creation=True,
        ),
    )
    store = None if artifacts is None else FileSystemArtifactStore(str(artifacts))
    return wsgi(storage, artifact_store=store), storage
