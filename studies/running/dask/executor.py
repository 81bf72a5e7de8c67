"""Segments on a Dask cluster: trained wherever its scheduler finds a worker.

Dask hands out the tasks, and again those whose worker died; what it is told here is what a result
may depend on. Workers see no database: the driver alone writes.
"""

import asyncio
import contextlib
import os
import pickle
import queue
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from coarsefine.hints import option
from coarsefine.models.data import PreparedData
from coarsefine.models.data.shipping import packed
from coarsefine.models.segment import Segment, SegmentResult
from coarsefine.studies.errors import StudyError
from coarsefine.studies.running.dask import connection
from coarsefine.studies.running.dask.address import Scheduler
from coarsefine.studies.running.dask.connection import (
    connected,
    line,
    not_installed,
    quiet,
    uncollected,
)
from coarsefine.studies.running.dask.worker import DataMissing, Facts, Refused, Untrainable, facts
from coarsefine.studies.running.executors import MAX_TRIES

if TYPE_CHECKING:
    from distributed import Future

# How long to wait before it is said what for.
PATIENCE_SECONDS = 3.0
# How often the number of workers is asked for, and whether the scheduler is still there.
LOOK_SECONDS = 1.0
# Segments handed out for each worker: the next one is there when the last one is done, and a
# cluster that grows with what is asked of it has a reason to.
_FOR_EACH = 2

# What tasks are made of: text and bytes. A worker that cannot unpickle a task would lose touch with
# its scheduler, as would a scheduler; one that cannot import this package says so in an error.
_ON_WORKER = "__import__('importlib').import_module('coarsefine.studies.running.dask.worker')."
FACTS = f"{_ON_WORKER}facts()"
TRAIN = f"{_ON_WORKER}train_pickled(task, sent)"


@dataclass(slots=True)
class _Task:
    """A segment that is under way."""

    segment: Segment
    future: "Future | None" = None
    tries: int = 1


class DaskExecutor:
    """Trains on the workers of a Dask cluster; one that dies costs the segment it was at.

    Results are the same bits as in this process: workers must have the same trainer, NumPy and
    SciPy as the driver, and train one segment at a time in each of their processes.

    Args:
        scheduler: Where the cluster is reached.
        most: Segments under way at the most; ``None`` is as many as there is use for.
        said: Hears of what the user should know.

    Attributes:
        n_lost: Segments so far whose worker died, and which were trained once more.

    Raises:
        StudyError: If it cannot be reached, or its workers are not what they should be.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        most: int | None = None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._scheduler = scheduler
        self._most = most
        self._said = said
        self._facts = facts()
        self._tasks: dict[str, _Task] = {}
        self.n_lost = 0
        self._sent: dict[str, Future] = {}
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._looked = -LOOK_SECONDS
        self._n_processes = 0
        if scheduler.is_open:
            said(
                f"the cluster at {scheduler.address} is neither encrypted nor closed to others: "
                "whoever reaches its ports can run programs on it; tls:// is safe "
                "(docs/scaling.md)"
            )
        self._client = connected(scheduler)
        try:
            self._check_workers()
            self._client.subscribe_topic("all", self._heard)
        except BaseException:
            self.close()
            raise

    @property
    def n_processes(self) -> int:
        """Return how many worker processes there are now; at least 1."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._n_processes = len(self._threads())
        return max(1, self._n_processes)

    @property
    def n_workers(self) -> int:
        """Return how many segments may be under way: a few more than there are workers."""
        wanted = _FOR_EACH * self.n_processes
        return wanted if self._most is None else min(wanted, self._most)

    def submit(self, segment: Segment) -> None:
        """Hand a segment to the cluster."""
        self._send(_Task(segment))

    def next_result(self, seconds: float | None = None) -> SegmentResult:
        """Wait for a segment that is done, whichever.

        Raises:
            StudyError: If the cluster is gone, or a worker cannot do what it is asked for.
        """
        if not self._tasks:
            raise RuntimeError("no segment is being trained")
        waited_since, told = time.monotonic(), False
        while True:
            try:
                key, answer = self._answers.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                self._check_scheduler()
                late = time.monotonic() - waited_since > PATIENCE_SECONDS
                if late and not told and not self._threads():
                    told = True
                    self._said(self._waiting())
                continue
            task = self._tasks.pop(key, None)
            # A task may be answered after it was given up or sent again.
            if task is None:
                continue
            if isinstance(answer, SegmentResult):
                return answer
            self._resend_or_raise(task, answer)

    def close(self) -> None:
        """Leave the cluster: what is queued there is dropped, what is under way ends unheard."""
        self._tasks.clear()
        self._sent.clear()
        with quiet(), uncollected(), contextlib.suppress(Exception):
            self._client.close(timeout=connection.CONNECT_SECONDS)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()

    @property
    def n_under_way(self) -> int:
        """Return how many segments are waited for."""
        return len(self._tasks)

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers there are."""
        return list(self._client.run(os.getpid).values())

    # ------------------------------------------------------------------------------ one segment

    def _send(self, task: _Task, sent: "Future | None" = None) -> None:
        key = f"segment-{uuid.uuid4().hex}"
        self._tasks[key] = task
        with self._asking():
            pickled = pickle.dumps((task.segment, self._facts), protocol=5)
            sent_along = {"task": pickled, "sent": sent}
            task.future = self._client.submit(
                eval, TRAIN, sent_along, key=key, pure=False, retries=0
            )
            self._client.loop.add_callback(self._collect, key, task.future)

    async def _collect(self, key: str, future: "Future") -> None:
        """Fetch a result as soon as it is there: while the driver stores others."""
        try:
            answer = await self._client.gather(future, asynchronous=True)
        except (Exception, asyncio.CancelledError) as error:
            answer = _Undone(error)
        self._answers.put((key, answer))

    def _heard(self, event: Any) -> None:
        """Count which segments a worker that died was at; called by Dask's thread."""
        message = event[1]
        if not isinstance(message, dict) or message.get("action") != "remove-worker":
            return
        if message.get("expected"):
            return  # sent home, not dead
        for key in message.get("processing-tasks") or ():
            task = self._tasks.get(key)
            if task is not None:
                self.n_lost += 1
                task.tries += 1
                if task.tries > MAX_TRIES:
                    self._answers.put((key, _Deadly(str(message.get("worker")))))

    def _resend_or_raise(self, task: _Task, answer: Any) -> None:
        """Send a segment again that was not trained, or say why there is no use in it."""
        if isinstance(answer, DataMissing) and isinstance(task.segment.data, PreparedData):
            self._send(task, self._data(task.segment.data))
            return
        if isinstance(answer, Refused):
            raise StudyError(
                f"Dask workers must compute with what the driver has, or results would depend on "
                f"who trained them; {answer.worker} differs in {answer.differs}: install the same "
                "there, and run the same command again"
            )
        if isinstance(answer, Untrainable):
            raise StudyError(
                "a custom trainer must be importable on every Dask worker, from its working "
                f"folder or PYTHONPATH, and be the same file as here; {answer.worker} says: "
                f"{answer.reason}"
            )
        if isinstance(answer, Exception):
            raise answer
        error = answer.error if isinstance(answer, _Undone) else None
        if isinstance(answer, _Deadly) or type(error).__name__ == "KilledWorker":
            raise StudyError(
                f"a worker must survive its work, but {task.tries - 1} died over the same segment, "
                "or as many as the scheduler allows; see their logs, and if memory ran out, give "
                "them more or use a smaller ",
                option("training.batch_size"),
                "; start it again to carry on",
            ) from None
        if isinstance(error, ImportError):
            raise StudyError(not_installed("a worker", error)) from None
        self._check_scheduler()
        # What it needed is gone with the worker that kept it: scattered data, that is.
        if isinstance(task.segment.data, PreparedData):
            self._sent.pop(task.segment.data.key, None)
        task.tries += 1
        if task.tries > MAX_TRIES:
            raise StudyError(
                f"the cluster at {self._scheduler.address} must carry out its tasks, but dropped "
                f"one {MAX_TRIES} times: {line(error)}; run the same command again to carry on"
            )
        self._send(task)

    def _data(self, data: PreparedData) -> "Future":
        """Return the data on the cluster, sent there once."""
        if data.key not in self._sent:
            self._said(
                f"the data {data.name} are sent to the cluster once: not all workers have them "
                "(docs/scaling.md)"
            )
            with self._asking():
                self._sent[data.key] = self._client.scatter(packed(data), hash=False)
        return self._sent[data.key]

    # ---------------------------------------------------------------------------- the cluster

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            raise self._gone()

    def _gone(self) -> StudyError:
        return StudyError(
            f"the Dask scheduler at {self._scheduler.address} is gone; what was trained is stored: "
            "start it again, and run the same command to carry on"
        )

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Have a question that finds no scheduler any more end the search in a line."""
        try:
            with quiet():
                yield
        except StudyError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            # Dask has many names for it.
            if self._client.status != "running" or isinstance(error, OSError | TimeoutError):
                raise self._gone() from None
            raise

    def _threads(self) -> dict[str, int]:
        """Return how many threads each worker has."""
        # While it looks for its scheduler, a client would wait for half a minute.
        self._check_scheduler()
        with self._asking():
            return dict(self._client.nthreads())

    def _waiting(self) -> str:
        return (
            f"waiting for workers: the cluster at {self._scheduler.address} has none; start one "
            f"with: dask worker {self._scheduler.address} --nthreads 1"
        )

    def _check_workers(self) -> None:
        """Wait for the first worker, and check all there are.

        Those that come later are checked with each segment.
        """
        with self._asking():
            # A cluster that grows with what is asked of it has none before.
            first = self._client.submit(eval, FACTS, key=f"facts-{uuid.uuid4().hex}", pure=False)
            began, told = time.monotonic(), False
            while not first.done():
                time.sleep(0.02)
                self._check_scheduler()
                if not told and time.monotonic() - began > PATIENCE_SECONDS:
                    told = True
                    if not self._threads():
                        self._said(self._waiting())
            if (error := first.exception()) is not None:
                raise StudyError(not_installed("a worker", error)) from None
            found: dict[str, Any] = self._client.run(eval, FACTS, on_error="return")
        kernels = {self._facts.kernels}
        for worker, there in sorted(found.items()):
            if not isinstance(there, Facts):
                raise StudyError(not_installed(worker, there))
            differs = self._facts.against(there)
            if differs is not None:
                raise StudyError(
                    "Dask workers must compute with what the driver has, or results would depend "
                    f"on who trained them; {worker} differs in {differs}: install the same there"
                )
            kernels.add(there.kernels)
        if len(kernels) > 1:
            self._said(
                "workers and driver have different processors, whose BLAS rounds differently: "
                "results may differ in their last digits with who trained them; "
                "OPENBLAS_CORETYPE=Haswell for all of them makes them alike"
            )
        threads = self._threads()
        shared = sum(n > 1 for n in threads.values())
        if shared:
            self._said(
                f"{shared} of {len(threads)} workers have several threads, of which one is used: "
                "a process trains one segment at a time; start them with --nthreads 1, and as many "
                "as there are cores with --nworkers"
            )


@dataclass(frozen=True, slots=True)
class _Deadly:
    """An answer of ours: a segment took down worker after worker.

    Attributes:
        worker: The last of them.
    """

    worker: str


@dataclass(frozen=True, slots=True)
class _Undone:
    """An answer of Dask's: a task has no result.

    Attributes:
        error: Why.
    """

    error: BaseException
