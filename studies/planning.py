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


# Multiply-adds a second, of training and measuring, that a core is assumed to make.
RATE = 2e10
# What an update costs however small it is.
UPDATE_SECONDS = 6e-5


def epoch_seconds(plan: CohortPlan, n_train: int) -> float:
    """Return about how long a core takes for an epoch of ``n_train`` samples."""
    n_weights = sum(a * b for a, b in pairwise(plan.network.widths))
    # Two products in the first layer (forward, gradient) and three in the others: 3 bounds both.
    n_products = 3 * n_weights * n_train * len(plan.trials)
    n_updates = min(plan.training.n_updates, plan.training.updates_per_epoch(n_train))
    return n_products / RATE + n_updates * UPDATE_SECONDS


def estimated_seconds(stored: dict[str, Any], n_train: int) -> float:
    """Return about how long a core takes for a whole stored plan."""
    plan = plan_from_json(stored)
    return epoch_seconds(plan, n_train) * plan.training.n_epochs(n_train)
