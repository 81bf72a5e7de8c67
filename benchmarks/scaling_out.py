"""What many workers ask of one driver: what a segment costs, measured; the cluster, simulated.

The driver's cost is measured with workers that are done at once, on a real database with real
checkpoints; Dask's with a real scheduler and two workers that return what they got; both as
processor time, which hardly depends on what else the machine does. The cluster itself is a model: a
queue each for the driver, the scheduler and its network, and workers that take so many seconds.
"""

import contextlib
import heapq
import importlib
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from unittest import mock

import numpy as np

from benchmarks.common import Options, Spread, Table, log, main, percent, seconds_of, short
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.models import cohort
from coarsefine.models.cohort import CohortState, Finished, initial_state
from coarsefine.models.segment import Segment, SegmentResult
from coarsefine.models.training import EpochRow
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import COARSE
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.running import ledger
from coarsefine.studies.running import loop as running
from coarsefine.studies.running.dask import executor as dask_executor
from coarsefine.studies.running.dask.address import scheduler_at
from coarsefine.studies.running.mirror import OptunaMirror
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.spaces.searches.registry import SEARCHES

WORKERS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
N_COHORTS, WIDTH = 6, 8
# What passes between a cluster's machines; bytes a second.
NETWORK = 10e9 / 8
# Tasks that tell what one costs Dask.
N_TASKS = 100


@dataclass(frozen=True, slots=True)
class Shape:
    """A network whose cohorts are trained.

    Attributes:
        n_epochs: A segment's.
        n_segments: A cohort's.
    """

    name: str
    n_features: int
    hidden: tuple[int, ...]
    n_epochs: int
    n_segments: int = 8


SHAPES = (
    Shape("3072-50-10", 3072, (50,), n_epochs=2),
    Shape("784-10", 784, (), n_epochs=10),
    Shape("64-50-10", 64, (50,), n_epochs=32),
)


@dataclass(frozen=True, slots=True)
class DriverCost:
    """What the driver's processor spends, in seconds, and what it writes.

    Attributes:
        checkpoint: Of a segment: to make bytes of the cohort's state.
        store: Of a segment: to write curves, results and checkpoint.
        rest: Of a segment: whatever else the run loop does.
        tell: Of a trial: to tell Optuna how it ended.
        segment_commits: Transactions of a segment.
        trial_commits: Transactions of a trial.
    """

    checkpoint: float
    store: float
    rest: float
    tell: float
    segment_commits: float
    trial_commits: float

    @property
    def segment(self) -> float:
        """Return what a segment takes, its trials' ends left out."""
        return self.checkpoint + self.store + self.rest


@dataclass(frozen=True, slots=True)
class DaskCost:
    """What a segment costs on its way, in seconds of a processor.

    Attributes:
        there: Bytes to a worker.
        back: Bytes from it.
        round_trip: Wall time of one alone.
    """

    driver: float
    scheduler: float
    worker: float
    there: int
    back: int
    round_trip: float


def run(options: Options) -> list[Table]:
    """Return what was measured, then what follows of it."""
    rounds = options.rounds or 3
    measured = Table(
        f"Measured: processor time in ms, a segment of {WIDTH} trials",
        (
            *("network", "checkpoint", "store", "rest", "tell, a trial"),
            *("Dask: driver", "scheduler", "worker", "round trip", "MB there / back"),
        ),
    )
    simulated = Table(
        "Simulated: share of their time that workers train",
        ("network", "a cohort trains", "segments", *(f"{n:,}" for n in WORKERS), "driver is full"),
        notes=[
            (
                f"cohorts of {WIDTH} trials; driver, scheduler and a network of 10 Gbit/s each do "
                "one thing at a time; no worker fails"
            ),
            (
                "driver is full: workers that take all of its time at that length of segments; "
                "where segments grow with the workers, at one a cohort"
            ),
        ],
    )
    written = Table(
        "Simulated: segments, database transactions and network traffic a second, cohorts that "
        "train for 10 minutes, segments as long as the run loop makes them",
        ("network", "what", *(f"{n:,}" for n in WORKERS)),
    )
    for shape in SHAPES:
        log(f"scaling out: {shape.name}")
        drivers = [driver_cost(shape) for _ in range(rounds)]
        dasks = [dask_cost(shape) for _ in range(rounds)]
        measured.rows.append(_measured_row(shape, drivers, dasks))
        log("  " + ", ".join(measured.rows[-1]))
        measured.notes = [
            (
                f"transactions: {drivers[0].segment_commits:.1f} a segment, "
                f"{drivers[0].trial_commits:.1f} a trial that is told"
            ),
            f"median (lowest–highest) of {rounds} rounds",
        ]
        driver = sorted(drivers, key=lambda cost: cost.segment)[rounds // 2]
        dask = sorted(dasks, key=lambda cost: cost.driver)[rounds // 2]
        simulated.rows.append(_share_row(shape, driver, dask, 600.0, fixed=True))
        simulated.rows += [_share_row(shape, driver, dask, s) for s in (15.0, 600.0, 7200.0)]
        written.rows += _written_rows(shape, driver, dask)
    return [measured, simulated, written]


def _measured_row(
    shape: Shape, drivers: list[DriverCost], dasks: list[DaskCost]
) -> tuple[str, ...]:
    def ms(values: list[float]) -> str:
        return str(Spread(tuple(value * 1e3 for value in values)))

    return (
        shape.name,
        *(ms([getattr(d, name) for d in drivers]) for name in ("checkpoint", "store", "rest")),
        ms([driver.tell for driver in drivers]),
        *(ms([getattr(d, name) for d in dasks]) for name in ("driver", "scheduler", "worker")),
        ms([dask.round_trip for dask in dasks]),
        f"{dasks[0].there / 1e6:.2f} / {dasks[0].back / 1e6:.2f}",
    )


def _share_row(
    shape: Shape, driver: DriverCost, dask: DaskCost, seconds: float, *, fixed: bool = False
) -> tuple[str, ...]:
    cells = []
    for n_workers in WORKERS:
        n_segments = split(driver, seconds, 0 if fixed else n_workers)
        cells.append(percent(simulated_cluster(n_workers, seconds, n_segments, driver, dask)[0]))
    n_segments = split(driver, seconds, 0) if fixed else 1
    full = seconds / (n_segments * (driver.segment + dask.driver) + WIDTH * driver.tell)
    manner = f"of {running.SEGMENT_SECONDS:g} s" if fixed else "grow with the workers"
    return shape.name, f"{seconds:,.0f} s", manner, *cells, f"{full:,.0f} workers"


def _written_rows(shape: Shape, driver: DriverCost, dask: DaskCost) -> list[tuple[str, ...]]:
    seconds = 600.0
    found: dict[str, list[str]] = defaultdict(list)
    for n_workers in WORKERS:
        n_segments = split(driver, seconds, n_workers)
        _, rate = simulated_cluster(n_workers, seconds, n_segments, driver, dask)
        commits = driver.segment_commits + WIDTH * driver.trial_commits / n_segments
        found["seconds a segment"].append(f"{seconds / n_segments:.0f}")
        found["segments a second"].append(short(rate))
        found["transactions a second"].append(short(rate * commits))
        found["MB a second"].append(short(rate * (dask.there + dask.back) / 1e6))
    return [(shape.name, what, *cells) for what, cells in found.items()]


def split(driver: DriverCost, seconds: float, n_workers: int) -> int:
    """Return how many segments a cohort's training is, as the run loop does it.

    Args:
        driver: What a segment and a trial cost it.
        seconds: Of training.
        n_workers: On a cluster; 0 is for segments that are as long as for a few.
    """
    n_segments = max(1, round(seconds / running.SEGMENT_SECONDS))
    for _ in range(100):
        storing = driver.segment + WIDTH * driver.tell / n_segments
        crowd = 2 * n_workers * storing / (running.STORING_SHARE * running.SEGMENT_SECONDS)
        n_segments = max(1, round(seconds / (running.SEGMENT_SECONDS * max(1.0, crowd))))
    return n_segments


# ------------------------------------------------------------------------- the driver, measured


class Ready:
    """Workers that are done at once, with states of the right size and made-up curves."""

    def __init__(self, n_workers: int, n_epochs: int) -> None:
        self.n_workers = n_workers
        self.n_segments = 0
        self.seconds = 0.0
        self._n_epochs = n_epochs
        self._queue: deque[Segment] = deque()

    def submit(self, segment: Segment) -> None:
        """Take a segment."""
        self._queue.append(segment)

    def next_result(self, seconds: float | None = None) -> SegmentResult:
        """Return what came of the oldest one at once, and count the time it takes to make it up."""
        started = time.process_time()
        result = made_up(self._queue.popleft(), self._n_epochs)
        self.n_segments += 1
        self.seconds += time.process_time() - started
        return result

    def close(self) -> None:
        """Forget all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Forget all."""


def made_up(segment: Segment, n_epochs: int) -> SegmentResult:
    """Return a result of the size that training has; segments hold ``n_epochs`` each."""
    before = segment.state if segment.state is not None else initial_state(segment.plan)
    total = segment.plan.training.n_epochs(N_TRAIN)
    epochs = range(before.epoch + 1, min(before.epoch + n_epochs, total) + 1)
    rows = [_row(slot, epoch) for epoch in epochs for slot in before.slots]
    state = replace(before.rows(range(len(before.slots))), epoch=epochs[-1], step=epochs[-1])
    if epochs[-1] == total:
        state = _finished(state)
    # The run loop asks for as many epochs as would have taken SEGMENT_SECONDS.
    seconds = len(epochs) * running.SEGMENT_SECONDS / (n_epochs + 0.5)
    return SegmentResult(segment.key, state, rows, seconds)


def _finished(state: CohortState) -> CohortState:
    done = {
        slot: Finished("complete", state.epoch, state.epoch, state.parameters.rows([i]), state.step)
        for i, slot in enumerate(state.slots)
    }
    return replace(state.rows([]), finished=done)


def _row(slot: int, epoch: int) -> EpochRow:
    accuracy = 1 - 1 / (epoch + slot + 2)
    return EpochRow(
        *(slot, epoch, epoch, 0.1, 1 - accuracy, 1 - accuracy, accuracy),
        *(1 - accuracy, 1 - accuracy, accuracy, 0.1, 0.01),
    )


N_TRAIN = 200


def driver_cost(shape: Shape) -> DriverCost:
    """Return what the driver does with each segment."""
    spent: dict[str, float] = defaultdict(float)
    counted: dict[str, int] = defaultdict(int)
    workers = Ready(N_COHORTS, shape.n_epochs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.npz"
        rng = np.random.default_rng(0)
        n = N_TRAIN + 100
        np.savez(
            path,
            x_train=rng.random((n, shape.n_features), np.float32),
            y_train=np.arange(n) % 10,
            x_test=rng.random((20, shape.n_features), np.float32),
            y_test=np.arange(20) % 10,
        )
        flags = {
            "data.name": str(path),
            "data.train": N_TRAIN,
            "data.validation": 100,
            "network.hidden": shape.hidden,
            "training.batch_size": 100,
            "training.epochs": shape.n_epochs * shape.n_segments,
        }
        values = tuple(float(v) for v in np.logspace(-5, -1, N_COHORTS * WIDTH))
        with open_database(str(Path(folder) / "search.db"), create=True) as database:
            resources = Resources(database, executor=workers, planned_for=N_COHORTS)
            request = StageRequest(values=values)
            with _timed(spent, counted):
                search = Search.begin(resources, SEARCHES["lambda"], Asked(flags=flags), request)
                search.stage(COARSE, request)
    n_segments, n_trials = workers.n_segments, N_COHORTS * WIDTH
    # What is done once a stage, such as to begin trials in Optuna, is no part of a segment's cost.
    loop = spent["segments"] - workers.seconds - spent["start"]
    rest = loop - spent["checkpoint"] - spent["store"] - spent["tell"]
    return DriverCost(
        checkpoint=spent["checkpoint"] / n_segments,
        store=spent["store"] / n_segments,
        rest=rest / n_segments,
        tell=spent["tell"] / n_trials,
        segment_commits=counted["store"] / n_segments,
        trial_commits=counted["tell"] / n_trials,
    )


@contextlib.contextmanager
def _timed(spent: dict[str, float], counted: dict[str, int]) -> Iterator[None]:
    """Add up the processor time of the run loop and of what it calls, and their transactions."""
    import sqlalchemy as sa

    n_commits = 0

    def committed(_connection: Any) -> None:
        nonlocal n_commits
        n_commits += 1

    def timing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started, before = time.process_time(), n_commits
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.process_time() - started
                counted[name] += n_commits - before

        return timed

    sa.event.listen(sa.Engine, "commit", committed)
    loop = running._StageRun
    try:
        with (
            mock.patch.object(
                ledger, "state_to_bytes", timing("checkpoint", cohort.state_to_bytes)
            ),
            mock.patch.object(
                repository, "store_segment", timing("store", repository.store_segment)
            ),
            mock.patch.object(OptunaMirror, "tell", timing("tell", OptunaMirror.tell)),
            mock.patch.object(OptunaMirror, "start", timing("start", OptunaMirror.start)),
            mock.patch.object(loop, "_train_until", timing("segments", loop._train_until)),
        ):
            yield
    finally:
        sa.event.remove(sa.Engine, "commit", committed)


# ------------------------------------------------------------------------------ Dask, measured


def echo(task: bytes, _sent: object) -> SegmentResult:
    """Return a result without training: what a worker is asked for here."""
    segment, _ = pickle.loads(task)
    return made_up(segment, 1)


ECHO = "__import__('importlib').import_module('benchmarks.scaling_out').echo(task, sent)"


def dask_cost(shape: Shape) -> DaskCost:
    """Return what it costs to have a segment brought to a worker, and its result back."""
    from coarsefine.models.cohort import CohortPlan
    from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec

    plan = CohortPlan(
        NetworkSpec(shape.n_features, shape.hidden, 10),
        TrainingSpec(100, 1000),
        tuple(Hyperparameters(l2_strength=0.001) for _ in range(WIDTH)),
        seed=0,
    )
    # As a driver has it in the middle of a training.
    made = made_up(Segment("0", plan, _Nowhere(), None, 1), 1)
    segment = Segment("0", plan, _Nowhere(), made.state, 1)
    there, back = len(pickle.dumps(segment, 5)), len(pickle.dumps(made, 5))
    with (
        _cluster(2) as (address, pids),
        mock.patch.object(dask_executor, "TRAIN", ECHO),
        dask_executor.DaskExecutor(scheduler_at(address)) as executor,
    ):
        workers = tuple(executor.worker_pids())
        _through(executor, segment, 10)
        started = time.perf_counter()
        for _ in range(20):
            _through(executor, segment, 1)
        round_trip = (time.perf_counter() - started) / 20
        groups = ((os.getpid(),), pids, workers)
        before = [sum(map(seconds_of, group)) for group in groups]
        _through(executor, segment, N_TASKS)
        after = [sum(map(seconds_of, group)) for group in groups]
    driver, scheduler, worker = ((b - a) / N_TASKS for a, b in zip(before, after, strict=True))
    return DaskCost(driver, scheduler, worker, there, back, round_trip)


def _through(executor: dask_executor.DaskExecutor, segment: Segment, n: int) -> None:
    """Have ``n`` segments done, a few at a time."""
    left = n
    while left or executor.n_under_way:
        while left and executor.n_under_way < executor.n_workers:
            executor.submit(segment)
            left -= 1
        executor.next_result()


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """Data that nobody opens."""

    def open(self) -> Any:
        """Refuse."""
        raise NotImplementedError


@contextlib.contextmanager
def _cluster(n_workers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the address of a scheduler on this machine's loopback, and its process id."""
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = Path(folder) / "scheduler.json"
        common = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
        scheduler = _process(stack, root, "scheduler", "--port", "0", *common)
        each = ("--nworkers", str(n_workers), "--nthreads", "1", "--local-directory", folder)
        while not (file.exists() and file.read_text().rstrip().endswith("}")):
            time.sleep(0.05)
        _process(stack, root, "worker", *each, *common)
        yield str(scheduler_at(str(file)).address), (scheduler,)


def _process(stack: contextlib.ExitStack, root: Path, kind: str, *words: str) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process.pid


# ------------------------------------------------------------------------ the cluster, simulated


def simulated_cluster(
    n_workers: int,
    seconds: float,
    n_segments: int,
    driver: DriverCost,
    dask: DaskCost,
    n_each: int = 24,
) -> tuple[float, float]:
    """Return the share of their time that workers train, and segments a second.

    A segment goes through the driver, the scheduler and the network to its worker, and back; each
    of the three does one thing at a time, in the order in which it is asked. As in the run loop, a
    worker has its next segment while it trains one, and what comes back is stored after that.

    Args:
        n_workers: All alike.
        seconds: Of a cohort's training; its segments each take between 0.8 and 1.2 of their part.
        n_segments: Of a cohort.
        driver: What a segment and a trial cost it.
        dask: What the way costs.
        n_each: Segments a worker; their beginning and end are part of the result.
    """
    rng = np.random.default_rng(0)
    wire = (dask.there + dask.back) / NETWORK
    free = [0.0, 0.0, 0.0]
    worker_free = [0.0] * n_workers
    trained = last = 0.0
    # When something reaches the driver, for which worker, and whether it brings a result.
    arrivals = [(0.0, worker, False) for worker in range(n_workers) for _ in range(2)]
    heapq.heapify(arrivals)
    left = n_each * n_workers
    while arrivals:
        moment, worker, brings = heapq.heappop(arrivals)
        free[0] = max(moment, free[0])
        if left:
            left -= 1
            moment = free[0] = free[0] + dask.driver
            for i, cost in ((1, dask.scheduler), (2, wire)):
                moment = free[i] = max(moment, free[i]) + cost
            taken = seconds / n_segments * rng.uniform(0.8, 1.2)
            ended = worker_free[worker] = max(moment, worker_free[worker]) + taken
            trained += taken
            heapq.heappush(arrivals, (ended, worker, True))
        if brings:
            # The ends of a cohort's trials are spread evenly: some cohort ends all the time.
            free[0] += driver.segment + WIDTH * driver.tell / n_segments
        last = max(last, free[0], worker_free[worker])
    return trained / (n_workers * last), n_each * n_workers / last


if __name__ == "__main__":
    # As workers know it: they cannot import what is `__main__` here.
    main(importlib.import_module("benchmarks.scaling_out").run, __doc__)
