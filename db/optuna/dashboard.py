"""Optuna's dashboard over a database, as a WSGI application: the only module that imports it."""

import binascii
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage

from coarsefine.db.connections import sqlite_files
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.messages import explained
from coarsefine.db.optuna.reading import ReadingStorage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class FinishedError(RuntimeError):
    """A trial that has ended cannot be changed."""


class BadFileError(ValueError):
    """A file that was to be added is not written as one."""


def optuna_dashboard(
    database: Database, artifacts: Path | None = None
) -> "tuple[WSGIApplication, ReadingStorage]":
    """Return Optuna's dashboard and the storage that it shows, which is to be closed.

    The application raises what it fails at, instead of an answer that only says "internal server
    error": a ``KeyError`` where there is no such study, trial or file, a ``StorageError`` where the
    database cannot be read or written, an ``ImportError`` where a library is missing, a
    ``FinishedError`` and a ``BadFileError``. All else is a mistake.

    Args:
        database: Nothing in it can be changed from the dashboard if it is open for reading only.
        artifacts: The folder of files that users add to studies and trials, if they may.
    """
    # Its errors become answers with a status, and tracebacks that nobody at a terminal wants; nor
    # that Optuna finds few trials too few, whenever somebody looks at them.
    logging.getLogger("optuna_dashboard").setLevel(logging.CRITICAL)
    views = logging.getLogger("optuna_dashboard._bottle_util")
    views.setLevel(logging.ERROR)
    views.propagate = False
    if _FAILURES not in views.handlers:
        views.addHandler(_FAILURES)
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
    app: Any = wsgi(storage, artifact_store=store)
    # What its pages of JSON do not catch themselves reaches us, too.
    app.catchall = False
    return _Raising(app, database.label), storage


class _Failures(logging.Handler):
    """Keeps what a page of JSON failed at: it is logged where it is caught, and lost after that."""

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self._of_thread.error = sys.exc_info()[1]

    def taken(self) -> BaseException | None:
        """Return what this thread's request failed at, and forget it."""
        error: BaseException | None = getattr(self._of_thread, "error", None)
        self._of_thread.error = None
        return error


_FAILURES: Final = _Failures()


class _Raising:
    """Optuna's application, which raises what it fails at."""

    def __init__(self, app: "WSGIApplication", label: str) -> None:
        self._app = app
        self._label = label

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        _FAILURES.taken()
        held: list[tuple[str, list[tuple[str, str]]]] = []

        def hold(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            held.append((status, headers))
            return lambda _: None

        with explained(self._label):
            try:
                body = self._app(environ, hold)
                failure = _FAILURES.taken()
                if failure is not None:
                    raise failure
            except StorageInternalError as error:
                raise error.__cause__ or error from None
            except ArtifactNotFound as error:
                raise KeyError(str(error)) from error
            except UpdateFinishedTrialError as error:
                raise FinishedError(str(error)) from error
            except binascii.Error as error:
                raise BadFileError(str(error)) from error
        start_response(*held[-1])
        return body
