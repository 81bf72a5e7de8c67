"""Schedules: the same η whatever the segments, between their bounds, and of the shape they name."""

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
)


@given(trial=TRIALS, schedule=st.sampled_from(SCHEDULES), cut=st.integers(0, 300))
def test_eta_does_not_depend_on_where_a_segment_begins(trial, schedule, cut):
    whole = learning_rates(schedule, 0, 300, [trial])

    parts = [
        learning_rates(schedule, first, stop, [trial]) for first, stop in ((0, cut), (cut, 300))
    ]

    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(trial=TRIALS, schedule=st.sampled_from(["cyclical", "geometric"]))
def test_eta_stays_between_its_bounds_and_reaches_them(trial, schedule):
    etas = learning_rates(schedule, 0, trial.half_cycle + 1, [trial])[:, 0]

    assert etas.min() == etas[0] == pytest.approx(trial.eta_min, rel=1e-12)
    assert etas.max() == etas[-1] == pytest.approx(trial.eta_max, rel=1e-12)


@given(trial=TRIALS)
def test_a_geometric_eta_rises_by_the_same_factor_and_stays_where_it_ends(trial):
    etas = learning_rates("geometric", 0, trial.half_cycle + 20, [trial])[:, 0]

    factor = (trial.eta_max / trial.eta_min) ** (1 / trial.half_cycle)
    rising = etas[: trial.half_cycle + 1]
    np.testing.assert_allclose(rising[1:] / rising[:-1], factor, rtol=1e-9)
    assert (etas[trial.half_cycle :] == etas[-1]).all()


def test_the_labs_cycle_has_the_etas_that_the_hand_out_gives():
    # KTH DD2424, assignment 2: n_s = 500 from 1e-5 to 0.1.
    trial = Hyperparameters(eta_min=1e-5, eta_max=0.1, half_cycle=500)

    etas = learning_rates("cyclical", 0, 1001, [trial])[:, 0]

    assert etas[[0, 500, 1000]] == pytest.approx([1e-5, 0.1, 1e-5])
    assert etas[[99, 499, 999]] == pytest.approx([0.019808, 0.0998, 0.00021], rel=1e-3)
