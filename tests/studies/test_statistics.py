"""Intervals and ties: against other implementations, and counted in worlds whose truth is known."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coarsefine.studies.results.statistics import (
    Comparison,
    Measured,
    compare,
    dunnett_quantile,
    expected_maximum,
    range_quantile,
    student,
    student_quantile,
    wilson,
)
from tests.studies import simulations

SHARES = st.integers(0, 360).map(lambda n: n / 360)
DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"


def measured(*rows, replicates=None):
    """Return trials of different points with these accuracies, by replicate."""
    return [Measured(i, dict(enumerate(row))) for i, row in enumerate(rows)]


def best_of(trials):
    return max(range(len(trials)), key=lambda i: np.mean(list(trials[i].accuracies.values())))


def ties(trials, n_samples=0, best=None):
    verdicts, _ = compare(trials, best_of(trials) if best is None else best, n_samples)
    return [verdict.tied for verdict in verdicts]


# ------------------------------------------------------------------------- other implementations


@given(st.integers(1, 20_000), st.data())
def test_the_interval_of_one_run_is_wilsons(n_samples, data):
    hits = data.draw(st.integers(0, n_samples))

    low, high = wilson(hits / n_samples, n_samples)

    theirs = stats.binomtest(hits, n_samples).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= low <= hits / n_samples <= high <= 1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_the_interval_over_replicates_is_students(accuracies):
    low, high = student(accuracies)

    mean = np.mean(accuracies)
    half = stats.t.ppf(0.975, len(accuracies) - 1) * stats.sem(accuracies)
    assert (low, high) == pytest.approx((max(0, mean - half), min(1, mean + half)), rel=1e-3)


@pytest.mark.parametrize("df", [1, 2, 3, 5, 14, 100, 10_000, 30_000])
def test_quantiles_agree_with_scipys(df):
    assert student_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-4)
    assert dunnett_quantile(1, df) == pytest.approx(stats.t.ppf(0.95, df), rel=1e-4)
    theirs = stats.studentized_range.ppf(0.95, 8, df) / math.sqrt(2)
    assert range_quantile(8, df) == pytest.approx(theirs, rel=1e-4)


# One-sided 95 % points of Dunnett's (1955) table 1a.
DUNNETT = {(2, 5): 2.44, (9, 5): 3.30, (3, 10): 2.34, (9, 20): 2.60, (9, math.inf): 2.42}


@pytest.mark.parametrize("place", DUNNETT)
def test_quantiles_agree_with_dunnetts_table(place):
    assert dunnett_quantile(*place) == pytest.approx(DUNNETT[place], abs=0.01)


@given(st.integers(1, 200), st.sampled_from([1, 2, 5, 14, 50]))
@settings(max_examples=20)
def test_more_comparisons_and_fewer_degrees_of_freedom_need_wider_margins(n_others, df):
    assert dunnett_quantile(n_others, df) < dunnett_quantile(n_others + 1, df)
    assert dunnett_quantile(n_others, df + 1) < dunnett_quantile(n_others, df)
    assert dunnett_quantile(n_others, df) < range_quantile(n_others + 1, df)


@pytest.mark.parametrize("n", [1, 2, 8, 100])
def test_the_expected_maximum_is_that_of_samples(n):
    samples = np.random.default_rng(0).normal(size=(20_000, n)).max(axis=1)

    assert expected_maximum(n) == pytest.approx(samples.mean(), abs=0.03)


# ------------------------------------------------------------------------------------ properties


@st.composite
def repeated_trials(draw):
    n_trials, replicates = draw(st.integers(2, 9)), draw(st.integers(2, 5))
    rows = draw(
        st.lists(
            st.lists(SHARES, min_size=replicates, max_size=replicates),
            min_size=n_trials,
            max_size=n_trials,
        )
    )
    return measured(*rows)


@given(repeated_trials(), st.randoms())
def test_verdicts_depend_on_no_order_of_trials(trials, random):
    best = best_of(trials)
    order = list(range(len(trials)))
    random.shuffle(order)

    shuffled, _ = compare([trials[i] for i in order], order.index(best), 360)
    verdicts, _ = compare(trials, best, 360)

    for place, i in enumerate(order):
        assert shuffled[place].tied == verdicts[i].tied
        assert shuffled[place].margin == pytest.approx(verdicts[i].margin)


@given(repeated_trials(), st.lists(st.floats(-0.5, 0.5), min_size=5, max_size=5))
def test_what_a_seed_does_to_all_trials_alike_changes_no_difference(trials, shifts):
    best = best_of(trials)
    moved = [Measured(t.point, {r: a + shifts[r] for r, a in t.accuracies.items()}) for t in trials]

    before, _ = compare(trials, best, 0)
    after, _ = compare(moved, best, 0)

    for one, other in zip(before, after, strict=True):
        assert one.difference == pytest.approx(other.difference, abs=1e-9)
        assert one.margin == pytest.approx(other.margin, abs=1e-6)


@given(repeated_trials())
def test_the_best_is_tied_exactly_when_another_is(trials):
    best = best_of(trials)
    found = ties(trials, 360)

    others = [tied for i, tied in enumerate(found) if i != best]
    assert found[best] == any(others)


@given(SHARES, st.integers(2, 8), st.integers(1, 5))
def test_equal_accuracies_are_exact_ties(accuracy, n_trials, replicates):
    trials = measured(*[[accuracy] * replicates] * n_trials)

    assert ties(trials, 360) == [True] * n_trials
    verdicts, _ = compare(trials, 0, 360)
    assert all(verdict.difference == 0 for verdict in verdicts)


@pytest.mark.parametrize("replicates", [1, 2, 3])
def test_accuracies_at_the_ends_are_no_special_case(replicates):
    zero, one = [0.0] * replicates, [1.0] * replicates

    assert ties(measured(one, zero, one), 100) == [True, False, True]
    assert ties(measured(zero, zero), 100) == [True, True]
    for accuracies in (zero, one):
        low, high = wilson(accuracies[0], 100) if replicates == 1 else student(accuracies, 1 / 100)
        assert 0 <= low <= accuracies[0] <= high <= 1
        assert low < high


def test_two_replicates_that_agree_by_chance_prove_nothing():
    # Both ahead by one sample of 360: no spread at all, and no evidence.
    close = measured([0.97, 0.97], [0.97 - 1 / 360] * 2)
    # Both ahead by a tenth of the samples.
    far = measured([0.97, 0.97], [0.87, 0.87])

    assert ties(close, 360) == [True, True]
    assert ties(far, 360) == [False, False]


def test_only_replicates_that_both_have_are_paired():
    # Of the third seed alone, which was good to all, the second trial knows nothing.
    trials = [
        Measured("a", {0: 0.90, 1: 0.91, 2: 0.99}),
        Measured("b", {0: 0.90, 1: 0.91}),
        Measured("c", {0: 0.88, 1: 0.89, 2: 0.97}),
        Measured("d", {0: 0.85}),
    ]

    verdicts, comparison = compare(trials, 0, 5_000)

    assert [v.difference for v in verdicts] == pytest.approx([0, 0, -0.02, -0.05])
    assert comparison.method == "paired"
    # Fewer shared seeds, wider margins.
    assert verdicts[2].margin < verdicts[1].margin < verdicts[3].margin
    assert [v.tied for v in verdicts] == [True, True, False, False]


def test_replicates_of_one_trial_alone_say_nothing_of_others():
    trials = [Measured("a", {0: 0.9, 1: 0.91, 2: 0.92}), Measured("b", {0: 0.89})]

    verdicts, comparison = compare(trials, 0, 1_000)

    assert comparison.method == "binomial"
    assert verdicts[1].tied is True


def test_trials_of_the_same_point_are_one_value():
    row = [0.9, 0.902, 0.904]
    others = [Measured(i, dict(enumerate(np.array(row) - 0.01 * i))) for i in range(1, 4)]
    once = [Measured("a", dict(enumerate(row))), *others]
    twice = [*once, Measured("a", dict(enumerate(row)))]

    single, first = compare(once, 0, 5_000)
    double, second = compare(twice, 0, 5_000)

    assert double[:-1] == single
    assert first.n_points == second.n_points == 4
    # The best and its double are one: there is nothing to be told from.
    assert (first.n_tied, double[-1].tied) == (0, False)


def test_a_trial_about_to_diverge_does_not_hide_what_the_others_differ_by():
    rng = np.random.default_rng(0)
    good = [(0.9 - 0.02 * i + 0.001 * rng.normal(size=3)).tolist() for i in range(7)]
    wild = [0.1, 0.4, 0.3]

    verdicts, comparison = compare(measured(*good, wild), 0, 5_000)

    assert comparison.n_noisy == 1
    assert [verdict.tied for verdict in verdicts[:7]] == [False] * 7
    assert verdicts[7].margin > 50 * verdicts[6].margin


def test_without_a_number_of_samples_one_run_says_nothing():
    verdicts, comparison = compare(measured([0.9], [0.8]), 0, 0)

    assert comparison is None
    assert verdicts[1][:2] == (None, None)
    assert verdicts[1].tied is None


def test_one_trial_alone_is_tied_with_none():
    verdicts, comparison = compare(measured([0.9, 0.91]), 0, 100)

    assert comparison is None
    assert verdicts[0].tied in {None, False}
    assert verdicts[0].interval is not None


# ------------------------------------------------------------- what docs/statistics.md states


def stated(row, heading):
    """Return the percentages of a row of the table under a heading, as the document has them."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == row:
            return [float(cell) / 100 for cell in cells[1:]]
    raise AssertionError(f"{DOCUMENT.name} has no row {row!r} under {heading!r}")


def agrees(share, expected, draws):
    """Return whether a counted share is the stated one, but for four standard errors of both."""
    # The document's own figures are of 20,000 draws, and rounded.
    error = math.sqrt(max(expected * (1 - expected), 1e-3) * (1 / draws + 1 / 20_000))
    return abs(share - expected) <= 4 * error + 0.0005


@pytest.mark.parametrize("n_samples", [100, 360, 5_000])
def test_wilsons_interval_holds_the_truth_as_often_as_is_stated(n_samples):
    expected = stated(f"{n_samples:,}", "Interval of one run")

    for accuracy, share in zip((0.5, 0.9, 0.97, 0.999), expected, strict=True):
        found = simulations.wilson_coverage(accuracy, n_samples, 4_000, seed=1)
        assert agrees(found, share, 4_000)


@pytest.mark.parametrize("n_samples", [360, 5_000])
def test_students_interval_holds_the_truth_as_often_as_is_stated(n_samples):
    expected = stated(f"{n_samples:,}", "Interval over seeds")

    for replicates, share in zip((2, 3, 5, 10), expected, strict=True):
        found = simulations.student_coverage(replicates, 0.0035, n_samples, 2_000, seed=1)
        assert agrees(found, share, 2_000)


@pytest.mark.parametrize(
    ("n_trials", "replicates", "n_samples"),
    [(2, 2, 5_000), (8, 2, 5_000), (8, 3, 5_000), (8, 5, 5_000), (8, 3, 50_000), (8, 3, 360)],
)
def test_equal_trials_are_told_apart_as_seldom_as_is_stated(n_trials, replicates, n_samples):
    one, any_of_them = stated(
        f"{n_trials} trials, {replicates} seeds, {n_samples:,} samples", "All trials equal"
    )
    truth, noise = np.full(n_trials, 0.9), np.full(n_trials, 0.0035)
    worlds = simulations.repeated(truth, noise, replicates, n_samples, seed=1)

    found = simulations.errors(worlds, n_samples, 800)

    assert agrees(np.mean(found.separated), one, 800)
    assert agrees(found.any_separated, any_of_them, 800)
    assert one <= 0.055
    # If all are equal, the best of those tied looks better by what is said.
    assert found.stated == pytest.approx(found.optimism, rel=0.25)


@pytest.mark.parametrize("gap", [0.35, 0.7, 1.4])
def test_worse_trials_are_told_apart_as_often_as_is_stated(gap):
    expected = stated(f"{gap:.2f}", "One trial better than seven others")
    truth = np.array([0.9 + gap / 100, *[0.9] * 7])

    for replicates, share in zip((2, 3, 5, 10), expected, strict=True):
        worlds = simulations.repeated(truth, np.full(8, 0.0035), replicates, 5_000, seed=1)
        found = simulations.errors(worlds, 5_000, 300)
        # The seven are told apart together or not at all, more or less.
        assert agrees(np.mean(found.separated[1:]), share, 300 / 4)
        # The best one is hardly ever lost.
        assert found.separated[0] <= 0.05


@pytest.mark.parametrize("name", simulations.UNEQUAL)
def test_unequal_noise_tells_equal_trials_apart_as_often_as_is_stated(name):
    expected = stated(name, "Unequal noise")

    for replicates, share in zip((2, 3, 5), expected, strict=True):
        noise = 0.0035 * simulations.UNEQUAL[name]
        worlds = simulations.repeated(np.full(8, 0.8), noise, replicates, 5_000, seed=1)
        found = max(simulations.errors(worlds, 5_000, 400).separated)
        assert abs(found - share) < 0.05


@pytest.mark.parametrize(("accuracy", "n_samples"), [(0.97, 360), (0.52, 5_000)])
@pytest.mark.parametrize("seeds", [0.0, 0.35])
def test_one_run_each_tells_equal_trials_apart_as_seldom_as_is_stated(accuracy, n_samples, seeds):
    row = f"{100 * accuracy:.0f} % of {n_samples:,}, seeds {seeds:.2f}"
    expected = stated(row, "One run each")

    for alike, share in zip((0.0, 0.5, 0.9), expected, strict=True):
        worlds = simulations.single(np.full(8, accuracy), alike, seeds / 100, n_samples, seed=1)
        found = simulations.errors(worlds, n_samples, 100)
        assert abs(np.mean(found.separated) - share) < 0.03


@pytest.mark.parametrize("kept", ["0", "0.01", "0.05"])
def test_separations_hold_for_new_samples_as_often_as_is_stated(kept):
    expected = stated(kept, "New samples")

    for replicates, share in zip((2, 3), expected, strict=False):
        worlds = simulations.sampled(np.full(8, 0.52), replicates, 5_000, seed=1, kept=float(kept))
        found = simulations.errors(worlds, 5_000, 60)
        assert abs(np.mean(found.separated) - share) < 0.06


@pytest.mark.parametrize(
    ("margin", "seeds", "lacking"),
    [(0.02, 0.001, "more validation samples"), (0.02, 0.02, "more replicates")],
)
def test_what_is_lacking_is_what_makes_the_margin(margin, seeds, lacking):
    given = Comparison("paired", 8, 3, 3, 14, margin, seeds, 0.01, 0.001)

    assert given.lacking == lacking
    many, few = (
        Comparison("binomial", 8, 3, 1, None, 0.02, None, s, 0.001) for s in (0.001, 0.015)
    )
    assert many.lacking == "replicates"
    assert few.lacking == "more validation samples and replicates"
