"""Ctrl-C and SIGTERM: the first ends a search gently, the second, or one before training, at once.

All other commands are ended at once.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from coarsefine.search.console import note
from coarsefine.search.errors import INTERRUPTED, TERMINATED, Stopped

if TYPE_CHECKING:
    from coarsefine.search.progress import Watch

Handler = Callable[[int, FrameType | None], None]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
# Handlers that act in one process; processes that are forked from it do without.
_own: WeakSet[Handler] = WeakSet()
_thread = threading.local()
# Whether the command of this context has begun what it would carry on with.
_begun: ContextVar[bool] = ContextVar("begun", default=False)


def of_this_process(handler: Handler) -> Handler:
    """Return a signal handler that acts in the process that it is made in, and nowhere else.

    A process that a trainer forks would inherit it, and tell its parent's search to stop rather
    than end. There, signals do what they do to any program.
    """
    _watch_forks()

    def hear(number: int, frame: FrameType | None) -> None:
        handler(number, frame)

    _own.add(hear)
    return hear


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)


def _hold() -> None:
    # Python forgets the signals that reach a process before it is fully forked: a pool that ends
    # its processes at once would wait for them for ever. What is held back here comes later.
    if _own:
        _thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _release() -> None:
    mask, _thread.mask = getattr(_thread, "mask", None), None
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _forget() -> None:
    if signal.getsignal(signal.SIGINT) in list(_own):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) in list(_own):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release()


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: what it has opened is closed, and removed.

    A second one is not waited for by anybody.

    Raises:
        Stopped: With the exit status that goes with the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    status, begun = INTERRUPTED, _begun.set(False)

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal status
        status = TERMINATED
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, of_this_process(hear))
    try:
        yield
    except KeyboardInterrupt:
        # What SIGTERM raises may get lost in a callback of SQLite, which ends its statement.
        raise Stopped(status, resumable=_begun.get()) from None
    finally:
        signal.signal(signal.SIGTERM, before)
        _begun.reset(begun)


@contextmanager
def stoppable(watch: "Watch", *, resumable: bool = True) -> Iterator[None]:
    """Let signals ask ``watch`` to stop; a second one, or one before training, interrupts.

    Args:
        watch: Of what is trained.
        resumable: Whether the same command carries on with what it has stored.

    Raises:
        Stopped: With the exit status that goes with the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    _begun.set(resumable)
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

    own = of_this_process(hear)
    before = {number: signal.signal(number, own) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(status, resumable=resumable) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
