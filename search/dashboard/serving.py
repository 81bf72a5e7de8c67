"""The dashboard as an application; ``server.Server`` serves it in a thread of any program.

app = make_app("search.db")
with Server(app) as server:
print(server.url)
...
app.close()
"""

import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from coarsefine.db.errors import StorageError
from coarsefine.search.dashboard.guard import Guard

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# All answers are shorter, of 10,000 trials at the first time, too.
_BUSY_SECONDS: Final = 10


def make_app(
    storage: str,
    *,
    writable: bool = False,
    hosts: Collection[str] = (),
    artifacts: Path | None = None,
) -> "DashboardApp":
    """Return the dashboard of a database as a WSGI application; it is to be closed.

    Args:
        storage: File or URL of the database.
        writable: Let its page change what Optuna keeps; else the database is opened for reading
            only, and requests that would change it are refused.
        hosts: Names that it may be called by, besides ``localhost`` and addresses.
        artifacts: The folder of files that users add, if they may.

    Raises:
        StorageError: If there is no such database, or it is another program's.
    """
    return DashboardApp(storage, writable=writable, hosts=hosts, artifacts=artifacts)


class DashboardApp:
    """The dashboard of a database, guarded; safe to be called by several threads.

    A file that was put in the place of the one that is shown is shown from then on.
    """

    def __init__(
        self, storage: str, *, writable: bool, hosts: Collection[str], artifacts: Path | None
    ) -> None:
        self._open = partial(_Opened, storage, writable=writable, artifacts=artifacts)
        self._changing = threading.Lock()
        self._opened = self._open()
        self._guard = Guard(self._answered, writable=writable, hosts=hosts)

    @property
    def label(self) -> str:
        """Return what messages call the database."""
        return self._opened.label

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        return self._guard(environ, start_response)

    def _answered(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        opened = self._begun()
        try:
            return opened.app(environ, start_response)
        finally:
            opened.end()

    def _begun(self) -> "_Opened":
        """Return what is open now, with a request begun: it is not closed before that ends."""
        with self._changing:
            before = self._opened
            if before.replaced():
                # Another file may be half made: what was shown is, until that is whole.
                with suppress(StorageError):
                    self._opened = self._open()
                    threading.Thread(target=before.close, daemon=True).start()
            self._opened.begin()
            return self._opened

    def close(self) -> None:
        """Close the database, once the requests under way are answered."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Opened:
    """The dashboard of a database that is open."""

    def __init__(self, storage: str, *, writable: bool, artifacts: Path | None) -> None:
        from coarsefine.db.connections.engine import open_database
        from coarsefine.db.optuna.dashboard import optuna_dashboard
        from coarsefine.search.dashboard.overlay import Overlay

        database = open_database(storage, read_only=not writable)
        self.label = database.label
        # Pages need not tell the folders of this machine.
        self._database = replace(
            database, label=database.label if database.path is None else Path(database.label).name
        )
        try:
            self._file = self._file_now()
            app, self._storage = optuna_dashboard(self._database, artifacts)
        except BaseException:
            self._database.close()
            raise
        self.app = Overlay(app, self._database, self._storage)
        self._idle = threading.Condition()
        self._n_busy = 0

    def replaced(self) -> bool:
        """Return whether another file is in the place of the one that is open."""
        now = self._file_now()
        return now is not None and now != self._file

    def _file_now(self) -> tuple[int, int] | None:
        if self._database.path is None:
            return None
        try:
            status = self._database.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def begin(self) -> None:
        """Keep the database open until a request has ended."""
        with self._idle:
            self._n_busy += 1

    def end(self) -> None:
        """Say that a request has ended."""
        with self._idle:
            self._n_busy -= 1
            self._idle.notify_all()

    def close(self) -> None:
        """Close the database, once nobody is busy with it any more."""
        with self._idle:
            self._idle.wait_for(lambda: not self._n_busy, timeout=_BUSY_SECONDS)
        self._storage.close()
        self._database.close()
