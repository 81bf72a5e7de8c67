"""The options of the queue's service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from coarsefine.search.options.data import DataDir
from coarsefine.search.options.declaring import OUTPUT, option, text_option, whole_option

SERVICE, NETWORK = "Service", "Network"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the service does, and what it allows."""

    allow_plugins: Annotated[
        bool,
        option(
            SERVICE,
            "--allow-plugins",
            help="Run trainers that submitted recipes name: code, chosen by whoever can write to "
            "the database (default: such entries fail).",
        ),
    ] = False
    files: Annotated[
        list[Path] | None,
        option(
            SERVICE,
            "--files",
            metavar="FOLDER",
            help="Submitted recipes may name data files in this folder; may be given several times "
            "(default: the current folder and the data folder).",
        ),
    ] = None
    once: Annotated[
        bool,
        option(
            SERVICE,
            "--once",
            help="End when nothing is left that can be done now, with status 1 if an entry had to "
            "wait (default: wait for more).",
        ),
    ] = False
    group_writable: Annotated[
        bool,
        option(
            SERVICE,
            "--group-writable",
            help="Let the group of the database's folder write the SQLite file, so that its "
            "members can submit (default: leave its rights as they are).",
        ),
    ] = False
    no_dashboard: Annotated[
        bool,
        option(
            NETWORK,
            "--no-dashboard",
            help="Serve no dashboard (default: serve it, unless --once is said).",
        ),
    ] = False
    host: Annotated[
        str | None,
        text_option(
            NETWORK,
            "--host",
            "NAME",
            "Name or address of this machine that the dashboard listens on; 0.0.0.0 for all, which "
            "lets everybody who reaches this machine read the studies (default: 127.0.0.1).",
        ),
    ] = None
    port: Annotated[
        int | None,
        whole_option(
            NETWORK,
            "--port",
            "The dashboard's port; 0 for any that is free (default: 8080, or the next that is "
            "free).",
        ),
    ] = None
    allow_host: Annotated[
        list[str] | None,
        option(
            NETWORK,
            "--allow-host",
            metavar="NAME",
            help="A name that browsers may call the dashboard by, behind a proxy say; may be said "
            "several times (default: localhost, addresses, --host and, where it is not this "
            "machine alone, this machine's name).",
        ),
    ] = None
    writable: Annotated[
        bool,
        option(
            NETWORK,
            "--writable",
            help="Let notes be written, and studies be renamed and deleted, in the dashboard "
            "(default: read-only).",
        ),
    ] = False
    data_dir: DataDir = None
    quiet: Annotated[
        bool,
        option(
            OUTPUT,
            "--quiet",
            "-q",
            help="Log entries only, not the progress of their training (default: log both).",
        ),
    ] = False
