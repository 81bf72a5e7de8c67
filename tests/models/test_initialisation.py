"""First weights: their spread, and that they are the same for all trials and both precisions."""

import math

import numpy as np
import pytest

from coarsefine.models.initialisation import FORMULAS
from coarsefine.models.network import initial_parameters
from coarsefine.models.specs import INITIALISATIONS, NetworkSpec

FAN_IN, FAN_OUT = 300, 200
DEVIATIONS = {
    "he": math.sqrt(2 / FAN_IN),
    "xavier": math.sqrt(1 / FAN_IN),
    "hidden-width": math.sqrt(1 / FAN_OUT),
    # A uniform distribution within ±a has the standard deviation a / √3.
    "glorot-uniform": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "normal": 0.3,
    "uniform": 0.3 / math.sqrt(3),
    "zero": 0.0,
}


def drawn(initialisation, n_trials=1, dtype=np.float64):
    spec = NetworkSpec(FAN_IN, (FAN_OUT,), 2, initialisation=initialisation, sigma=0.3)
    return initial_parameters(spec, n_trials, dtype, np.random.default_rng(5))


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_weights_have_mean_0_and_the_deviation_of_their_name(initialisation):
    weights = drawn(initialisation).weights[0]

    deviation = DEVIATIONS[initialisation]
    # 60,000 weights: a relative error of the deviation of 1 / √120,000 = 0.3 %, a mean of
    # 0.4 % of it; the seed is fixed.
    assert weights.std() == pytest.approx(deviation, rel=0.02)
    assert abs(weights.mean()) <= 0.02 * deviation


@pytest.mark.parametrize(
    ("initialisation", "bound"),
    [("uniform", 0.3), ("glorot-uniform", math.sqrt(6 / (FAN_IN + FAN_OUT)))],
)
def test_uniform_weights_fill_the_range_and_do_not_leave_it(initialisation, bound):
    weights = drawn(initialisation).weights[0]

    # The largest of 60,000 misses the end of the range by 1 in 60,000 of it on average.
    assert 0.999 * bound < np.abs(weights).max() <= bound


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_all_trials_and_both_precisions_start_alike(initialisation):
    wide, narrow = drawn(initialisation), drawn(initialisation, 3, np.float32)

    for weights, others in zip(wide.weights, narrow.weights, strict=True):
        for trial in range(3):
            np.testing.assert_array_equal(others[trial], weights[0].astype(np.float32))
    assert not any(biases.any() for biases in wide.biases)


def test_every_initialisation_has_a_formula():
    assert set(FORMULAS) == set(INITIALISATIONS)
