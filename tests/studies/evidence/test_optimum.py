"""The interval of the optimum: where it must lie, and what it does not depend on."""

import numpy as np
import pytest

from coarsefine.studies.results.evidence.optimum import optimum_of
from scripts.simulate_optimum import CURVES

PLACES = np.linspace(-11, -2, 9)


def parabola(best, height=0.05):
    return 0.9 - height * ((PLACES - best) / 4.5) ** 2


def test_without_noise_it_lies_beside_the_best_value():
    found = optimum_of(PLACES, parabola(-6.5), np.full(9, 1e-5))

    low, high = found.interval
    assert PLACES[2] <= low <= -6.5 <= high <= PLACES[6]
    assert found.at_edge == (False, False)
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    at_trials = np.abs(found.places[:, None] - PLACES).argmin(axis=0)
    assert found.mean[at_trials] == pytest.approx(parabola(-6.5), abs=2e-3)


def test_equal_scores_leave_all_values_possible_and_those_beyond():
    found = optimum_of(PLACES, np.full(9, 0.9), np.full(9, 0.01))

    assert found.interval == (PLACES[0], PLACES[-1])
    assert found.at_edge == (True, True)


def test_more_noise_and_other_units_widen_and_scale_it():
    narrow, wide = (
        np.ptp(optimum_of(PLACES, parabola(-6), np.full(9, e)).interval) for e in (0.001, 0.02)
    )
    scaled = optimum_of(PLACES * 3 + 1, parabola(-6) * 100, np.full(9, 0.1))

    assert narrow < wide
    assert np.ptp(scaled.interval) == pytest.approx(3 * narrow)


def test_three_values_have_no_curve():
    assert optimum_of(PLACES[[0, 1, 2, 2]], parabola(-6)[[0, 1, 2, 2]], np.full(4, 0.01)) is None


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind == "a plateau that falls off" else pytest.mark.slow)
        for kind in CURVES
    ],
)
def test_it_holds_the_best_value(kind):
    rng = np.random.default_rng(5)
    places, held = np.linspace(0, 1, 8), 0
    for number in range(12):
        best = rng.uniform(0.15, 0.85)
        scores = CURVES[kind](places, best) + rng.normal(0, 0.006, 8)
        low, high = optimum_of(places, scores, np.full(8, 0.006), number).interval
        held += low <= best <= high

    # With a probability of 95 % each, of twelve nine or fewer hold it once in fifty tries.
    assert held >= 10
