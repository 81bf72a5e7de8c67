"""The η range test: what it suggests of curves whose truth is known, and of a real training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.range_test import judged, range_test
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from tests.models.samples import made_up


def curve(starts, ends, breaks, n=600):
    """Return η and a loss that falls from 2 to 0.2 between two η and explodes at a third."""
    etas = np.geomspace(1e-6, 1e2, n)
    share = np.clip((np.log10(etas) - starts) / (ends - starts), 0, 1)
    return etas, np.where(etas < 10.0**breaks, 2 - 1.8 * share, 1e6)


@given(starts=st.floats(-5, -2), width=st.floats(0.5, 2), beyond=st.floats(0.3, 1))
def test_the_ends_of_the_fall_are_found(starts, width, beyond):
    ends = starts + width
    etas, losses = curve(starts, ends, ends + beyond)

    found = judged(etas, losses, np.zeros_like(losses))

    assert np.log10(found.eta_min) == pytest.approx(starts + 0.1 * width, abs=0.3)
    assert np.log10(found.eta_max) == pytest.approx(starts + 0.9 * width, abs=0.3)
    assert np.log10(found.broke_at) == pytest.approx(ends + beyond, abs=0.3)
    assert found.eta_min < found.eta_max < found.broke_at


def test_a_loss_that_never_falls_suggests_nothing():
    found = judged(np.geomspace(1e-6, 1, 100), np.full(100, 2.0), np.zeros(100))

    assert (found.eta_min, found.eta_max, found.broke_at) == (None, None, None)


def test_a_training_that_breaks_down_at_once_suggests_nothing():
    found = judged([1.0, 2.0, 3.0], [2.0, np.inf, np.nan], [0.1, 0.1, 0.1])

    assert found.eta_max is None
    assert found.broke_at is not None


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adam"])
def test_a_real_training_falls_and_breaks_down(optimizer):
    data = made_up(n_train=320, n_validation=80, dtype=np.float32)
    network = NetworkSpec(data.x_train.shape[1], (8,), 4)
    training = TrainingSpec(20, 400, optimizer=optimizer)
    plan = CohortPlan(network, training, (Hyperparameters(),), seed=0)

    found = range_test(plan, data, 1e-6, 1e3, 400)

    assert found.eta_min < found.eta_max
    assert found.smoothed.min() < 0.8 * found.losses[0]
    again = range_test(plan, data, 1e-6, 1e3, 400)
    np.testing.assert_array_equal(found.losses, again.losses)
