"""What cohorts cost on this machine, as measured, and how long some of them take together."""

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.data import PreparedData
from coarsefine.models.timing import Cost, shape_of, timed
from coarsefine.studies.planning.cohorts import epoch_seconds, makespan

# Seconds that a worker process takes to start at least, and that each epoch takes to be stored.
_START_SECONDS: Final = 1.0
_STORE_SECONDS: Final = 0.001
# Seconds that a worker takes to read a compiled kernel: to time it, it was compiled.
_KERNEL_SECONDS: Final = 1.0
# Work that is done sooner than a worker process has started is done in this process.
SMALL_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Job:
    """A cohort that is to be trained, from the beginning or on from where it is.

    Attributes:
        n_epochs: That it has left.
        seed: Of its runs, from 0.
        custom: Whether a trainer of the user's trains it: nobody knows what that costs.
    """

    plan: CohortPlan
    data: PreparedData
    n_epochs: int
    seed: int = 0
    blas_threads: int = 1
    custom: bool = False


class Costs:
    """What cohorts cost: of each shape a few updates are timed, others follow in proportion.

    Args:
        start_seconds: About how long a process takes to start; on a busy machine longer.
    """

    def __init__(self, start_seconds: float = 0.0) -> None:
        self._start_seconds = max(_START_SECONDS, start_seconds)
        self._known: dict[Hashable, Cost] = {}
        # By how much what was measured is above the estimate, with what was estimated.
        self._ratios: list[tuple[float, float]] = []

    def measure(self, jobs: Sequence[Job], seconds: float) -> None:
        """Time cohorts, those that take longest first.

        Args:
            jobs: What is to be trained; shapes that were timed are not timed again.
            seconds: About how long this may take.
        """
        shares: dict[Hashable, float] = {}
        firsts: dict[Hashable, Job] = {}
        for job in jobs:
            key = _key(job.plan, job.data)
            if not job.custom and key not in self._known:
                firsts.setdefault(key, job)
                estimated = epoch_seconds(job.plan, job.data.n_train) * job.n_epochs
                shares[key] = shares.get(key, 0.0) + estimated
        total, began = sum(shares.values()), time.perf_counter()
        for key, share in sorted(shares.items(), key=lambda each: -each[1]):
            if self._ratios and time.perf_counter() - began >= seconds:
                break
            job = firsts[key]
            cost = timed(job.plan, job.data, seconds * share / total / 2, job.blas_threads)
            self._known[key] = cost
            estimated = epoch_seconds(job.plan, job.data.n_train)
            self._ratios.append((self.epoch_seconds(job.plan, job.data) / estimated, estimated))

    def epoch_seconds(self, plan: CohortPlan, data: PreparedData) -> float:
        """Return how long an epoch of a cohort takes."""
        cost = self._known.get(_key(plan, data))
        if cost is None:
            estimated = epoch_seconds(plan, data.n_train)
            if not self._ratios:
                return estimated
            near = min(self._ratios, key=lambda each: abs(math.log(each[1] / estimated)))
            return estimated * near[0]
        training = plan.training
        n_updates = min(training.n_updates, training.updates_per_epoch(data.n_train))
        steps = len(training.evaluation_steps(0, data.n_train))
        looked_at = min(training.train_samples or data.n_train, data.n_train)
        evaluated = steps * data.n_validation + looked_at
        return n_updates * cost.update + evaluated * cost.evaluation + _STORE_SECONDS

    def seconds(self, job: Job) -> float:
        """Return how long a cohort takes to its end, if no trial of it ends before."""
        if job.custom:
            return math.inf
        training, n_train = job.plan.training, job.data.n_train
        per_epoch = training.updates_per_epoch(n_train)
        # The last epoch may be a part of one.
        last = training.n_updates - per_epoch * (training.n_epochs(n_train) - 1)
        n_epochs = max(0, job.n_epochs - 1) + last / per_epoch
        found = self.epoch_seconds(job.plan, job.data) * n_epochs
        cost = self._known.get(_key(job.plan, job.data))
        # At the end, all training samples are looked at.
        return found + (0.0 if cost is None else n_train * cost.evaluation)

    def makespan(self, jobs: Sequence[Job], n_workers: int) -> float:
        """Return how long some cohorts take on workers that are yet to start."""
        seconds = [self.seconds(job) for job in jobs]
        if not seconds:
            return 0.0
        n_workers = max(1, min(n_workers, len(seconds)))
        started = self.starting(n_workers) if sum(seconds) >= SMALL_SECONDS else 0.0
        started += _KERNEL_SECONDS * any(job.plan.kernel != "numpy" for job in jobs)
        return started + makespan(seconds, n_workers)

    def starting(self, n_workers: int) -> float:
        """Return how long workers take to start; one alone trains in this process."""
        return self._start_seconds if n_workers > 1 else 0.0


def _key(plan: CohortPlan, data: PreparedData) -> Hashable:
    return *shape_of(plan), data.n_train
