"""Ctrl-C and SIGTERM while a search runs: the first ends it gently, the second at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from coarsefine.search.console import note
from coarsefine.search.errors import INTERRUPTED, TERMINATED, Stopped
from coarsefine.search.progress import Watch


@contextmanager
def stoppable(watch: Watch) -> Iterator[None]:
    """Let signals ask ``watch`` to stop; a second one, or one before training, interrupts.

    Raises:
        Stopped: With the exit status that goes with the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    status = INTERRUPTED

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal status
        status = INTERRUPTED if number == signal.SIGINT else TERMINATED
        if watch.stop_requested or not watch.training:
            raise KeyboardInterrupt
        watch.stop()
        # Even with --quiet: somebody is there, and waits. A signal may come in the middle of
        # another line, which cannot be interrupted by a second one.
        with suppress(RuntimeError):
            note("stopping after the segments under way; press Ctrl-C again to stop at once")

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(status) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
