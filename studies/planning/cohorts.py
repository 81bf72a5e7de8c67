"""Which training runs are trained together: cohorts, and how wide they are."""

import dataclasses
import heapq
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.plugin import Plugin
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec

# What an update costs, in seconds, fitted to updates of 3072-50-10, 784-10, 784-64-10 and 64-50-10
# at batch sizes 1 to 100 with 1 to 64 trials, on a core that multiplies large matrices at 1.6e11
# floating-point operations a second (benchmarks/cohort_cost.py measures it). Only the proportions
# matter for how trials are put together, and those hardly differ between machines.
_PER_UPDATE = 12e-6
_PER_INPUT = 1.4e-9  # of each number of the batch: gathered once, and packed for each product
_PER_TRIAL = 2e-6
_PER_OPERATION = 1 / 1.5e11
# Weights of a cohort, in bytes: past this they fall out of the cache, and cost more each.
_MOST_BYTES = 10 * 2**20
# Past this nothing is gained, and results come late.
_WIDEST = 64
# So many ways to split trials are weighed: of thousands on a cluster, each takes its time.
_MOST_COUNTS = 256


def update_seconds(network: NetworkSpec, batch_size: int, n_trials: int) -> float:
    """Return about how long a core takes for one update of a cohort."""
    first, *others = (a * b for a, b in pairwise(network.widths))
    # Forward and gradient in every layer, and what is passed on below all but the first.
    operations = 2 * batch_size * (2 * first + 3 * sum(others))
    per_trial = _PER_TRIAL + operations * _PER_OPERATION
    return _PER_UPDATE + batch_size * network.n_features * _PER_INPUT + n_trials * per_trial


def widest(network: NetworkSpec) -> int:
    """Return how many trials a cohort holds at the most."""
    n_bytes = 4 * sum(a * b for a, b in pairwise(network.widths))
    return max(1, min(_WIDEST, _MOST_BYTES // n_bytes))


def cohort_widths(
    network: NetworkSpec, batch_size: int, n_trials: int, n_replicates: int, n_workers: int
) -> list[int]:
    """Return how many trials each cohort of a replicate trains, so that all end soonest.

    Every replicate is split alike, as evenly as can be.

    Args:
        network: What is trained; with the batch size it decides what a wider cohort saves.
        batch_size: Samples an update.
        n_trials: Trials of the same shapes and batch size; ``>= 1``.
        n_replicates: Seeds that each of them is trained with; ``>= 1``.
        n_workers: Cohorts that are trained at the same time; ``>= 1``.

    >>> cohort_widths(NetworkSpec(3072, (50,), 10), 100, 8, 1, 2)
    [4, 4]
    >>> cohort_widths(NetworkSpec(3072, (50,), 10), 100, 8, 2, 2)
    [8]
    """
    fewest = -(-n_trials // widest(network))
    most = min(n_trials, fewest + n_workers)

    def ends(widths: list[int]) -> float:
        seconds = [update_seconds(network, batch_size, width) for width in widths]
        return makespan(seconds * n_replicates, n_workers)

    return min(
        (
            _even_split(n_trials, count)
            for count in _counts(fewest, most, n_workers // n_replicates)
        ),
        key=lambda widths: (ends(widths), len(widths)),
    )


def _counts(fewest: int, most: int, filling: int) -> Sequence[int]:
    """Return the numbers of cohorts to choose from: all, or of very many some at even ratios.

    Args:
        fewest: ``>= 1``.
        most: ``>= fewest``.
        filling: With which every worker has one.

    >>> len(_counts(1, 100, 7)), len(_counts(1, 10_000, 777)) < 256, 777 in _counts(1, 10_000, 777)
    (100, True, True)
    """
    if most - fewest < _MOST_COUNTS:
        return range(fewest, most + 1)
    some = {round(count) for count in np.geomspace(fewest, most, _MOST_COUNTS)}
    return sorted(some | {min(max(fewest, filling), most)})


def _even_split(total: int, count: int) -> list[int]:
    return [total // count + (index < total % count) for index in range(count)]


def makespan(seconds: Sequence[float], n_workers: int) -> float:
    """Return when the last cohort ends if each goes to the first free worker, the longest first."""
    if len(seconds) <= n_workers:
        return max(seconds)
    free = [0.0] * n_workers
    for each in sorted(seconds, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(free)


# From so many operations in a product on, all cores share it. A core takes some 10 ms for them, and
# cores that wait for each other lose less than that, even where another program uses one of them.
_WORTH_SHARING = 1e9


def threads_alone(network: NetworkSpec, batch_size: int, most: int) -> int:
    """Return on how many cores a run that has the machine to itself is trained.

    It follows from the shapes alone. Results depend on how products are split among threads, so a
    choice that was timed would give other last digits each time it is made.

    Args:
        network: What is trained.
        batch_size: Samples an update.
        most: Cores that there are.

    >>> digits, wide = NetworkSpec(64, (50,), 10), NetworkSpec(3072, (300,), 10)
    >>> threads_alone(digits, 1000, most=4), threads_alone(wide, 1000, most=4)
    (1, 4)
    """
    largest = max(a * b for a, b in pairwise(network.widths))
    return most if 2 * batch_size * largest >= _WORTH_SHARING else 1


def plan_to_json(plan: CohortPlan) -> dict[str, Any]:
    """Return a plan as it is stored."""
    return dataclasses.asdict(plan)


def plan_from_json(stored: dict[str, Any]) -> CohortPlan:
    """Return the plan that ``plan_to_json`` wrote."""
    network = dict(stored["network"])
    network["hidden"] = tuple(network["hidden"])
    training = dict(stored["training"])
    if isinstance(training.get("class_weights"), list):
        training["class_weights"] = tuple(training["class_weights"])
    return CohortPlan(
        network=NetworkSpec(**network),
        training=TrainingSpec(**training),
        trials=tuple(Hyperparameters(**trial) for trial in stored["trials"]),
        seed=stored["seed"],
        replicate=stored["replicate"],
        # Plans of older versions have none: they were trained by the reference.
        kernel=stored.get("kernel", "numpy"),
    )


def epoch_seconds(plan: CohortPlan, n_train: int) -> float:
    """Return about how long a core takes for an epoch of ``n_train`` samples."""
    training = plan.training
    n_updates = min(training.n_updates, training.updates_per_epoch(n_train))
    return n_updates * update_seconds(plan.network, training.batch_size, len(plan.trials))


def training_seconds(plan: CohortPlan, n_train: int, plugin: Plugin | None = None) -> float:
    """Return about how long a core takes for a whole plan."""
    if plugin is not None:
        # A trainer of the user's takes as long as it takes: worth processes of its own.
        return math.inf
    return epoch_seconds(plan, n_train) * plan.training.n_epochs(n_train)
