"""``serve``, ``submit``, ``queue`` and ``cancel``: searches that are carried out one by one."""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coarsefine.hints import HintedError, Part
from coarsefine.search.commands.labs import Fresh, Parts, Quick
from coarsefine.search.console import note, print_table, say, say_json, stdout
from coarsefine.search.errors import (
    DONE,
    FAILED,
    INTERRUPTED,
    TERMINATED,
    Stopped,
    UsageError,
)
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import spelled
from coarsefine.search.interrupts import of_this_process
from coarsefine.search.options import (
    OUTPUT,
    SEARCH,
    DataDir,
    JobsOptions,
    OutputOptions,
    StorageOptions,
    option,
    text_option,
    whole,
    whole_option,
)
from coarsefine.search.progress import Log, is_over, standing, title

if TYPE_CHECKING:
    from coarsefine.db.queue_records import QueueRecord
    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import PreparedData
    from coarsefine.studies.planning.stages import Stage
    from coarsefine.studies.recipes.recipe import Recipe
    from coarsefine.studies.running.watching import CohortProgress

SERVICE, NETWORK = "Service", "Network"
# How many entries that have ended `queue` shows.
RECENT = 10
# How often a service looks whether it is to end while another process is at an entry.
_LOOK_SECONDS = 0.2
# In a log that is kept for weeks, a cohort has a line in so many seconds.
LOG_SECONDS = 60.0


# ------------------------------------------------------------------------------------- serve


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
            help="Submitted recipes may name data files in this folder; may be said several times "
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
            help="Log entries only, not how their training goes (default: log both).",
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
    from coarsefine.db.engine import open_database
    from coarsefine.models.data.locate import checked_data_dir
    from coarsefine.studies.labs.rules import Rules
    from coarsefine.studies.labs.service import Service
    from coarsefine.studies.running.resources import Resources

    _check_network(service)
    jobs.check()
    data_dir = checked_data_dir(service.data_dir)
    named = service.files or [Path.cwd(), *([] if data_dir is None else [data_dir])]
    rules = Rules(tuple(named), service.allow_plugins)
    watch = ServiceLog(quiet=service.quiet)
    face = _Face(watch, service, storage, jobs)
    with (
        _ended_by_signals(watch) as ended,
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
            watch.log("ended" if service.once and not ended.is_set() else "ended, as asked to")
    return FAILED if service.once and not done and not ended.is_set() else DONE


def _apart(service: ServeOptions, storage: StorageOptions, jobs: JobsOptions, only: str) -> None:
    """Carry out one entry as the main function of a process that ends with its parent."""
    import os
    import sys

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
        raise UsageError(f"there is no dashboard with --no-dashboard, got {said_of[0]}, too")
    if service.port is not None and not 0 <= service.port <= _LAST_PORT:
        raise UsageError(f"--port must be 0 to {_LAST_PORT}, got {service.port}")


_LAST_PORT = 65535


@contextmanager
def _dashboard(
    service: ServeOptions, storage: StorageOptions, watch: "ServiceLog"
) -> Iterator[None]:
    """Serve the dashboard meanwhile, in threads of this process: it ends with it, however it ends.

    Raises:
        ServingError: If the port is taken, or the host none of this machine's.
    """
    asked = service.host is not None or service.port is not None
    if service.no_dashboard or (service.once and not asked):
        yield
        return
    from coarsefine.search.commands.dashboarding import own_names
    from coarsefine.search.dashboard.server import HOST, PORT, Server
    from coarsefine.search.dashboard.serving import make_app

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
        yield


class ServiceLog(Log):
    """Writes a line with the time for all that happens, few of them while it trains."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__()
        self._quiet = quiet
        self._ending = threading.Event()

    def begins(
        self, study: "StudyRecord", stage: "Stage", recipe: "Recipe", data: "PreparedData"
    ) -> None:
        """Write what is about to be trained."""
        self._written.clear()
        super().begins(study, stage, recipe, data)

    def line(self, line: str) -> None:
        """Write a line about a search."""
        if not self._quiet:
            self.log(line)

    def log(self, line: str) -> None:
        """Write a line: one, whatever is in it."""
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        note(f"{moment} {one_line(line)}")

    def said(self, message: Part) -> None:
        """Write something worth knowing, each time: it may be about another study."""
        self.line(f"note: {self.worded(message)}")

    def show(self, progress: "CohortProgress", best: float | None) -> None:
        """Write where a cohort is, now and then, and always where it ends."""
        import time

        now = time.monotonic()
        last = self._written.setdefault(progress.cohort, now)
        if is_over(progress) or now - last >= LOG_SECONDS:
            self._written[progress.cohort] = now
            self.line(f"{title(progress)}: {standing(progress, best)}")

    def stop(self) -> None:
        """End after the segments under way."""
        super().stop()
        self._ending.set()

    def wait(self, seconds: float) -> None:
        """Return after some time, or when it is to end."""
        self._ending.wait(seconds)


@dataclass(frozen=True, slots=True)
class _Face:
    """What a service shows: lines of a log."""

    observer: ServiceLog
    service: ServeOptions
    storage: StorageOptions
    jobs: JobsOptions

    def apart(self, entry: "QueueRecord") -> int:
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
        raise Stopped(status) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ------------------------------------------------------------------------------------- submit


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What is submitted."""

    lab: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|PRESET",
            help="A lab file (docs/recipes.md) or a preset, as for `run`; or a recipe file, with "
            "--search (default: none, with --again).",
            show_default=False,
        ),
    ] = None
    again: Annotated[
        int | None,
        whole_option(
            SEARCH,
            "--again",
            "What was submitted as this entry, once more: to carry on with one that was cancelled, "
            "say (default: a file or preset).",
            metavar="ENTRY",
        ),
    ] = None
    search: Annotated[
        str | None,
        text_option(
            SEARCH,
            "--search",
            "KIND",
            "The search of a recipe file that states none, as in lambda "
            "(default: what the file states).",
        ),
    ] = None
    quick: Quick = False
    part: Parts = None
    fresh: Fresh = False
    study: Annotated[
        str | None,
        text_option(
            SEARCH,
            "--study",
            "NAME",
            "What the names of its studies begin with (default: the file's name).",
        ),
    ] = None


def submit(lab: SubmitOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """Put a lab in the queue of a service.

    It is stored whole, so that any machine that reaches the database can submit it, and checked
    first. Files of data and trainers that it names are the server's.

    Examples:
        python -m search submit my-lab.toml
        python -m search submit my-recipe.toml --search lambda
        python -m search submit cifar-linear --quick --storage course.db
        python -m search submit --again 3
    """
    from coarsefine.db import repository
    from coarsefine.db.engine import open_database
    from coarsefine.studies.labs.queue import entry_of, of_the_server, stored, submission
    from coarsefine.studies.labs.queue import submit as queued

    _check_submitted(lab)
    asked = None
    if lab.lab is not None:
        asked = submission(
            lab.lab,
            name=lab.study,
            search=lab.search,
            quick=lab.quick,
            parts=lab.part or (),
            fresh=lab.fresh,
        )
    with open_database(storage.url, create=asked is not None, said=note) as database:
        if asked is None:
            asked = stored(entry_of(database, lab.again or 0))
        entry = queued(database, asked, _whoever())
        before = [e for e in repository.queue(database, ("waiting", "running")) if e.id < entry.id]
    for name in of_the_server(asked):
        note(f"note: {one_line(name)} is for the machine that serves to have", quiet=output.quiet)
    if output.json:
        say_json(_to_json(entry, len(before) + 1))
        return
    say(f"entry {entry.id}: {one_line(entry.name)}, {len(before)} before it")
    say(f"\nnext: {typed('queue', storage=storage.storage)}")


def _check_submitted(lab: SubmitOptions) -> None:
    """Refuse a submission of nothing, or of two things at once."""
    if lab.again is None and lab.lab is None:
        raise UsageError("what is submitted is a lab file, a preset or --again ENTRY, got neither")
    others = {
        lab.lab: lab.lab is not None,
        "--search": lab.search is not None,
        "--quick": lab.quick,
        "--part": bool(lab.part),
        "--fresh": lab.fresh,
        "--study": lab.study is not None,
    }
    given = [name for name, is_given in others.items() if is_given]
    if lab.again is not None and given:
        raise UsageError(f"--again submits an entry as it was, got {given[0]}, too")


def _whoever() -> str:
    """Return who is at this machine, as far as it can tell."""
    import getpass
    import socket

    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user that has no name
        name = "somebody"
    found = f"{name}@{socket.gethostname()}"
    return found.encode("utf-8", "replace").decode()[:255]


# ------------------------------------------------------------------------------- queue and cancel


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Which entries."""

    everything: Annotated[
        bool,
        option(
            SERVICE,
            "--all",
            help=f"List all that have ended, too (default: the last {RECENT}).",
        ),
    ] = False


def queue(shown: QueueOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """List what is in the queue: what runs, what waits in which place, what has ended and how.

    Examples:
        python -m search queue
        python -m search queue --all --json
    """
    from coarsefine.db import repository
    from coarsefine.db.engine import open_database

    with open_database(storage.url, read_only=True) as database:
        entries = repository.queue(database)
        label = database.label
    ended = [e for e in entries if e.state not in {"waiting", "running"}]
    if not shown.everything:
        left_out = {e.id for e in ended[:-RECENT]}
        entries = [e for e in entries if e.id not in left_out]
    waiting = [e.id for e in entries if e.state == "waiting"]
    places = {entry_id: place for place, entry_id in enumerate(waiting, 1)}
    if output.json:
        say_json({"queue": [_to_json(e, places.get(e.id)) for e in entries]})
        return
    console = stdout()
    print_table(console, queue_table(label, entries, places))
    failed = [e for e in entries if e.error]
    for entry in failed:
        say(f"\n{entry.id} {entry.state}: {one_line(entry.error or '')}")


def queue_table(label: str, entries: "list[QueueRecord]", places: dict[int, int]) -> Any:
    """Return a line an entry."""
    from coarsefine.search.tables.column import TextColumn, fitting

    columns: list[TextColumn[QueueRecord]] = [
        TextColumn("entry", lambda e: str(e.id)),
        TextColumn("lab", lambda e: one_line(what(e)), right=False),
        TextColumn("state", lambda e: state_in_words(e, places.get(e.id)), right=False),
        TextColumn("progress", lambda e: one_line(e.progress), right=False, spare=1),
        TextColumn("submitted by", lambda e: one_line(e.submitted_by), right=False, spare=3),
        TextColumn("at (UTC)", lambda e: f"{e.submitted_at:%Y-%m-%d %H:%M}", right=False, spare=2),
    ]
    return fitting(stdout(), label, columns, entries)


def what(entry: "QueueRecord") -> str:
    """Return what was asked, in words."""
    from coarsefine.studies.labs.queue import stored

    asked = stored(entry)
    words = [entry.name]
    words += ["--quick"] if asked.quick else []
    words += [f"--part {name}" for name in asked.parts]
    return " ".join(words)


def state_in_words(entry: "QueueRecord", place: int | None) -> str:
    """Return where an entry stands."""
    if entry.state == "waiting":
        return f"waiting ({place})"
    if entry.state == "running" and entry.to_cancel:
        return "ending"
    return entry.state


@dataclass(frozen=True, slots=True)
class EntryArgument:
    """Which entry."""

    entry: Annotated[
        int,
        typer.Argument(
            metavar="ENTRY",
            help="Its number, as `queue` shows it.",
            parser=whole,
            show_default=False,
        ),
    ]


def cancel(entry: EntryArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Take an entry out of the queue.

    One that is being carried out ends after the segments under way; all that was trained is kept,
    and the same lab submitted again carries on with it.

    Examples:
        python -m search cancel 3
    """
    from coarsefine.db.engine import open_database
    from coarsefine.studies.labs.queue import cancel as cancelled

    with open_database(storage.url) as database:
        found = cancelled(database, entry.entry)
    if output.json:
        say_json(_to_json(found, None))
        return
    if found.state == "cancelled":
        say(f"entry {found.id} ({one_line(found.name)}) is cancelled")
    else:
        say(f"entry {found.id} ({one_line(found.name)}) ends after the segments under way")


def _to_json(entry: "QueueRecord", place: int | None) -> dict[str, Any]:
    from coarsefine.studies.labs.queue import stored

    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat(timespec="seconds")

    return {
        "entry": entry.id,
        "name": entry.name,
        **stored(entry).options,
        "state": entry.state,
        "place": place,
        "to_cancel": entry.to_cancel,
        "submitted_by": entry.submitted_by,
        "submitted_at": moment(entry.submitted_at),
        "started_at": moment(entry.started_at),
        "ended_at": moment(entry.ended_at),
        "tries": entry.tries,
        "progress": entry.progress,
        "error": entry.error,
        "answers": entry.answers,
        "driver": None if entry.driver_host is None else f"{entry.driver_host}:{entry.driver_pid}",
        "content": entry.content,
    }


def one_line(text: str) -> str:
    """Return a text such that it is one line and commands no terminal, whoever wrote it."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
