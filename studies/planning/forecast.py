"""What a plan takes before any of it is trained: time, arithmetic and memory."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from coarsefine.models.optimizers import n_slots
from coarsefine.models.parameter_count import count_parameters, multiply_adds
from coarsefine.models.specs import VALUE_BYTES
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.planning.costs import SMALL_SECONDS, Costs, Job
from coarsefine.studies.planning.runs import Plan, cohorts_of
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.planning.trainers import TRAINER

# What a process holds before it trains anything, in bytes: Python, NumPy and SciPy.
_PROCESS: Final = 38 * 2**20
# Blocks of samples that networks are evaluated on.
_BLOCKS: Final = 8 * 2**20
Ends = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is left to be trained of a stage, and what it takes; ends are the least and the most.

    Attributes:
        stage: Its name.
        n_values: Values that are trained.
        n_runs: Training runs.
        seeds: That values get; the most in a race, which may end sooner.
        folds: On which each seed is trained; 0 where there are none.
        epochs: Of their trainings.
        seconds: About how long it takes, as this machine is at the moment; ``None`` where a custom
            trainer decides.
        most_seconds: The same where a race goes to its last seed.
        by_seed: ``seconds`` of the first seed alone, of the first two, and so on.
        n_workers: That train at the same time.
        n_parameters: Of a network.
        multiply_adds: Of one update of one value.
        worker_bytes: Memory of a worker, beside the samples.
        sample_bytes: Of all samples, which workers share.
    """

    stage: str
    n_values: int
    n_runs: int
    seeds: Ends
    folds: int
    epochs: Ends
    seconds: float | None
    most_seconds: float | None
    by_seed: tuple[float, ...]
    n_workers: int
    n_parameters: Ends
    multiply_adds: Ends
    worker_bytes: int
    sample_bytes: int

    def seeds_within(self, seconds: float) -> int:
        """Return how many of the first seeds are trained to their ends in some time."""
        return sum(each <= seconds for each in self.by_seed)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def jobs_of(plan: Plan, n_workers: int) -> list[Job]:
    """Return what a plan that is not stored has trained."""
    data = {run.data.key: run.data for runs in plan.runs for run in runs}
    jobs = []
    for cohort in cohorts_of(plan, n_workers):
        named = cohort.plan.get("data")
        samples = data[plan.data_key if named is None else named["key"]]
        of_cohort = plan_from_json(dict(cohort.plan))
        n_epochs = of_cohort.training.n_epochs(samples.n_train)
        seed, threads = cohort.replicate // plan.stage.run_options.n_runs(1), cohort.blas_threads
        jobs.append(Job(of_cohort, samples, n_epochs, seed, threads, TRAINER in cohort.plan))
    return jobs


def forecast(
    stage: Stage, jobs: Sequence[Job], costs: Costs, n_workers: int, more_seeds: int = 0
) -> Forecast:
    """Return what some cohorts take.

    Args:
        stage: Whose.
        jobs: The cohorts.
        costs: As far as they were measured.
        n_workers: That train at the same time.
        more_seeds: That a race may give beside theirs.
    """
    seeds = sorted({job.seed for job in jobs})
    by_seed = [
        costs.makespan([job for job in jobs if job.seed <= seed], n_workers) for seed in seeds
    ]
    known = [seconds for seconds in by_seed if math.isfinite(seconds)]
    seconds = known[-1] if len(known) == len(by_seed) and known else None
    most = seconds
    if seconds is not None and seeds:
        most = seconds + more_seeds * seconds / len(seeds)
    total = sum(costs.seconds(job) for job in jobs)
    processes = total >= SMALL_SECONDS
    n_at_once = max(1, min(n_workers, len(jobs))) if processes else 1
    firsts = [job for job in jobs if job.seed == seeds[0]] if seeds else []
    networks = [(job.plan.network, job.plan.training, job.plan.trials) for job in jobs]
    n_runs = stage.run_options.n_runs(1)
    return Forecast(
        stage=stage.name,
        n_values=-(-sum(len(job.plan.trials) for job in firsts) // n_runs),
        n_runs=sum(len(job.plan.trials) for job in jobs),
        seeds=(len(seeds), len(seeds) + more_seeds),
        folds=stage.run_options.folds,
        epochs=_ends(job.plan.training.n_epochs(job.data.n_train) for job in jobs),
        seconds=seconds,
        most_seconds=most,
        by_seed=tuple(known),
        n_workers=n_at_once,
        n_parameters=_ends(
            sum(layer.n_parameters for layer in count_parameters(network))
            for network, _, _ in networks
        ),
        multiply_adds=_ends(
            multiply_adds(network, training, dropout=any(trial.dropout for trial in trials))
            for network, training, trials in networks
        ),
        worker_bytes=max((_bytes(job) for job in jobs), default=0),
        sample_bytes=sum({job.data.key: _sample_bytes(job) for job in jobs}.values()),
    )


def _ends(numbers: Iterable[int]) -> Ends:
    known = list(numbers) or [0]
    return min(known), max(known)


def _sample_bytes(job: Job) -> int:
    data, item = job.data, VALUE_BYTES[job.plan.training.precision]
    return item * data.n_features * (data.n_train + data.n_validation)


def _bytes(job: Job) -> int:
    """Return about how much memory a worker has for a cohort."""
    network, training, n_trials = job.plan.network, job.plan.training, len(job.plan.trials)
    n_parameters = sum(layer.n_parameters for layer in count_parameters(network))
    # Weights, gradients, a copy to be handed over, and where they are kept the best ones.
    copies = 3 + n_slots(training.optimizer) + (training.score != "final")
    # Each layer forward and backward, and once more where it is normalised or thinned.
    more = network.batch_norm + any(trial.dropout for trial in job.plan.trials)
    layers = (2 + more) * training.batch_size * sum(network.widths[1:])
    batch = training.batch_size * network.n_features
    numbers = n_trials * (copies * n_parameters + layers) + batch
    return _PROCESS + _BLOCKS + VALUE_BYTES[training.precision] * numbers
