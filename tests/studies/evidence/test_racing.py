"""Races over seeds where the truth is known: errors counted, ends, and what seeds cannot decide."""

import numpy as np
import pytest

from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.racing import Rules, look
from coarsefine.studies.results.evidence.ties import judge
from scripts.simulate_races import RULES, counted, raced
from tests.studies.evidence.test_promises import most
from tests.studies.evidence.worlds import World

TWO = Rules(Looks(3, 8), 0.005)


def at_look(scores, rules=RULES):
    whole = np.ones(scores.shape[:2], np.bool_)
    return look(scores, whole, np.ones(len(scores), np.bool_), rules)


def test_margins_that_hold_at_all_looks_are_wider_the_more_seeds_matter():
    looks = Looks(3, 20)
    factors = [looks.factor(2.5, share, 3) for share in (0.0, 0.3, 0.7, 1.0)]
    assert factors == sorted(factors)
    assert factors[0] == 1.0
    assert 1.1 < factors[-1] < 1.3
    assert Looks(3, 3).factor(2.5, 1.0, 3) == pytest.approx(1, abs=0.02)

    outcomes = World((0.9,) * 3, 3, 1000).outcomes(np.random.default_rng(0))
    once, often = judge(outcomes), judge(outcomes, looks=looks)
    off = ~np.eye(3, dtype=bool)
    assert (often.margins[off] >= once.margins[off]).all()
    assert (often.errors == once.errors).all()


def test_a_standardised_walk_leaves_the_boundary_as_rarely_as_is_said():
    rng = np.random.default_rng(3)
    looks, draws = Looks(3, 12), 20_000
    at = np.arange(3, 13)
    walk = np.cumsum(rng.standard_normal((draws, 12)), axis=1)[:, at - 1] / at
    common = rng.standard_normal((draws, 1))
    for share in (0.3, 1.0):
        # At 3 seeds their share is this.
        paths = np.sqrt(3 * share) * walk + np.sqrt(1 - share) * common
        paths /= np.sqrt(3 * share / at + 1 - share)
        reached = (paths.max(axis=1) > 2.0 * looks.factor(2.0, share, 3)).mean()
        assert reached == pytest.approx(0.0228, rel=0.25)


def test_a_race_ends_for_the_reason_that_the_world_has():
    rng = np.random.default_rng(0)
    clear = at_look(World((0.95, 0.9, 0.9), 3, 5000).outcomes(rng))
    assert (clear.best, clear.end, clear.left.tolist()) == (0, "best", [False, True, True])
    assert 0.02 < clear.ahead < 0.05
    equal = at_look(World((0.9,) * 4, 8, 50_000, 0.001).outcomes(rng))
    assert equal.end == "close"
    assert equal.above <= 0.005
    few = at_look(World((0.9,) * 8, 3, 300, 0.001).outcomes(rng))
    assert few.end == "samples"
    assert few.samples > 300
    assert few.above > 0.005
    noisy = at_look(World((0.9,) * 4, 3, 50_000, 0.02).outcomes(rng), TWO)
    assert noisy.end in {"seeds", None}
    assert at_look(World((0.9,) * 4, 8, 50_000, 0.02).outcomes(rng), TWO).end == "seeds"


def test_twice_as_many_samples_or_seeds_as_are_said_mostly_end_the_race():
    world = World((0.9,) * 3, 8, 300, 0.001)
    needed = at_look(world.outcomes(np.random.default_rng(1)), TWO).samples
    larger = World((0.9,) * 3, 8, 2 * needed, 0.001)
    ends = [at_look(larger.outcomes(np.random.default_rng(i)), TWO).end for i in range(5)]
    assert ends.count("close") >= 4

    noisy = World((0.9,) * 3, 5, 50_000, 0.006)
    needed = at_look(noisy.outcomes(np.random.default_rng(2)), Rules(Looks(3, 5), 0.005)).seeds
    assert needed > 5
    more, rules = World((0.9,) * 3, 2 * needed, 50_000, 0.006), Rules(Looks(3, 2 * needed), 0.005)
    assert raced(more.outcomes(np.random.default_rng(2)), rules)[0].end == "close"


def test_whoever_has_left_stays_out_and_the_best_is_of_those_that_are_left():
    scores = World((0.9,) * 4, 4, 2000).outcomes(np.random.default_rng(4))
    racing = np.array([False, True, True, True])
    present = np.ones((4, 4), np.bool_)
    present[0, 2:] = False
    found = look(scores, present, racing, RULES)
    assert found.best != 0
    assert not found.left[0]


@pytest.mark.parametrize(
    "world",
    [
        World((0.97,) * 8, 20, 360),
        pytest.param(World((0.9,) * 8, 20, 5_000), marks=pytest.mark.slow),
        pytest.param(World((0.9,) * 8, 20, 5_000, 0.006), marks=pytest.mark.slow),
        pytest.param(World((0.906, *(0.9,) * 7), 20, 5_000), marks=pytest.mark.slow),
        pytest.param(
            World((0.9,) * 8, 20, 5_000, noise=(*(1.0,) * 7, 3.0)), marks=pytest.mark.slow
        ),
    ],
)
def test_the_truly_best_rarely_leaves_and_the_named_one_is_rarely_far_below_it(world):
    draws = 25
    (lost, wrong, over, _), _ = counted(world, draws, 0)
    for share in (lost, wrong, over):
        assert share * draws / 100 <= most(draws, 0.05)
