"""The queue's service at work: what it allows, what it shows, and the dashboard beside it."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from coarsefine.db.connections.engine import open_database
from coarsefine.db.queue_records import QueueRecord
from coarsefine.hints import HintedError
from coarsefine.models.data.locate import checked_data_dir
from coarsefine.search.commands.dashboarding import check_port, own_names
from coarsefine.search.commands.queueing import to_json
from coarsefine.search.dashboard.server import HOST, PORT, Server
from coarsefine.search.dashboard.serving import make_app
from coarsefine.search.ending import tell
from coarsefine.search.errors import DONE, FAILED, UsageError
from coarsefine.search.hints import spelled, without_password
from coarsefine.search.options import JobsOptions, StorageOptions
from coarsefine.search.options.serving import ServeOptions
from coarsefine.search.service_log import ServiceLog, one_line
from coarsefine.studies.labs.rules import Rules
from coarsefine.studies.labs.service import Service
from coarsefine.studies.running.resources import Resources

Apart = Callable[[ServeOptions, StorageOptions, JobsOptions, str], None]

# How often a service looks whether it is to end while another process is at an entry.
_LOOK_SECONDS = 0.2


def serve_until(
    ended: threading.Event,
    watch: ServiceLog,
    asked: tuple[ServeOptions, StorageOptions, JobsOptions],
    only: str | None,
    apart: Apart,
) -> int:
    """Serve the queue, or one entry of it, until it is to end.

    Args:
        ended: Set when it is.
        watch: Its log.
        asked: Of the service, of where studies are kept, and of who trains.
        only: The UUID of the only entry that is carried out; ``None`` for all.
        apart: Carries out an entry in a process of its own.

    Returns:
        The exit status.
    """
    service, storage, jobs = asked
    _check_network(service)
    jobs.check()
    # Before it begins: a file that cannot be used is no reason to fail in the midst of an entry.
    jobs = replace(jobs, end=jobs.end.of_service)
    data_dir = checked_data_dir(service.data_dir)
    named = service.files or [Path.cwd(), *([] if data_dir is None else [data_dir])]
    rules = Rules(tuple(named), service.allow_plugins)
    face = _Face(watch, service, storage, jobs, apart_in=apart)
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
    apart_in: Apart

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
            target=self.apart_in, args=(alone, self.storage, self.jobs, entry.uuid)
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
