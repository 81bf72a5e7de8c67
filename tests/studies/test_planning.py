"""How trials are put into cohorts, and that plans survive being stored."""

import json

from hypothesis import given
from hypothesis import strategies as st

from models.cohort import CohortPlan
from models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from studies.planning import (
    OVERHEAD,
    WIDEST,
    cohort_widths,
    epoch_seconds,
    plan_from_json,
    plan_to_json,
)


@given(n_trials=st.integers(1, 200), n_replicates=st.integers(1, 6), n_workers=st.integers(1, 32))
def test_cohorts_hold_every_trial_once_and_are_of_about_one_width(
    n_trials, n_replicates, n_workers
):
    widths = cohort_widths(n_trials, n_replicates, n_workers)

    assert sum(widths) == n_trials
    assert max(widths) - min(widths) <= 1
    assert max(widths) <= WIDEST


@given(n_trials=st.integers(1, 100))
def test_a_single_worker_trains_as_few_cohorts_as_it_can(n_trials):
    assert len(cohort_widths(n_trials, 1, 1)) == -(-n_trials // WIDEST)


def test_splitting_a_cohort_pays_once_there_are_workers_for_both_halves():
    assert cohort_widths(8, 1, 2) == [4, 4]
    assert cohort_widths(8, 2, 2) == [8]
    assert cohort_widths(2, 1, 2) == [1, 1]
    # A second cohort for a second worker saves a trial's time and costs an overhead of its own.
    assert OVERHEAD < 2


def test_a_stored_plan_is_the_plan():
    plan = CohortPlan(
        NetworkSpec(5, (7, 6), 3, activation="tanh", initialisation="normal", sigma=0.1),
        TrainingSpec(4, 100, optimizer="momentum", schedule="cyclical", patience=3, score="best"),
        (Hyperparameters(l2_strength=1 / 3), Hyperparameters(momentum=0.1, half_cycle=7)),
        seed=2**62 + 1,
        replicate=2,
    )

    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_more_work_is_expected_to_take_longer():
    def seconds(hidden, n_trials, n_train):
        plan = CohortPlan(
            NetworkSpec(100, hidden, 10),
            TrainingSpec(10, 10**6),
            (Hyperparameters(),) * n_trials,
            seed=0,
        )
        return epoch_seconds(plan, n_train)

    assert seconds((50,), 8, 1000) > seconds((50,), 4, 1000) > seconds((50,), 4, 500)
    assert seconds((500,), 4, 1000) > seconds((50,), 4, 1000)
