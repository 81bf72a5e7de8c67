"""A segment: some epochs of a cohort, what a worker is asked for at a time.

This is all that a worker process imports: networks, no database and no Optuna.
"""

import time
from dataclasses import dataclass
from typing import Protocol

from models.blas_threads import limited_blas
from models.cohort import CohortPlan, CohortState, initial_state
from models.training import EpochRow, Samples, train


class DataHandle(Protocol):
    """Where a worker finds its data: small, and sent to processes in place of arrays."""

    def open(self) -> Samples:
        """Return the arrays, memory-mapped."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some epochs to be trained.

    Attributes:
        key: Names the cohort for whoever asks.
        state: Where to go on from; ``None`` at the start.
        n_epochs: Fewer are trained where the training ends before.
        blas_threads: Part of the plan: results depend on how a product is split.
    """

    key: str
    plan: CohortPlan
    data: DataHandle
    state: CohortState | None
    n_epochs: int
    blas_threads: int = 1


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What came of a segment.

    Attributes:
        rows: A row per trial and epoch.
        seconds: Wall time in the worker.
    """

    key: str
    state: CohortState
    rows: list[EpochRow]
    seconds: float


def run_segment(segment: Segment) -> SegmentResult:
    """Train a segment: a pure function of what it is given."""
    started = time.perf_counter()
    with limited_blas(segment.blas_threads):
        state = segment.state if segment.state is not None else initial_state(segment.plan)
        state, rows = train(segment.plan, state, segment.data.open(), segment.n_epochs)
    return SegmentResult(segment.key, state, rows, time.perf_counter() - started)
