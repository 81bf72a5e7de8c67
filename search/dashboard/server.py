"""A server of a WSGI application in threads of any program: waitress, started and stopped."""

import errno
import logging
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakKeyDictionary

from coarsefine.search.errors import ServingError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST: Final = "127.0.0.1"
PORT: Final = 8080
TRIES: Final = 100
"""Ports after the usual one that are tried where it is taken."""

LIMITS: Final[dict[str, Any]] = {
    # Requests that are answered at a time; a page with thousands of trials may take seconds.
    "threads": 8,
    # Idle connections must not shut others out: this many may be open, and each is closed after
    # so many seconds without a word.
    "connection_limit": 900,
    "channel_timeout": 20,
    "cleanup_interval": 5,
    "max_request_header_size": 65_536,
    "max_request_body_size": 256 * 2**20,
    # select() takes no file number beyond 1,023.
    "asyncore_use_poll": True,
    "log_socket_errors": False,
    "ident": None,
}
_LOOP_SECONDS: Final = 0.1
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared, not bound


def is_local(host: str) -> bool:
    """Return whether only this machine reaches an address, or a name that stands for it.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    return host.startswith("127.") or host in {"localhost", "::1"}


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
        self._app = app
        self._socket = _bound(host, port, TRIES if or_next else 0)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.host, self.port = host, int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Return where a browser on this machine finds it."""
        name = "localhost" if self.host in _EVERYWHERE else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/dashboard"

    @property
    def local(self) -> bool:
        """Return whether nobody else can reach it."""
        return is_local(self.host)

    def start(self) -> Self:
        """Begin to answer."""
        # Imported here: most commands serve nothing.
        from waitress.server import create_server

        # It warns of every request that waits a moment; failures are still told.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        connections: dict[int, Any] = {}
        server = create_server(self._app, map=connections, sockets=[self._socket], **LIMITS)
        self._thread = threading.Thread(
            target=self._serve, args=(server, connections), name="dashboard", daemon=True
        )
        self._thread.start()
        return self

    def _serve(self, server: Any, connections: dict[int, Any]) -> None:
        from waitress import wasyncore

        waiting: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        while not self._stopping.is_set():
            wasyncore.loop(timeout=_LOOP_SECONDS, use_poll=True, map=connections, count=1)
            _close_stalled(connections, waiting)
        server.task_dispatcher.shutdown()
        wasyncore.close_all(connections, ignore_all=True)

    def stop(self) -> None:
        """Stop answering, and give the port back; no request is begun any more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with suppress(OSError):
            self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _close_stalled(connections: dict[int, Any], waiting: WeakKeyDictionary[Any, float]) -> None:
    """Close the connections of clients that have read nothing for a while of what waits for them.

    waitress closes none of them: it would wait with a thread that others need, for ever.

    Args:
        connections: All there are.
        waiting: Since when something waits for each, however long it took to make that.
    """
    now = time.time()
    for connection in list(connections.values()):
        if not getattr(connection, "total_outbufs_len", 0):
            waiting.pop(connection, None)
            continue
        since = waiting.setdefault(connection, now)
        if max(since, connection.last_activity) < now - LIMITS["channel_timeout"]:
            connection.handle_close()


def _bound(host: str, port: int, tries: int) -> socket.socket:
    """Return a socket that listens at a port, or at the next free one within ``tries``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(port + tries, 65535)
    for candidate in range(port, last + 1):
        try:
            return socket.create_server((host, candidate), family=family)
        except OSError as error:
            taken = error.errno in _TAKEN
            if taken and candidate < last:
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


_TAKEN: Final = frozenset(
    number
    for name in ("EADDRINUSE", "WSAEADDRINUSE", "WSAEACCES")
    if (number := getattr(errno, name, None)) is not None
)
