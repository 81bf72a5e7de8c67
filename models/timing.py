"""What training costs here and now: a few updates and evaluations, timed and thrown away."""

from dataclasses import dataclass, replace
from typing import Final

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.segment import DataHandle
from coarsefine.models.training import EpochRow, Samples, train

# Samples that are evaluated: enough to fill some blocks.
_SAMPLES: Final = 1000
# Updates that come before those that are timed, and of these at the most.
_WARM_UP, _MOST = 2, 400
# Longer than any training that is timed: its last evaluation is another one.
_ENDLESS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cohort costs.

    Attributes:
        update: Seconds an update.
        evaluation: Seconds to evaluate a sample.
    """

    update: float
    evaluation: float


@dataclass(frozen=True, slots=True)
class _Few:
    """The first samples of each split."""

    x_train: Array
    y_train: Labels
    x_validation: Array
    y_validation: Labels
    sample_shape: tuple[int, ...]

    @classmethod
    def of(cls, data: Samples, n_train: int) -> "_Few":
        return cls(
            data.x_train[:n_train],
            data.y_train[:n_train],
            data.x_validation[:_SAMPLES],
            data.y_validation[:_SAMPLES],
            data.sample_shape,
        )


def timed(plan: CohortPlan, data: DataHandle, seconds: float, blas_threads: int = 1) -> Cost:
    """Return what a cohort costs, whatever else this machine does at the moment.

    Args:
        plan: What is trained; of its trials, those that diverge at once are timed no further.
        data: Its samples.
        seconds: About how long this may take; an update is timed in any case.
        blas_threads: On which each product is made.
    """
    spec = plan.training
    endless = replace(
        plan,
        training=replace(
            spec, n_updates=_ENDLESS, evaluations=1, evaluate_every=None, diverged_at=None
        ),
    )
    with limited_blas(blas_threads):
        samples = data.open()
        if plan.kernel != "numpy":
            # It compiles at first, or reads what was compiled: seconds that are no update's.
            _epoch(endless, samples, 1)
        most = max(1, min(_MOST, len(samples.y_train) // spec.batch_size))
        rows, n_updates = _epoch(endless, samples, min(_WARM_UP, most)), min(_WARM_UP, most)
        each = sum(row.seconds for row in rows if row.epoch) / n_updates
        n_updates = max(1, min(most, int(seconds / max(each, 1e-6))))
        rows = _epoch(endless, samples, n_updates)
    n_looked_at = min(spec.train_samples or _ENDLESS, n_updates * spec.batch_size)
    n_looked_at += min(_SAMPLES, len(samples.y_validation))
    # Before the first update and after the last one.
    evaluations = sum(row.evaluation_seconds for row in rows) / 2
    return Cost(sum(r.seconds for r in rows if r.epoch) / n_updates, evaluations / n_looked_at)


def _epoch(plan: CohortPlan, samples: Samples, n_updates: int) -> list[EpochRow]:
    few = _Few.of(samples, n_updates * plan.training.batch_size)
    return train(plan, initial_state(plan), few, 1)[1]


def shape_of(plan: CohortPlan) -> tuple[object, ...]:
    """Return what decides what an update of a cohort costs, but the samples' number."""
    training = replace(plan.training, n_updates=1)
    return plan.network, training, plan.kernel, len(plan.trials)
