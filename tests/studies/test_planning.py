"""How trials are put into cohorts, and that plans survive being stored."""

import json

from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.studies.planning.cohorts import (
    cohort_widths,
    epoch_seconds,
    plan_from_json,
    plan_to_json,
    threads_alone,
    update_seconds,
    widest,
)

CIFAR = NetworkSpec(3072, (50,), 10)
SOFTMAX = NetworkSpec(784, (), 10)
SHAPES = st.sampled_from([CIFAR, SOFTMAX, NetworkSpec(64, (50, 20), 10)])


@given(
    network=SHAPES,
    batch_size=st.integers(1, 1000),
    n_trials=st.integers(1, 200),
    n_replicates=st.integers(1, 6),
    n_workers=st.integers(1, 32),
)
def test_cohorts_hold_every_trial_once_and_are_of_about_one_width(
    network, batch_size, n_trials, n_replicates, n_workers
):
    widths = cohort_widths(network, batch_size, n_trials, n_replicates, n_workers)

    assert sum(widths) == n_trials
    assert max(widths) - min(widths) <= 1
    assert max(widths) <= widest(network)


@given(network=SHAPES, n_trials=st.integers(1, 100))
def test_a_single_worker_trains_as_few_cohorts_as_it_can(network, n_trials):
    assert len(cohort_widths(network, 10, n_trials, 1, 1)) == -(-n_trials // widest(network))


def test_splitting_a_cohort_pays_once_there_are_workers_for_both_halves():
    assert cohort_widths(CIFAR, 100, 8, 1, 2) == [4, 4]
    assert cohort_widths(CIFAR, 100, 8, 2, 2) == [8]


def test_a_trial_more_costs_a_part_of_a_trial_alone():
    for network in (CIFAR, SOFTMAX):
        alone = update_seconds(network, 100, 1)
        one_more = update_seconds(network, 100, 8) - update_seconds(network, 100, 7)
        assert one_more < 0.6 * alone


def test_a_stored_plan_is_the_plan():
    plan = CohortPlan(
        NetworkSpec(5, (7, 6), 3, activation="tanh", initialisation="normal", sigma=0.1),
        TrainingSpec(4, 100, optimizer="momentum", schedule="cyclical", patience=3, score="best"),
        (Hyperparameters(l2_strength=1 / 3), Hyperparameters(momentum=0.1, half_cycle=7)),
        seed=2**62 + 1,
        replicate=2,
        kernel="sparse-3",
    )

    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_a_plan_of_an_older_version_is_carried_out_by_the_reference():
    plan = CohortPlan(SOFTMAX, TrainingSpec(4, 100), (Hyperparameters(),), seed=1)
    stored = plan_to_json(plan)
    del stored["kernel"]

    assert plan_from_json(stored) == plan
    assert plan.kernel == "numpy"


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


@given(network=SHAPES, batch_size=st.integers(1, 100_000), cores=st.integers(1, 64))
def test_the_threads_of_a_trial_that_is_timed_follow_from_its_shapes(network, batch_size, cores):
    chosen = {threads_alone(network, batch_size, cores) for _ in range(14)}

    assert chosen in ({1}, {cores})
    assert threads_alone(network, 100, cores) == 1
    assert threads_alone(network, 1_000_000, cores) == cores
