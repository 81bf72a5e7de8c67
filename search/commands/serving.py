"""``serve``: carries out what is submitted, one by one."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from coarsefine.search.errors import FAILED, INTERRUPTED, TERMINATED, Stopped
from coarsefine.search.interrupts import of_this_process
from coarsefine.search.options import JobsOptions, StorageOptions
from coarsefine.search.options.serving import ServeOptions
from coarsefine.search.service_log import ServiceLog


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
        # Loading it takes most of that second.
        from coarsefine.search.commands.queue_service import serve_until

        return serve_until(ended, watch, (service, storage, jobs), only, _apart)


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
