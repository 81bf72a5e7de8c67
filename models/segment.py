"""A segment: some epochs of a cohort, what a worker is asked for at a time.

This is all that a worker process imports: networks, no database and no Optuna.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, CohortState, initial_state
from coarsefine.models.evaluation import SampleOutcomes
from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.models.plugin import Plugin, final_state, predicted, trained
from coarsefine.models.scoring import EvaluationRow
from coarsefine.models.training import EpochRow, Samples, train

# What is thrown away to warm up: a few updates, and not many samples where batches are large.
_FEW_UPDATES, _FEW_SAMPLES = 10, 5000


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
        plugin: A trainer of the user's, called once for the whole training of a cohort of one.
        warm_up: Whether a few updates are made and thrown away first, so that what is timed does
            not read its data for the first time, or wait for threads to start.
    """

    key: str
    plan: CohortPlan
    data: DataHandle
    state: CohortState | None
    n_epochs: int
    blas_threads: int = 1
    plugin: Plugin | None = None
    warm_up: bool = False


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What came of a segment.

    Attributes:
        rows: A row per trial and epoch.
        seconds: Wall time in the worker.
        failure: Why a trainer of the user's failed, in a line.
        outcomes: By slot, of the trials that ended in it and did not diverge: what each makes of
            every validation sample, packed by ``OutcomeCodec``. A trainer of the user's may do
            without.
        metrics: By epoch, what a trainer of the user's reported under other names.
        evaluations: A row per trial and evaluation, where epochs have several.
    """

    key: str
    state: CohortState
    rows: list[EpochRow]
    seconds: float
    failure: str | None = None
    outcomes: dict[int, bytes] = field(default_factory=dict)
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    evaluations: list[EvaluationRow] = field(default_factory=list)


def run_segment(segment: Segment) -> SegmentResult:
    """Train a segment: a pure function of what it is given."""
    started = time.perf_counter()
    if segment.plugin is not None:
        plan, plugin = segment.plan, segment.plugin
        n_classes = plan.network.n_classes
        with limited_blas(segment.blas_threads):
            data = segment.data.open()
            done = trained(plugin, data, n_classes, plan.seed, plan.replicate)
            seconds = time.perf_counter() - started
            state = final_state(plan, plugin, done)
            classes = predicted(done, state, data, n_classes)
        packed = {} if classes is None else {0: _codec(plan, data).pack(classes)}
        return SegmentResult(
            segment.key, state, done.rows, seconds, done.failure, packed, done.metrics
        )
    with limited_blas(segment.blas_threads):
        data = segment.data.open()
        if segment.warm_up:
            _warm_up(segment.plan, data)
            started = time.perf_counter()
        state = segment.state if segment.state is not None else initial_state(segment.plan)
        outcomes: dict[int, SampleOutcomes] = {}
        evaluations: list[EvaluationRow] = []
        state, rows = train(segment.plan, state, data, segment.n_epochs, outcomes, evaluations)
    seconds = time.perf_counter() - started
    packed = _packed(_codec(segment.plan, data), outcomes) if outcomes else {}
    return SegmentResult(
        segment.key, state, rows, seconds, outcomes=packed, evaluations=evaluations
    )


def _codec(plan: CohortPlan, data: Samples) -> OutcomeCodec:
    return OutcomeCodec(data.y_validation, plan.network.n_classes)


def _packed(codec: OutcomeCodec, outcomes: Mapping[int, SampleOutcomes]) -> dict[int, bytes]:
    return {
        slot: codec.pack(each.predicted[0].astype(np.int64), each.losses[0])
        for slot, each in outcomes.items()
    }


def _warm_up(plan: CohortPlan, data: Samples) -> None:
    """Read the samples once and train on a few, as the plan does, from weights of its own."""
    data.x_train.sum()
    n_updates = max(1, min(_FEW_UPDATES, _FEW_SAMPLES // plan.training.batch_size))
    short = replace(plan, training=replace(plan.training, n_updates=n_updates))
    train(short, initial_state(short), data, 1)
