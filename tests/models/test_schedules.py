"""Schedules: the same η whatever the segments, between their bounds, and of the shape they name."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models.schedules import learning_rates
from coarsefine.models.specs import SCHEDULES, Hyperparameters

TRIALS = st.builds(
    Hyperparameters,
    learning_rate=st.floats(1e-6, 10),
    eta_min=st.floats(1e-8, 1e-3),
    eta_max=st.floats(1e-3, 10),
    half_cycle=st.integers(1, 200),
    step_factor=st.floats(0.1, 1),
    step_every=st.integers(1, 200),
    eta_decay=st.floats(0, 2),
    cycle_factor=st.floats(0.1, 1),
)


@given(
    trial=TRIALS,
    schedule=st.sampled_from(SCHEDULES),
    cut=st.integers(0, 300),
    warm_up=st.integers(0, 200),
)
def test_eta_does_not_depend_on_where_a_segment_begins(trial, schedule, cut, warm_up):
    trial = replace(trial, warm_up=warm_up)
    whole = learning_rates(schedule, 0, 300, [trial], 7)

    parts = [
        learning_rates(schedule, first, stop, [trial], 7) for first, stop in ((0, cut), (cut, 300))
    ]

    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(trial=TRIALS, schedule=st.sampled_from(["cyclical", "geometric", "cosine"]))
def test_eta_stays_between_its_bounds_and_reaches_them(trial, schedule):
    etas = learning_rates(schedule, 0, trial.half_cycle + 1, [trial], 7)[:, 0]

    lowest, highest = (-1, 0) if schedule == "cosine" else (0, -1)
    assert etas.min() == etas[lowest] == pytest.approx(trial.eta_min, rel=1e-12)
    assert etas.max() == etas[highest] == pytest.approx(trial.eta_max, rel=1e-12)


@given(trial=TRIALS, schedule=st.sampled_from(SCHEDULES), warm_up=st.integers(1, 50))
def test_a_warm_up_rises_linearly_to_the_schedules_first_eta_and_then_the_schedule_begins(
    trial, schedule, warm_up
):
    warmed = learning_rates(schedule, 0, warm_up + 40, [replace(trial, warm_up=warm_up)], 7)
    plain = learning_rates(schedule, 0, 40, [trial], 7)

    np.testing.assert_array_equal(warmed[warm_up:], plain)
    np.testing.assert_allclose(
        warmed[:warm_up, 0], plain[0, 0] * np.arange(1, warm_up + 1) / warm_up
    )


def test_decays_are_counted_in_epochs_and_cycles_lose_height():
    trial = Hyperparameters(
        learning_rate=0.5, eta_decay=0.1, eta_min=0.1, eta_max=0.9, half_cycle=5, cycle_factor=0.5
    )
    exponential, inverse, cyclical = (
        learning_rates(schedule, 0, 41, [trial], 10)[:, 0]
        for schedule in ("exponential", "inverse-time", "cyclical")
    )

    # What courses write as "times 0.95 an epoch" is k = −ln 0.95.
    assert exponential[[0, 10, 40]] == pytest.approx(0.5 * np.exp([0, -0.1, -0.4]))
    assert inverse[[0, 10, 40]] == pytest.approx([0.5, 0.5 / 1.1, 0.5 / 1.4])
    assert cyclical[[0, 5, 10, 15, 25]] == pytest.approx([0.1, 0.9, 0.1, 0.5, 0.3])


@given(trial=TRIALS)
def test_a_geometric_eta_rises_by_the_same_factor_and_stays_where_it_ends(trial):
    etas = learning_rates("geometric", 0, trial.half_cycle + 20, [trial], 7)[:, 0]

    factor = (trial.eta_max / trial.eta_min) ** (1 / trial.half_cycle)
    rising = etas[: trial.half_cycle + 1]
    np.testing.assert_allclose(rising[1:] / rising[:-1], factor, rtol=1e-9)
    assert (etas[trial.half_cycle :] == etas[-1]).all()


def test_the_labs_cycle_has_the_etas_that_the_hand_out_gives():
    # KTH DD2424, assignment 2: n_s = 500 from 1e-5 to 0.1.
    trial = Hyperparameters(eta_min=1e-5, eta_max=0.1, half_cycle=500)

    etas = learning_rates("cyclical", 0, 1001, [trial], 7)[:, 0]

    assert etas[[0, 500, 1000]] == pytest.approx([1e-5, 0.1, 1e-5])
    assert etas[[99, 499, 999]] == pytest.approx([0.019808, 0.0998, 0.00021], rel=1e-3)
