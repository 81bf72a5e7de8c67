"""The promises of ties and intervals, counted in simulated rankings; bounds are binomial."""

import numpy as np
import pytest
from scipy import stats

from coarsefine.studies.results.evidence import metrics
from coarsefine.studies.results.evidence.intervals import NETWORK, estimate, interval
from coarsefine.studies.results.evidence.spread import NETWORKS, Spread, pool
from coarsefine.studies.results.evidence.ties import judge, judge_accuracies
from tests.studies.evidence.worlds import ClassWorld, World

EQUAL = (0.9,) * 8


def most(draws, share):
    """Return how often what happens with this probability does so at the most, but for luck."""
    return stats.binom.ppf(0.9999, draws, share)


def unmarked(world, draws, seed=0, **known):
    """Return how often each trial is not tied, in so many rankings."""
    rng = np.random.default_rng(seed)
    count = np.zeros(len(world.accuracies), int)
    for _ in range(draws):
        count += ~judge(world.outcomes(rng), **known).tied
    return count


@pytest.mark.parametrize(
    "world",
    [
        World((0.97,) * 8, 3, 360),
        World((0.9, 0.9), 3, 1000, deviation=0.006),
        pytest.param(World(EQUAL, 2, 1000), marks=pytest.mark.slow),
        pytest.param(World(EQUAL, 3, 1000, deviation=0.0), marks=pytest.mark.slow),
        pytest.param(World(EQUAL, 3, 1000, shared=0.9), marks=pytest.mark.slow),
        pytest.param(World((0.52,) * 8, 3, 1000, kept=0.05), marks=pytest.mark.slow),
    ],
)
def test_the_truly_best_keeps_its_mark(world):
    draws = 40

    assert unmarked(world, draws)[0] <= most(draws, 0.05)


def test_the_truly_best_of_trained_networks_keeps_its_mark_with_one_seed():
    world = World(EQUAL, 1, 1000, deviation=0.0)

    assert unmarked(world, 40, spread=NETWORKS)[0] <= most(40, 0.05)


@pytest.mark.slow
def test_a_spread_that_the_file_knows_keeps_the_mark_with_one_seed():
    world = World(EQUAL, 1, 5000, deviation=0.006)
    # Flips are half of 1 - 0.85 of the variance or so: what a study with seeds would say.
    rng = np.random.default_rng(5)
    pilot = judge(World(EQUAL, 10, 5000, deviation=0.006).outcomes(rng)).spread

    assert pilot.ratio > 1.5
    assert unmarked(world, 60, spread=Spread(pilot.ratio, pilot.df))[0] <= most(60, 0.05)


@pytest.mark.parametrize("metric", ["balanced-accuracy", "macro-f1"])
def test_intervals_and_ties_of_other_metrics_hold(metric):
    world = ClassWorld((0.75, 0.2, 0.05), (0.95, 0.8, 0.5), 4, 1, 1500)
    rng, draws, lost, held = np.random.default_rng(2), 60, 0, 0
    for _ in range(draws):
        classes, labels = world.predicted(rng)
        scores, unit = metrics.scores(metric, classes, labels, 3), metrics.unit(metric, labels, 3)
        lost += not judge(scores, spread=NETWORKS, unit=unit).tied[0]
        low, high = estimate(scores[0], NETWORK, unit=unit).interval
        held += low <= world.true(metric) <= high

    assert lost <= most(draws, 0.05)
    assert draws - held <= most(draws, 0.07)


def test_a_worse_trial_loses_its_mark():
    world = World((0.92, *(0.9,) * 7), 5, 5000)

    assert unmarked(world, 10)[1:].min() >= 9


@pytest.mark.slow
def test_a_noisy_row_does_not_change_what_is_said_of_the_others():
    rng = np.random.default_rng(3)
    bad = World((0.914, *(0.9,) * 6, 0.83), 3, 5000, noise=(*(1.0,) * 7, 10.0))
    told, beside = 0, 0
    for _ in range(40):
        outcomes = bad.outcomes(rng)
        told += int((~judge(outcomes[:7]).tied)[1:].sum())
        beside += int((~judge(outcomes).tied)[1:7].sum())

    assert told > 150
    assert beside >= 0.94 * told


def test_a_row_at_chance_does_not_change_margins():
    rng = np.random.default_rng(4)
    outcomes = World((0.85, 0.84, 0.83, 0.82), 3, 2000).outcomes(rng)
    chance = (rng.random((1, 3, 2000)) < 0.1).astype(np.float32)

    without = judge(outcomes).margins
    beside = judge(np.concatenate((outcomes, chance))).margins[:4, :4]

    assert np.median(beside / without) == pytest.approx(1.0, abs=0.15)


def test_trials_that_are_the_same_stay_tied():
    rng = np.random.default_rng(0)
    one = World((0.9,), 3, 500).outcomes(rng)

    judged = judge(np.repeat(one, 4, axis=0))

    assert judged.tied.all()
    assert judged.margin[judged.best] == 0
    assert (judged.difference == 0).all()


@pytest.mark.parametrize(("n_seeds", "deviation"), [(2, 0.0035), (3, 0.0), (3, 0.006), (5, 0.0035)])
def test_intervals_hold_the_accuracy_on_new_samples_and_seeds(n_seeds, deviation):
    world, draws = World((0.9,), n_seeds, 2000, deviation=deviation), 400
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(draws):
        low, high = interval(world.outcomes(rng)[0])
        held += low <= 0.9 <= high

    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], draws, [0.93, 0.975])
    assert low <= held <= high


@pytest.mark.parametrize(("accuracy", "n_samples"), [(0.5, 100), (0.97, 360), (0.9, 5000)])
def test_the_interval_of_a_network_holds_its_accuracy_on_new_samples(accuracy, n_samples):
    rng = np.random.default_rng(2)
    ends = [
        interval((rng.random((1, n_samples)) < accuracy).astype(np.float32), NETWORK)
        for _ in range(600)
    ]

    held = sum(low <= accuracy <= high for low, high in ends)

    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], 600, [0.93, 0.97])
    assert low <= held <= high


def test_intervals_stay_between_0_and_1():
    assert interval(np.ones((3, 100), np.float32)) == (pytest.approx(0.963, abs=0.002), 1.0)
    assert interval(np.zeros((1, 100), np.float32), NETWORK)[0] == 0.0


def test_the_best_of_equal_trials_is_overestimated_as_is_said():
    world, rng = World(EQUAL, 3, 1000), np.random.default_rng(6)
    found, told = [], []
    for _ in range(25):
        outcomes = world.outcomes(rng)
        means = outcomes.mean(axis=(1, 2))
        judged = judge(outcomes)
        found.append(means.max() - means.mean())
        told.append(judged.optimism_if_equal)

    assert np.mean(told) == pytest.approx(np.mean(found), rel=0.2)


def test_accuracies_alone_give_ties_too():
    rng = np.random.default_rng(7)
    world, draws = World(EQUAL, 3, 1000), 30
    wrong = 0
    for _ in range(draws):
        accuracies = world.outcomes(rng).mean(axis=2, dtype=float)
        wrong += not judge_accuracies(accuracies, np.ones((8, 3), bool), 1000).tied[0]
    assert wrong <= most(draws, 0.05)

    apart = World((0.93, *(0.9,) * 7), 3, 5000).outcomes(rng).mean(axis=2, dtype=float)
    judged = judge_accuracies(apart, np.ones((8, 3), bool), 5000)
    assert judged.tied[0]
    # One whose three seeds lie further apart is judged by these alone.
    assert judged.tied[1:].sum() <= 1


def test_one_noisy_row_does_not_widen_margins_of_accuracies():
    rng = np.random.default_rng(8)
    accuracies = 0.85 + 0.003 * rng.normal(size=(8, 3))
    noisy = accuracies.copy()
    noisy[7] = 0.11 + 0.04 * rng.normal(size=3)
    all_there = np.ones((8, 3), bool)

    without = judge_accuracies(accuracies[:7], all_there[:7], 6000).margins
    beside = judge_accuracies(noisy, all_there, 6000).margins[:7, :7]

    assert np.median(beside / without) == pytest.approx(1.0, abs=0.2)


def test_runs_that_are_not_there_are_not_looked_at():
    rng = np.random.default_rng(9)
    outcomes = World((0.93, 0.9, 0.9, 0.9), 3, 3000).outcomes(rng)
    present = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 0], [1, 1, 1]], bool)
    spoilt = outcomes.copy()
    spoilt[~present] = 1

    judged = judge(spoilt, present)

    assert judged.tied.tolist() == judge(outcomes, present).tied.tolist()
    assert judged.margins[0, 2] > judged.margins[0, 1]


def test_a_larger_family_widens_margins():
    outcomes = World(EQUAL, 3, 1000).outcomes(np.random.default_rng(10))

    assert (judge(outcomes, n_family=10_000).margins >= judge(outcomes).margins).all()
    assert judge(outcomes, n_family=10_000).margin.max() > judge(outcomes).margin.max()


def test_a_trial_that_may_be_noisier_is_judged_by_its_own_seeds():
    ratios = np.full((8, 8), 1.5)
    ratios[7] = ratios[:, 7] = 30.0
    drawn = np.random.default_rng(0).chisquare(1, (400, 8, 8))
    df = np.ones((8, 8))

    found = pool(ratios, drawn, df)

    assert found.alone.tolist() == [False] * 7 + [True]
    assert found.ratios[0, 7] == 30.0
    assert found.ratios[0, 1] < 3.0
