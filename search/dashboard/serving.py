"""The dashboard as an application, and a server for it: in a thread of any program.

app = make_app("search.db")
with Server(app) as server:
print(server.url)
...
app.close()
"""

import socket
import socketserver
import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from coarsefine.db.errors import StorageError
from coarsefine.search.dashboard.guard import Guard
from coarsefine.search.errors import ServingError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST: Final = "127.0.0.1"
PORT: Final = 8080
TRIES: Final = 100
"""Ports after the usual one that are tried where it is taken."""

# Nobody may hold a thread for longer without a word.
_IDLE_SECONDS: Final = 60
_TAKING_SECONDS: Final = 600
_LONGEST_LINE: Final = 65_536
# All answers are shorter, of 10,000 trials at the first time, too.
_BUSY_SECONDS: Final = 10
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared, not bound


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


def is_local(host: str) -> bool:
    """Return whether only this machine reaches an address, or a name that stands for it.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    return host.startswith("127.") or host in {"localhost", "::1"}


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
        with self._current().busy() as app:
            return app(environ, start_response)

    def _current(self) -> "_Opened":
        with self._changing:
            before = self._opened
            if before.replaced():
                # Another file may be half made: what was shown is, until that is whole.
                with suppress(StorageError):
                    self._opened = self._open()
                    threading.Thread(target=before.close, daemon=True).start()
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
        from coarsefine.db.dashboard import optuna_dashboard
        from coarsefine.db.engine import open_database
        from coarsefine.search.dashboard.overlay import Overlay

        self._database = open_database(storage, read_only=not writable)
        try:
            self._file = self._file_now()
            app, self._storage = optuna_dashboard(self._database, artifacts)
        except BaseException:
            self._database.close()
            raise
        self._app = Overlay(app, self._database, self._storage)
        self._idle = threading.Condition()
        self._n_busy = 0

    @property
    def label(self) -> str:
        return self._database.label

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

    @contextmanager
    def busy(self) -> "Iterator[WSGIApplication]":
        """Keep the database open in the block."""
        with self._idle:
            self._n_busy += 1
        try:
            yield self._app
        finally:
            with self._idle:
                self._n_busy -= 1
                self._idle.notify_all()

    def close(self) -> None:
        """Close the database, once nobody is busy with it any more."""
        with self._idle:
            self._idle.wait_for(lambda: not self._n_busy, timeout=_BUSY_SECONDS)
        self._storage.close()
        self._database.close()


class Server:
    """A server of a WSGI application in threads of its own."""

    def __init__(
        self, app: "WSGIApplication", host: str = HOST, port: int = PORT, *, or_next: bool = False
    ) -> None:
        """Take the port: from here on browsers can connect, and wait for ``start``.

        Args:
            app: What is served.
            host: Name or address of this machine.
            port: 0 for any that is free.
            or_next: Take the next free one if it is taken.

        Raises:
            ServingError: If it is taken, or none of this machine's.
        """
        self._server = _bound(host, port, TRIES if or_next else 0)
        self._server.set_app(app)
        self._thread: threading.Thread | None = None
        self.host, self.port = host, int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Return where a browser on this machine finds it."""
        name = "localhost" if self.host in _EVERYWHERE else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/dashboard"

    @property
    def local(self) -> bool:
        """Return whether nobody else can reach it."""
        return is_local(str(self._server.server_address[0]))

    def start(self) -> Self:
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="dashboard", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering, and give the port back; no request is begun any more."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _bound(host: str, port: int, tries: int) -> "_Server":
    for candidate in range(port, min(port + tries, 65535) + 1):
        try:
            return _server(host, candidate)
        except OSError as error:
            taken = error.errno in _TAKEN
            if taken and candidate < min(port + tries, 65535):
                continue
            what = "is taken" if taken else f"cannot be used: {error.strerror or error}"
            other = "" if taken else " or --host"
            range_ = f"{port} to {candidate}" if candidate > port else str(port)
            raise ServingError(
                f"port {range_} of {host or 'this machine'} {what}; name another --port{other}"
            ) from error
        except OverflowError:
            break
    raise ServingError(f"ports are 0 to 65535, got {port}")


def _server(host: str, port: int) -> "_Server":
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = type("_OfFamily", (_Server,), {"address_family": family})
    server: _Server = kind((host, port), _Handler)
    return server


_TAKEN: Final = frozenset(
    number
    for name in ("EADDRINUSE", "WSAEADDRINUSE", "WSAEACCES")
    if (number := getattr(__import__("errno"), name, None)) is not None
)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    # Elsewhere it allows to bind again at once what was just left; on Windows, what is in use.
    allow_reuse_address = sys.platform != "win32"

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        # HTTPServer asks the network for a name, which can take long and is needed by nobody.
        self.server_name, self.server_port = "localhost", int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over browsers that have gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Answer(ServerHandler):
    def log_exception(self, exc_info: Any) -> None:
        """Pass over browsers that take no more, and tell of all else."""
        if not issubclass(exc_info[0], ConnectionError | TimeoutError):
            super().log_exception(exc_info)


class _Handler(WSGIRequestHandler):
    timeout = _IDLE_SECONDS

    def handle(self) -> None:
        """Answer one request."""
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if len(self.raw_requestline) > _LONGEST_LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if not self.parse_request():
            return  # what is wrong with it was answered
        # A page with thousands of trials may be too busy with some to take the others.
        self.connection.settimeout(_TAKING_SECONDS)
        handler = _Answer(
            self.rfile,
            self.wfile,  # type: ignore[arg-type]  # as the class above has it
            self.get_stderr(),
            self.get_environ(),
            multithread=True,
        )
        handler.request_handler = self  # type: ignore[attr-defined]  # for its log
        handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name above
        """Keep the terminal quiet."""
