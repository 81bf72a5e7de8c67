"""Our side: a coarse search as the command carries it out, with a clock at each step."""

import gc
import math
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from benchmarks.common import n_cores, processor_seconds, seconds_of
from benchmarks.work import Work
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.models.data import PreparedData
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.kernels.choice import COMPILED
from coarsefine.models.segment import Segment, SegmentResult
from coarsefine.studies.planning import kernels
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import COARSE, find_stage
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.executors import Executor, ProcessExecutor
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search as Searched
from coarsefine.studies.spaces.searches.registry import SEARCHES


@dataclass(frozen=True, slots=True)
class Search:
    """One coarse search.

    Attributes:
        seconds: Wall time, from the request to the last trial told.
        training_seconds: Worker time spent on updates.
        evaluation_seconds: Worker time spent on loss and accuracy.
        busy_seconds: Worker time spent on segments: both, and what is between them.
        worker_seconds: Worker time there was: wall time by workers.
        tail_seconds: Of that, the time after a worker's last segment while another was at work.
        driver_seconds: Processor time of the process that stores and tells.
        processor_seconds: Processor time of it and its workers.
        others: Share of the cores that other processes used meanwhile.
        accuracies: By λ.
        widths: Trials of each cohort.
        kernel: What made the updates.
        waiting: Worker time without a segment, by reason.
    """

    seconds: float
    training_seconds: float
    evaluation_seconds: float
    busy_seconds: float
    worker_seconds: float
    tail_seconds: float
    driver_seconds: float
    processor_seconds: float
    others: float
    accuracies: Mapping[float, float]
    widths: tuple[int, ...] = ()
    kernel: str = "numpy"
    waiting: Mapping[str, float] = field(default_factory=dict)

    @property
    def waited(self) -> float:
        """Return the share of the workers' time spent waiting for the driver."""
        lost = self.worker_seconds - self.busy_seconds - self.tail_seconds
        return max(0.0, lost) / self.worker_seconds

    def mean_accuracy(self, l2_strengths: tuple[float, ...]) -> float:
        """Return the mean validation accuracy of some of the trials."""
        return sum(self.accuracies[value] for value in l2_strengths) / len(l2_strengths)


class Clock:
    """An executor that passes everything on and notes when."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self.clear()

    def clear(self) -> None:
        """Forget what was noted."""
        self.first_submit: float | None = None
        self.ends: list[float] = []
        self.busy = 0.0

    @property
    def n_workers(self) -> int:
        """Return the workers."""
        return self._inner.n_workers

    def submit(self, segment: Segment) -> None:
        """Pass it on."""
        if self.first_submit is None:
            self.first_submit = time.perf_counter()
        self._inner.submit(segment)

    def next_result(self, seconds: float | None = None) -> SegmentResult | None:
        """Pass it on."""
        result = self._inner.next_result(seconds)
        if result is not None:
            self.ends.append(time.perf_counter())
            self.busy += result.seconds
        return result

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class ReadyResources(Resources):
    """Resources whose data is prepared: reading and splitting it is set-up."""

    data: PreparedData | None = None

    def prepared(self, spec: DataSpec) -> PreparedData:
        """Return the data."""
        assert self.data is not None
        assert self.data.spec == spec
        return self.data


class Ours:
    """Workers that are started, and searches on them, each in a database of its own."""

    def __init__(self, n_workers: int | None = None) -> None:
        gc.set_threshold(500_000)  # as the command does
        executor = ProcessExecutor(n_workers or n_cores())
        executor.start()
        self._pids = (os.getpid(), *executor.worker_pids())
        self.clock = Clock(executor)

    def search(self, work: Work, *, compiled: bool = True, **wanted: Any) -> Search:
        """Carry out a coarse search.

        Args:
            work: What is searched.
            compiled: Train with the kernel that is quickest by estimate once it is compiled, as the
                peers' programs are before the clock runs; otherwise with the reference.
            **wanted: Of the stage's request; all values of the work if there is none.
        """
        asked = wanted or {"values": work.l2_strengths}
        start_seconds = dict.fromkeys(COMPILED, 0.0 if compiled else math.inf)
        with (
            patch.object(kernels, "START_SECONDS", start_seconds),
            tempfile.TemporaryDirectory() as folder,
            open_database(str(Path(folder) / "search.db"), create=True) as database,
        ):
            resources = ReadyResources(database, executor=self.clock, data=work.task.data)
            self.clock.clear()
            all_before, own_before = processor_seconds(), self._own_seconds()
            started, processor = time.perf_counter(), time.process_time()
            request = StageRequest(**asked)
            name, asked_recipe = work.name.lower(), Asked(flags=work.flags)
            searched = Searched.begin(resources, SEARCHES["lambda"], asked_recipe, request, name)
            searched.stage(COARSE, request)
            ended, processor_ended = time.perf_counter(), time.process_time()
            all_after, own_after = processor_seconds(), self._own_seconds()
            rows = repository.epoch_rows(database, study=searched.study)
            stage = find_stage(database, searched.study, COARSE)
            assert stage is not None
            plan = repository.load_plan(database, stage)
            ranking = read_ranking(database, searched.study)
        others = 0.0
        if all_before is not None and all_after is not None:
            others = max(0.0, all_after - all_before - (own_after - own_before))
        clock, n_workers = self.clock, self.clock.n_workers
        last = clock.ends[-1]
        # The last result of each worker but the last one: after it, nothing was left to hand out.
        tail = sum(last - end for end in clock.ends[-n_workers:])
        first = clock.first_submit or started
        return Search(
            seconds=ended - started,
            training_seconds=sum(row.seconds or 0.0 for row in rows),
            evaluation_seconds=sum(row.evaluation_seconds or 0.0 for row in rows),
            busy_seconds=clock.busy,
            worker_seconds=n_workers * (ended - started),
            tail_seconds=tail,
            driver_seconds=processor_ended - processor,
            processor_seconds=own_after - own_before,
            others=others / (ended - started) / n_cores(),
            accuracies={
                float(trial.params["lambda"]): trial.validation_accuracy or 0.0
                for trial in ranking.trials
            },
            widths=tuple(len(cohort.plan["trials"]) for cohort in plan.cohorts),
            kernel=plan.cohorts[0].plan["kernel"],
            waiting={
                "before the first segment": first - started,
                "after the last segment": ended - last,
            },
        )

    def _own_seconds(self) -> float:
        return sum(seconds_of(pid) for pid in self._pids)

    def close(self) -> None:
        """Stop the workers."""
        self.clock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
