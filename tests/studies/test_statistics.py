"""Intervals and ties of a ranking: against other implementations, and what must always hold."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.studies.results.judging.statistics import (
    Comparison,
    Measured,
    dunnett_quantile,
    range_quantile,
    wilson,
)
from coarsefine.studies.results.judging.trials import compare
from tests.studies import simulations
from tests.studies.evidence.worlds import World

SHARES = st.integers(0, 360).map(lambda n: n / 360)
DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"


def measured(*rows):
    """Return trials of different points with these accuracies by replicate, the best first."""
    in_order = sorted(rows, key=np.mean, reverse=True)
    return [Measured(i, dict(enumerate(row))) for i, row in enumerate(in_order)]


def ties(trials, n_samples=0):
    return [verdict.tied for verdict in compare(trials, n_samples)[0]]


def with_outcomes(right, points=None):
    """Return trials that got these samples right, (T, S, N), the best first, and their reader."""
    right = np.asarray(right, bool)[np.argsort(-np.mean(right, axis=(1, 2)), kind="stable")]
    labels = np.zeros(right.shape[2], int)
    codec = OutcomeCodec(labels, 2)
    payloads = [[codec.pack((~run).astype(int)) for run in trial] for trial in right]
    trials = [
        Measured(i if points is None else points[i], dict(enumerate(trial.mean(axis=1).tolist())))
        for i, trial in enumerate(right)
    ]
    return trials, lambda positions: {p: dict(enumerate(payloads[p])) for p in positions}


@given(st.lists(st.integers(0, 6), min_size=2, max_size=6), st.integers(1, 3))
def test_no_margin_is_above_100_points_and_no_interval_leaves_0_to_1(hits, n_seeds):
    rows = [[n / 6] * n_seeds for n in hits]

    verdicts, comparison = compare(measured(*rows), 6)

    for verdict in verdicts:
        assert verdict.margin is None or 0 <= verdict.margin <= 1
        assert 0 <= verdict.interval[0] <= verdict.interval[1] <= 1
    assert comparison is None or comparison.margin <= 1
    assert comparison is None or comparison.sample_margin <= 1


# ------------------------------------------------------------------------- other implementations


@given(st.integers(1, 20_000), st.data())
def test_the_interval_of_one_run_is_wilsons(n_samples, data):
    hits = data.draw(st.integers(0, n_samples))

    low, high = wilson(hits / n_samples, n_samples)

    theirs = stats.binomtest(hits, n_samples).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= low <= hits / n_samples <= high <= 1


@pytest.mark.parametrize("df", [1, 2, 3, 5, 14, 100, 10_000, 30_000])
def test_quantiles_agree_with_scipys(df):
    assert dunnett_quantile(1, df) == pytest.approx(stats.t.ppf(0.95, df), rel=1e-4)
    theirs = stats.studentized_range.ppf(0.95, 8, df) / math.sqrt(2)
    assert range_quantile(8, df) == pytest.approx(theirs, rel=1e-4)


# One-sided 95 % points of Dunnett's (1955) table 1a.
DUNNETT = {(2, 5): 2.44, (9, 5): 3.30, (3, 10): 2.34, (9, 20): 2.60, (9, math.inf): 2.42}


@pytest.mark.parametrize("place", DUNNETT)
def test_quantiles_agree_with_dunnetts_table(place):
    assert dunnett_quantile(*place) == pytest.approx(DUNNETT[place], abs=0.01)


@given(st.integers(1, 200), st.sampled_from([1, 2, 5, 14, 50]))
@settings(max_examples=8)
def test_more_comparisons_and_fewer_degrees_of_freedom_need_wider_margins(n_others, df):
    assert dunnett_quantile(n_others, df) < dunnett_quantile(n_others + 1, df)
    assert dunnett_quantile(n_others, df + 1) < dunnett_quantile(n_others, df)
    assert dunnett_quantile(n_others, df) < range_quantile(n_others + 1, df)


# ------------------------------------------------------------------------------------ accuracies


@st.composite
def repeated_trials(draw):
    n_trials, replicates = draw(st.integers(2, 9)), draw(st.integers(2, 5))
    row = st.lists(SHARES, min_size=replicates, max_size=replicates)
    return measured(*draw(st.lists(row, min_size=n_trials, max_size=n_trials)))


@given(repeated_trials())
@settings(max_examples=20)
def test_the_best_is_tied_exactly_when_another_is(trials):
    found = ties(trials, 360)

    assert found[0] == any(found[1:])


@given(SHARES, st.integers(2, 8), st.integers(1, 5))
@settings(max_examples=20)
def test_equal_accuracies_are_exact_ties(accuracy, n_trials, replicates):
    trials = measured(*[[accuracy] * replicates] * n_trials)

    assert ties(trials, 360) == [True] * n_trials
    verdicts, _ = compare(trials, 360)
    assert all(verdict.difference == 0 for verdict in verdicts)


@pytest.mark.parametrize("replicates", [1, 2, 3])
def test_accuracies_at_the_ends_are_no_special_case(replicates):
    zero, one = [0.0] * replicates, [1.0] * replicates

    assert ties(measured(one, one, zero), 100) == [True, True, False]
    assert ties(measured(zero, zero), 100) == [True, True]
    for accuracies in (zero, one):
        low, high = compare(measured(accuracies), 100)[0][0].interval
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
        Measured("c", {0: 0.88, 1: 0.89, 2: 0.97}),
        Measured("b", {0: 0.90, 1: 0.91}),
        Measured("d", {0: 0.85}),
    ]

    verdicts, comparison = compare(trials, 5_000)

    assert [v.difference for v in verdicts] == pytest.approx([0, -0.02, 0, -0.05])
    assert comparison.method == "accuracies"
    assert [v.tied for v in verdicts] == [True, False, True, False]


def test_a_trial_about_to_diverge_does_not_hide_what_the_others_differ_by():
    rng = np.random.default_rng(0)
    good = [(0.9 - 0.02 * i + 0.001 * rng.normal(size=3)).tolist() for i in range(7)]
    wild = [0.1, 0.4, 0.3]

    verdicts, _ = compare(measured(*good, wild), 5_000)
    without, _ = compare(measured(*good), 5_000)

    assert [verdict.tied for verdict in verdicts] == [False] * 8
    margins = [[v.margin for v in found[1:7]] for found in (verdicts, without)]
    assert np.allclose(*margins, rtol=0.25)


def test_without_a_number_of_samples_one_run_says_nothing():
    verdicts, comparison = compare(measured([0.9], [0.8]), 0)

    assert comparison is None
    assert verdicts[1][:2] == (None, None)
    assert verdicts[1].tied is None


def test_one_trial_alone_is_tied_with_none():
    verdicts, comparison = compare(measured([0.9, 0.91]), 100)

    assert comparison is None
    assert verdicts[0].tied in {None, False}
    assert verdicts[0].interval is not None


# --------------------------------------------------------------------------------------- outcomes


def test_a_noisy_row_widens_no_other_margin():
    rng = np.random.default_rng(4)
    good = World((0.914, *(0.9,) * 6), 3, 2_000).outcomes(rng)
    accuracies = np.clip(0.5 + 0.3 * rng.standard_normal(3), 0.1, 0.9)
    bad = rng.random((1, 3, 2_000)) < accuracies[:, None]

    alone, _ = compare(*_with_samples(good))
    beside, comparison = compare(*_with_samples(np.concatenate([good, bad])))

    assert comparison.method == "samples"
    assert beside[-1].tied is False
    for before, after in zip(alone, beside[:-1], strict=True):
        assert after.margin <= 1.15 * before.margin + 1e-3


def _with_samples(right):
    trials, read = with_outcomes(right)
    return trials, right.shape[2], read


def test_single_runs_are_judged_by_the_samples_they_differ_on():
    rng = np.random.default_rng(1)
    best = rng.random(5_000) < 0.9
    # Nearly the same network, and one that is wrong on 100 samples more.
    near, worse = best.copy(), best.copy()
    near[rng.choice(np.flatnonzero(best), 4, replace=False)] = False
    worse[rng.choice(np.flatnonzero(best), 100, replace=False)] = False
    trials, read = with_outcomes(np.stack([best, near, worse])[:, None])

    verdicts, comparison = compare(trials, 5_000, read)
    _, fallback = compare(trials, 5_000)

    assert (comparison.method, fallback.method) == ("samples", "accuracies")
    assert [v.tied for v in verdicts] == [True, True, False]
    assert comparison.network_margin < comparison.margin < fallback.margin
    assert fallback.network_margin is None
    assert (comparison.n_without, fallback.n_without) == (0, 3)


@pytest.mark.parametrize("lost", ["nothing", "cut short", "of other samples"])
def test_runs_without_whole_outcomes_are_compared_by_accuracies(lost):
    right = World((0.9, 0.89, 0.8), 2, 500).outcomes(np.random.default_rng(0))
    trials, read = with_outcomes(right)
    outcomes = read(range(3))
    outcomes[1][1] = {
        "nothing": None,
        "cut short": outcomes[1][1][:-3],
        "of other samples": OutcomeCodec(np.zeros(400, int), 2).pack(np.zeros(400, int)),
    }[lost]

    _, comparison = compare(trials, 500, lambda _: outcomes)

    assert comparison.method == "accuracies"
    assert comparison.n_without == 1


def test_trials_of_the_same_point_are_one_value():
    right = World((0.9, 0.89, 0.88, 0.8), 3, 2_000).outcomes(np.random.default_rng(0))
    trials, read = with_outcomes(right)
    twice = [*trials, Measured(trials[0].point, trials[0].values)]

    single, first = compare(trials, 2_000, read)
    double, second = compare(twice, 2_000, read)

    assert double[:-1] == single
    assert first.n_points == second.n_points == 4
    assert double[-1].tied == single[0].tied


def test_of_thousands_only_the_best_are_read_and_the_rest_errs_on_the_side_of_ties():
    rng = np.random.default_rng(0)
    accuracies = np.sort(np.concatenate([[0.95], rng.uniform(0.5, 0.949, 400)]))[::-1]
    trials = [Measured(i, {0: a}) for i, a in enumerate(accuracies.tolist())]
    right = np.zeros((32, 1, 1_000), bool)
    for row, accuracy in zip(right, accuracies, strict=False):
        row[0, : round(1_000 * accuracy)] = True
    asked = []

    def read(positions):
        asked.extend(positions)
        return with_outcomes(right)[1](positions)

    verdicts, comparison = compare(trials, 1_000, read)

    assert asked == list(range(32))
    assert comparison.n_points == 401
    assert all(verdict.margin is not None for verdict in verdicts)
    far = [v for v in verdicts[32:] if not v.tied]
    assert far
    assert all(-v.difference > v.margin for v in far)


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


@pytest.mark.parametrize(
    ("share", "lacking"), [(0.2, "more validation samples"), (0.8, "more replicates")]
)
def test_what_is_lacking_is_what_makes_the_margin(share, lacking):
    given = Comparison("samples", 8, 3, 3, 14.0, 0.02, None, share, 0.01, 0.001)

    assert given.lacking == lacking
    many, few = (
        Comparison("samples", 8, 3, 1, None, 0.02, 0.01, None, s, 0.001) for s in (0.001, 0.015)
    )
    assert many.lacking == "replicates"
    assert few.lacking == "more validation samples and replicates"
