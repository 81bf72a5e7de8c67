"""The trainer by itself: one cohort in this process, on one core, without a database."""

from dataclasses import replace

from benchmarks.work import Work
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.specs import Hyperparameters
from coarsefine.models.training import EpochRow, train
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.specs import to_specs


def cohort_plan(work: Work, n_trials: int) -> CohortPlan:
    """Return a cohort of some of the work's trials, from the first on, over and over."""
    data = work.task.data
    recipe = make_recipe(None, work.flags)
    network, training, base = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    strengths = [work.l2_strengths[i % len(work.l2_strengths)] for i in range(n_trials)]
    trials: tuple[Hyperparameters, ...] = tuple(
        replace(base, l2_strength=value) for value in strengths
    )
    return CohortPlan(network, training, trials, seed=0)


def train_once(plan: CohortPlan, work: Work) -> list[EpochRow]:
    """Train a cohort to its end."""
    with limited_blas(1):
        n_epochs = plan.training.n_epochs(work.task.data.n_train)
        return train(plan, initial_state(plan), work.task.data.open(), n_epochs)[1]


def update_seconds(rows: list[EpochRow]) -> float:
    """Return the time spent on updates: a row has its trial's share of it."""
    return sum(row.seconds for row in rows)
