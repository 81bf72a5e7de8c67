"""``dashboard``: the studies in a browser."""

import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from coarsefine.search.console import note, say
from coarsefine.search.dashboard.server import HOST, PORT, Server, is_local
from coarsefine.search.dashboard.serving import make_app
from coarsefine.search.errors import ServingError, UsageError
from coarsefine.search.options import (
    OUTPUT,
    NoNotes,
    StorageOptions,
    option,
    text_option,
    whole_option,
)

NETWORK = "Network"


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """Where it is served, and what may be done there."""

    host: Annotated[
        str | None,
        text_option(
            NETWORK,
            "--host",
            "NAME",
            "Name or address of this machine that is listened on; 0.0.0.0 for all, which lets "
            "everybody who reaches this machine read the studies (default: 127.0.0.1).",
        ),
    ] = None
    port: Annotated[
        int | None,
        whole_option(
            NETWORK,
            "--port",
            "The port; 0 for any that is free (default: 8080, or the next that is free).",
        ),
    ] = None
    allow_host: Annotated[
        list[str] | None,
        option(
            NETWORK,
            "--allow-host",
            metavar="NAME",
            help="A name that browsers may call it by, behind a proxy say; may be given several "
            "times (default: localhost, addresses, --host and, where it is not this machine alone, "
            "this machine's name).",
        ),
    ] = None
    writable: Annotated[
        bool,
        option(
            NETWORK,
            "--writable",
            help="Let notes be written, and studies be renamed and deleted (default: read-only).",
        ),
    ] = False
    artifacts: Annotated[
        Path | None,
        option(
            NETWORK,
            "--artifacts",
            metavar="FOLDER",
            help="The folder of files that were added to studies and trials by Optuna "
            "(default: none).",
        ),
    ] = None
    no_browser: Annotated[
        bool,
        option(
            OUTPUT, "--no-browser", help="Open no browser (default: open one where there is one)."
        ),
    ] = False
    quiet: NoNotes = False


def dashboard(what: DashboardOptions, storage: StorageOptions) -> None:
    """Show the studies in a browser: Optuna's dashboard, with our notes and figures.

    Read-only, and for this machine alone unless told otherwise. Searches may run meanwhile: the
    page follows them. Ctrl-C ends it.

    Examples:
        python -m search dashboard
        python -m search dashboard --storage course.db --port 9000 --no-browser
    """
    check_port(what.port)
    if what.artifacts is not None and not what.artifacts.is_dir():
        raise ServingError(f"--artifacts must be a folder, got {what.artifacts}; create it first")
    host = HOST if what.host is None else what.host
    app = make_app(
        storage.url,
        writable=what.writable,
        hosts=[*(what.allow_host or ()), *own_names(host)],
        artifacts=what.artifacts,
    )
    with (
        app,
        Server(
            app, host, PORT if what.port is None else what.port, or_next=what.port is None
        ) as server,
    ):
        say(f"{app.label}: {server.url}", at_once=True)
        _say_more(server, what)
        if not what.no_browser and has_display(os.environ, sys.platform):
            _open_browser(server.url)
        note("Ctrl-C ends it", quiet=what.quiet)
        _wait()


_LAST_PORT = 65535


def check_port(port: int | None) -> None:
    """Raise a UsageError if there is no such port."""
    if port is not None and not 0 <= port <= _LAST_PORT:
        raise UsageError(f"--port must be 0 to {_LAST_PORT}, got {port}")


def own_names(host: str) -> list[str]:
    """Return the names that a server on ``host`` may be called by, besides ``localhost``."""
    if is_local(host):
        return [host]
    name = socket.gethostname()
    return [host, name, f"{name.partition('.')[0]}.local", name.partition(".")[0]]


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Return whether a browser that is opened here is seen by whoever typed the command.

    >>> has_display({"DISPLAY": ":0"}, "linux"), has_display({}, "linux"), has_display({}, "darwin")
    (True, False, True)
    >>> has_display({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 22"}, "linux")
    False
    """
    if any(name in environment for name in _SSH):
        return False
    if platform in {"darwin", "win32"}:
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


_SSH = ("SSH_CONNECTION", "SSH_TTY")


def _say_more(server: Server, what: DashboardOptions) -> None:
    if server.local and any(name in os.environ for name in _SSH):
        note(
            f"to see it at home, run there: ssh -L {server.port}:{server.host}:{server.port} "
            "USER@THIS-MACHINE",
            quiet=what.quiet,
        )
    if not server.local:
        note("note: everybody who reaches this machine can see it", quiet=what.quiet)
    if what.writable:
        note(
            "note: what is deleted there is gone; a study that is renamed there cannot be carried "
            "on until it has its name back",
            quiet=what.quiet,
        )


def _open_browser(url: str) -> None:
    """Open a browser; that there is none must neither fail nor hold anything up."""

    def opened() -> None:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)

    threading.Thread(target=opened, name="browser", daemon=True).start()


def _wait() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    while True:
        # In slices: on Windows a wait without an end hears no Ctrl-C.
        threading.Event().wait(0.5)
