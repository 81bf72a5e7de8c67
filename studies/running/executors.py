"""Where segments are trained: in this process, or in worker processes that may die."""

import atexit
import contextlib
import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Final, Literal, Protocol, Self

from coarsefine.hints import option
from coarsefine.models.segment import Segment, SegmentResult, run_segment
from coarsefine.studies.errors import StudyError

# How often a segment may take its worker down before the search gives up.
MAX_TRIES = 3

# Copies of this process are at work in a hundredth of a second, new ones in a third.
Start = Literal["fork", "spawn"]
_THREADS: Final = Path("/proc/self/task")


class Executor(Protocol):
    """Trains segments, some at a time."""

    @property
    def n_workers(self) -> int:
        """Return how many segments are trained at the same time."""

    def submit(self, segment: Segment) -> None:
        """Take a segment; returns at once."""

    def next_result(self, seconds: float | None = None) -> SegmentResult | None:
        """Wait for one of the segments submitted and return what came of it.

        Args:
            seconds: To wait at the most, where the workers end when this is closed; ``None`` if
                it takes as long as it takes.

        Returns:
            ``None`` if there is none by then.

        Raises:
            StudyError: If a segment took down its worker again and again.
        """

    def close(self) -> None:
        """Stop the workers, whatever they are doing."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *exception: object) -> None:
        """Close."""


def make_executor(n_workers: int, start: Start = "spawn") -> Executor:
    """Return an executor of ``n_workers``; a single one needs no process of its own."""
    return InlineExecutor() if n_workers == 1 else ProcessExecutor(n_workers, start)


def may_be_copied() -> bool:
    """Return whether this process may be forked: it has one thread, which Linux alone tells.

    Of several, a copy has the one that forks alone, and whatever lock another holds is never given
    back. Systems' own libraries of other kinds of computers start threads of their own.
    """
    try:
        return sum(1 for _ in _THREADS.iterdir()) == 1
    except OSError:
        return False


class InlineExecutor:
    """Trains in this process, when asked for the result."""

    n_workers = 1

    def __init__(self) -> None:
        self._queue: deque[Segment] = deque()

    def submit(self, segment: Segment) -> None:
        """Queue a segment."""
        self._queue.append(segment)

    def next_result(self, seconds: float | None = None) -> SegmentResult:
        """Train the oldest segment, however long it takes."""
        return run_segment(self._queue.popleft())

    def close(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    segment: Segment | None = None
    tries: int = 0


class ProcessExecutor:
    """Trains in processes of its own; a worker that dies costs the segment it was at.

    The standard library's pools do not survive the death of a worker. A pipe each is all that
    is needed: segments are seconds long, and whoever dies is known by its pipe.

    Args:
        n_workers: Processes.
        start: ``fork`` makes them copies of this one, which ``may_be_copied``.
    """

    def __init__(self, n_workers: int, start: Start = "spawn") -> None:
        self.n_workers = n_workers
        self._context = (
            multiprocessing.get_context("fork")
            if start == "fork"
            else multiprocessing.get_context("spawn")
        )
        self._workers: list[_Worker] = []
        self._queue: deque[tuple[Segment, int]] = deque()

    def start(self) -> None:
        """Start all workers now rather than when there is work for them."""
        while len(self._workers) < self.n_workers:
            self._start()

    def submit(self, segment: Segment) -> None:
        """Hand a segment to a free worker, or queue it."""
        self._queue.append((segment, 1))
        self._hand_out()

    def next_result(self, seconds: float | None = None) -> SegmentResult | None:
        """Wait for a worker."""
        until = math.inf if seconds is None else time.monotonic() + seconds
        while True:
            busy = {worker.pipe: worker for worker in self._workers if worker.segment is not None}
            if not busy:
                raise RuntimeError("no segment is being trained")
            left = max(0.0, until - time.monotonic())
            ready = multiprocessing.connection.wait(list(busy), None if math.isinf(left) else left)
            if not ready:
                return None
            for pipe in ready:
                worker = busy[pipe]  # type: ignore[index]
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    self._replace(worker)
                    continue
                worker.segment = None
                self._hand_out()
                if isinstance(answer, BaseException):
                    raise answer
                result: SegmentResult = answer
                return result

    def close(self) -> None:
        """Stop all workers."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            _end_children(worker.process)
        self._workers.clear()
        atexit.unregister(self.close)
        self._queue.clear()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers there are."""
        return [worker.process.pid or 0 for worker in self._workers]

    def _hand_out(self) -> None:
        while self._queue:
            worker = next((w for w in self._workers if w.segment is None), None)
            if worker is None and len(self._workers) < self.n_workers:
                worker = self._start()
            if worker is None:
                return
            worker.segment, worker.tries = self._queue.popleft()
            # A worker that died while idle is noticed by the next read of its pipe.
            with contextlib.suppress(OSError):
                worker.pipe.send(worker.segment)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        # No daemon, which may not have children: trainers may use processes of their own. Whoever
        # leaves without closing must not be waited for.
        process = self._context.Process(target=serve, args=(theirs,), name="coarsefine-worker")
        atexit.register(self.close)
        with _deaf_to_interrupts(), _without_main(), _silent_tracker():
            process.start()
        # Ours alone must keep the pipe open, or the death of the worker would go unnoticed.
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _replace(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        _end_children(worker.process)
        segment, tries = worker.segment, worker.tries
        if segment is None:
            return
        if tries >= MAX_TRIES:
            raise StudyError(
                f"a worker process must survive its work, but {tries} died over the same segment, "
                f"the last with exit code {worker.process.exitcode}; if memory ran out, use fewer ",
                option("jobs"),
                " or a smaller ",
                option("training.batch_size"),
                ", and start it again to carry on",
            )
        self._queue.appendleft((segment, tries + 1))
        self._hand_out()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Have a process that is started meanwhile ignore Ctrl-C from its first moment on.

    What is ignored stays so in a new process; until it could say so itself, a second would pass.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Have a process that is started meanwhile leave the user's script alone.

    A spawned process imports its parent's main module first. Of a script that searches without
    ``if __name__ == "__main__"`` it would carry out the search once more, and of any other it costs
    the time of its imports; a worker needs none of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _silent_tracker() -> Iterator[None]:
    """Have Python's keeper of semaphores, if it is started meanwhile, remove them without a word.

    Those of a trainer's own processes are left where a worker is ended at once. The keeper would
    warn of them when all else has ended.
    """
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    try:
        yield
    finally:
        sys.warnoptions.pop()


def _end_children(process: BaseProcess) -> None:
    """End the processes that a worker, which has ended, has left."""
    if process.pid is not None and hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # none are left
            os.killpg(process.pid, signal.SIGKILL)


def _end_with_parent() -> None:
    """Have this process and its children end when its parent does, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # A group of its own, so that its children are known, and nobody else is meant.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    sentinel = parent.sentinel

    def wait() -> None:
        multiprocessing.connection.wait([sentinel])
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def serve(pipe: Connection) -> None:
    """Train what comes through the pipe until it closes: the main function of a worker."""
    _end_with_parent()
    # Ctrl-C reaches every process of the terminal; when to stop is for the driver to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            segment = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: object = run_segment(segment)
        except Exception as error:
            answer = error
        try:
            pipe.send(answer)
        except OSError:
            return
