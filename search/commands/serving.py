"""``serve``: carries out what is submitted, one by one."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Annotated

from coarsefine.db.connections.engine import open_database
from coarsefine.db.queue_records import QueueRecord
from coarsefine.hints import HintedError
from coarsefine.models.data.locate import checked_data_dir
from coarsefine.search.commands.dashboarding import check_port, own_names
from coarsefine.search.commands.queueing import to_json
from coarsefine.search.dashboard.server import HOST, PORT, Server
from coarsefine.search.dashboard.serving import make_app
from coarsefine.search.ending import tell
from coarsefine.search.errors import DONE, FAILED, INTERRUPTED, TERMINATED, Stopped, UsageError
from coarsefine.search.hints import spelled, without_password
from coarsefine.search.interrupts import of_this_process
from coarsefine.search.options import (
    OUTPUT,
    DataDir,
    JobsOptions,
    StorageOptions,
    option,
    text_option,
    whole_option,
)
from coarsefine.search.service_log import ServiceLog, one_line
from coarsefine.studies.labs.rules import Rules
from coarsefine.studies.labs.service import Service
from coarsefine.studies.running.resources import Resources

SERVICE, NETWORK = "Service", "Network"
# How often a service looks whether it is to end while another process is at an entry.
_LOOK_SECONDS = 0.2


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


def serve(service: ServeOptions, storage: StorageOptions, jobs: JobsOptions) -> int:
    """Carry out what is submitted, entry by entry, until it is stopped; and show the dashboard.

    Ctrl-C or SIGTERM end it after the segments under way; the entry goes back to where it was in
    the line. Killed at any moment and started again, it carries on with the entry that it was at,
    with the same result. Several may serve one database. Trials that are enqueued on Optuna's side
    are trained, too (docs/service.md).

    Examples:
        python -m search serve
        python -m search serve --storage course.db --files /srv/data
        python -m search serve --once
    """
    return _served(service, storage, jobs)


def _served(
    service: ServeOptions, storage: StorageOptions, jobs: JobsOptions, only: str | None = None
) -> int:
    """Serve the queue, or only the entry of that UUID."""
    watch = ServiceLog(quiet=service.quiet)
    # From the first moment on: systemd takes 143 for a failure, and what follows takes a second.
    with _ended_by_signals(watch) as ended:
        return _until(ended, watch, (service, storage, jobs), only)


def _until(
    ended: threading.Event,
    watch: ServiceLog,
    asked: tuple[ServeOptions, StorageOptions, JobsOptions],
    only: str | None,
) -> int:
    """Serve until it is to end."""
    service, storage, jobs = asked
    _check_network(service)
    jobs.check()
    # Before it begins: a file that cannot be used is no reason to fail in the midst of an entry.
    jobs = replace(jobs, end=jobs.end.of_service)
    data_dir = checked_data_dir(service.data_dir)
    named = service.files or [Path.cwd(), *([] if data_dir is None else [data_dir])]
    rules = Rules(tuple(named), service.allow_plugins)
    face = _Face(watch, service, storage, jobs)
    with (
        jobs.opened(watch.said) as workers,
        open_database(
            storage.url, create=True, group_writable=service.group_writable, said=watch.log
        ) as database,
        _dashboard(service, storage, watch),
    ):
        resources = Resources(
            database, data_dir=data_dir, observer=watch, progress=watch, **workers
        )
        if only is None:
            watch.log(f"serving {database.label}")
        done = Service(resources, rules, face, only=only).run(once=service.once)
        if only is None:
            watch.log("ended" if service.once and not ended.is_set() else "ended, as requested")
    return FAILED if service.once and not done and not ended.is_set() else DONE


def _apart(service: ServeOptions, storage: StorageOptions, jobs: JobsOptions, only: str) -> None:
    """Carry out one entry as the main function of a process that ends with its parent."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
        os._exit(FAILED)

    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is for the service, which hands it on
    threading.Thread(target=watch, daemon=True).start()
    try:
        status = _served(service, storage, jobs, only)
    except Stopped as stopped:
        status = stopped.status
    except (RuntimeError, OSError) as error:
        ServiceLog().log(f"error: {error}")
        status = FAILED
    sys.exit(status)


def _check_network(service: ServeOptions) -> None:
    """Refuse options of a dashboard where there is none."""
    given = {
        "--host": service.host is not None,
        "--port": service.port is not None,
        "--allow-host": bool(service.allow_host),
        "--writable": service.writable,
    }
    said_of = [name for name, is_given in given.items() if is_given]
    if service.no_dashboard and said_of:
        raise UsageError(f"--no-dashboard starts no dashboard; leave out {said_of[0]}")
    check_port(service.port)


@contextmanager
def _dashboard(service: ServeOptions, storage: StorageOptions, watch: ServiceLog) -> Iterator[None]:
    """Serve the dashboard meanwhile, in threads of this process: it ends with it, however it ends.

    Raises:
        ServingError: If the port is taken, or the host none of this machine's.
    """
    asked = service.host is not None or service.port is not None
    if service.no_dashboard or (service.once and not asked):
        yield
        return
    host = service.host or HOST
    app = make_app(
        storage.url,
        writable=service.writable,
        hosts=[*(service.allow_host or ()), *own_names(host)],
    )
    port = PORT if service.port is None else service.port
    with app, Server(app, host, port, or_next=service.port is None) as server:
        everybody = "" if server.local else "; everybody who reaches this machine can see it"
        watch.log(f"dashboard: {server.url}{everybody}")
        watch.log(f"queue: {server.url.removesuffix('/dashboard')}/queue")
        yield


@dataclass(frozen=True, slots=True)
class _Face:
    """What a service shows: lines of a log."""

    observer: ServiceLog
    service: ServeOptions
    storage: StorageOptions
    jobs: JobsOptions

    def apart(self, entry: QueueRecord) -> int:
        alone = replace(
            self.service,
            once=True,
            no_dashboard=True,
            host=None,
            port=None,
            allow_host=None,
            writable=False,
        )
        process = multiprocessing.get_context("spawn").Process(
            target=_apart, args=(alone, self.storage, self.jobs, entry.uuid)
        )
        process.start()
        told = False
        try:
            while process.is_alive():
                if self.observer.stop_requested and not told:
                    process.terminate()
                    told = True
                process.join(_LOOK_SECONDS)
        except BaseException:
            process.kill()
            process.join()
            raise
        return process.pid or 0

    def log(self, line: str) -> None:
        self.observer.log(line)

    def ended(self, entry: QueueRecord) -> None:
        storage = without_password(self.storage.url).removeprefix("sqlite:///")
        why = f": {entry.error}" if entry.error else ""
        line = f"entry {entry.id} ({entry.name}) {entry.state}{why}"
        facts = {"command": "serve", "storage": storage, "line": one_line(line)}
        tell(self.jobs.end, facts | to_json(entry, None), said=self.log)

    def worded(self, error: HintedError) -> str:
        return spelled(error)

    def wait(self, seconds: float) -> None:
        self.observer.wait(seconds)


@contextmanager
def _ended_by_signals(watch: ServiceLog) -> Iterator[threading.Event]:
    """Let the first signal end the service gently, and a second one at once.

    Raises:
        Stopped: If it was ended at once, with the exit status that goes with the signal.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread hears signals
        return
    status = INTERRUPTED

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal status
        status = INTERRUPTED if number == signal.SIGINT else TERMINATED
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        watch.stop()
        # It may come in the middle of another line, which cannot be interrupted by a second one.
        with suppress(RuntimeError):
            watch.log("ending after the segments under way")

    own = of_this_process(hear)
    before = {number: signal.signal(number, own) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    except KeyboardInterrupt:
        raise Stopped(status, resumable=True) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
