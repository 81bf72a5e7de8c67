"""Which training runs are trained together: cohorts, and how wide they are."""

import dataclasses
import heapq
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from models.cohort import CohortPlan
from models.specs import Hyperparameters, NetworkSpec, TrainingSpec

# What a cohort costs beside its trials, in trials: gathering the batch, Python, and matrix
# products that are too narrow. Fitted to the times of 1, 4 and 8 trials of 3072-50-10 (1.2) and
# of 784-10 (2.0) at batch size 100, one BLAS thread.
OVERHEAD = 1.5
# Wider cohorts gain nothing (16 trials of 3072-50-10 run at the rate of 8) and delay results.
WIDEST = 16


def cohort_widths(n_trials: int, n_replicates: int, n_workers: int) -> list[int]:
    """Return how many trials each cohort of a replicate trains, so that all end soonest.

    Every replicate is split alike, as evenly as can be.

    Args:
        n_trials: Trials of the same shapes and batch size; ``>= 1``.
        n_replicates: Seeds that each of them is trained with; ``>= 1``.
        n_workers: Cohorts that are trained at the same time; ``>= 1``.

    >>> cohort_widths(8, 1, 2)
    [4, 4]
    >>> cohort_widths(8, 2, 2)
    [8]
    """
    fewest = -(-n_trials // WIDEST)
    most = min(n_trials, fewest + n_workers)
    return min(
        (_even_split(n_trials, count) for count in range(fewest, most + 1)),
        key=lambda widths: (_makespan(widths * n_replicates, n_workers), len(widths)),
    )


def _even_split(total: int, count: int) -> list[int]:
    return [total // count + (index < total % count) for index in range(count)]


def _makespan(widths: Sequence[int], n_workers: int) -> float:
    """Return when the last cohort ends if each goes to the first free worker."""
    free = [0.0] * n_workers
    for width in sorted(widths, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + OVERHEAD + width)
    return max(free)


def plan_to_json(plan: CohortPlan) -> dict[str, Any]:
    """Return a plan as it is stored."""
    return dataclasses.asdict(plan)


def plan_from_json(stored: dict[str, Any]) -> CohortPlan:
    """Return the plan that ``plan_to_json`` wrote."""
    network = dict(stored["network"])
    network["hidden"] = tuple(network["hidden"])
    return CohortPlan(
        network=NetworkSpec(**network),
        training=TrainingSpec(**stored["training"]),
        trials=tuple(Hyperparameters(**trial) for trial in stored["trials"]),
        seed=stored["seed"],
        replicate=stored["replicate"],
    )


def segment_epochs(plan: CohortPlan, n_train: int, rate: float, seconds: float) -> int:
    """Return how many epochs take about ``seconds``, at least one.

    Args:
        plan: What is trained.
        n_train: Samples an epoch.
        rate: Multiply-adds a second, of training and measuring.
        seconds: What a segment should take: long enough that handing it over costs nothing,
            short enough that little is lost with it.
    """
    widths = plan.network.widths
    n_weights = sum(a * b for a, b in pairwise(widths))
    # Two products in the first layer (forward, gradient) and three in the others: 3 bounds both.
    per_epoch = 3 * n_weights * n_train * len(plan.trials)
    # An update costs some 60 µs however small it is.
    per_epoch_seconds = per_epoch / rate + plan.training.updates_per_epoch(n_train) * 6e-5
    return max(1, int(seconds / per_epoch_seconds))
