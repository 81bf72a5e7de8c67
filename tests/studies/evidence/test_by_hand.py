"""What the program says of outcomes, beside SciPy, statsmodels, scikit-learn and sums by hand."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from coarsefine.studies.results.evidence import contrasts, metrics
from coarsefine.studies.results.evidence.intervals import NETWORK, interval, on_these_samples
from coarsefine.studies.results.evidence.pairs import compared
from coarsefine.studies.results.evidence.spread import NETWORKS
from coarsefine.studies.results.evidence.ties import judge


def outcomes(n_trials, n_seeds, n_samples, seed=0):
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=n_samples)
    own = rng.normal(size=(n_trials, 1, n_samples))
    flips = rng.normal(size=(n_trials, n_seeds, n_samples))
    return (hard + 0.3 * own + 0.5 * flips < 0.6).astype(np.float32)


def two_way(d):
    """Return the mean squares of seeds, samples and the rest from a table of sums of squares."""
    n_seeds, n_samples = d.shape
    mean = d.mean()
    seeds = sum(n_samples * (row.mean() - mean) ** 2 for row in d)
    samples = sum(n_seeds * (column.mean() - mean) ** 2 for column in d.T)
    rest = sum(
        (d[r, s] - d[r].mean() - d[:, s].mean() + mean) ** 2
        for r in range(n_seeds)
        for s in range(n_samples)
    )
    free = n_seeds - 1, n_samples - 1, (n_seeds - 1) * (n_samples - 1)
    return [square / df for square, df in zip((seeds, samples, rest), free, strict=True)]


def test_mean_squares_are_those_of_a_two_way_layout():
    scores = outcomes(3, 4, 50)
    pairs = compared(scores, np.ones((3, 4), bool))

    for a in range(3):
        for b in range(3):
            difference = (scores[a] - scores[b]).astype(float)
            expected = two_way(difference)
            found = [pairs.seed[a, b], pairs.sample[a, b], pairs.rest[a, b]]
            assert found == pytest.approx(expected, abs=1e-6)
            assert pairs.difference[a, b] == pytest.approx(difference.mean(), abs=1e-7)


def test_mean_squares_are_those_of_an_analysis_of_variance():
    import pandas as pd
    from statsmodels.formula.api import ols

    scores = outcomes(2, 3, 30)
    difference = (scores[0] - scores[1]).astype(float)
    r, s = np.indices(difference.shape)
    frame = pd.DataFrame({"d": difference.ravel(), "r": r.ravel(), "s": s.ravel()})
    table = anova_lm(ols("d ~ C(r) + C(s)", frame).fit())

    pairs = compared(scores, np.ones((2, 3), bool))

    assert pairs.seed[0, 1] == pytest.approx(table["mean_sq"]["C(r)"], abs=1e-6)
    assert pairs.sample[0, 1] == pytest.approx(table["mean_sq"]["C(s)"], abs=1e-6)
    assert pairs.rest[0, 1] == pytest.approx(table["mean_sq"]["Residual"], abs=1e-6)


def test_pairs_are_compared_over_the_seeds_that_both_have():
    scores = outcomes(3, 4, 40)
    present = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0]], bool)
    spoilt = scores.copy()
    spoilt[~present] = 7

    pairs = compared(spoilt, present)

    assert pairs.n_seeds.tolist() == [[4, 3, 1], [3, 3, 0], [1, 0, 1]]
    both = (scores[0] - scores[1])[[0, 2, 3]].astype(float)
    assert pairs.seed[0, 1] == pytest.approx(two_way(both)[0], abs=1e-6)
    assert pairs.difference[2, 0] == pytest.approx((scores[2] - scores[0])[1].mean(), abs=1e-7)
    assert np.isnan(pairs.rest[0, 2])
    assert pairs.sample[0, 2] == pytest.approx((scores[0] - scores[2])[1].var(ddof=1), abs=1e-6)
    assert np.isnan(pairs.difference[1, 2])


@pytest.mark.parametrize("seed", range(5))
def test_mcnemars_test_is_that_of_statsmodels(seed):
    a, b = outcomes(2, 1, 200, seed)[:, 0]
    table = [[np.sum(x * y) for y in (b, 1 - b)] for x in (a, 1 - a)]

    expected = reference_mcnemar(table, exact=True).pvalue

    assert contrasts.mcnemar(a, b) == pytest.approx(expected)


def test_one_seed_gives_mcnemars_error_for_the_networks():
    scores = outcomes(2, 1, 5000)
    a, b = scores[:, 0]
    first, second = np.sum(a > b), np.sum(b > a)

    judged = judge(scores, spread=NETWORKS)

    # (b + c - (b - c)² / N) / N², and one and a half discordant samples for caution.
    discordant = first + second - (first - second) ** 2 / 5000
    expected = np.sqrt(discordant * 5000 / 4999 + 1.5) / 5000
    assert judged.errors[0, 1] == pytest.approx(expected, rel=1e-6)


def test_holms_adjustment_is_that_of_statsmodels():
    p = np.random.default_rng(0).uniform(size=12) ** 3

    expected = multipletests(p, method="holm")[1]

    assert contrasts.holm(p) == pytest.approx(expected)


def test_a_contrast_without_noise_of_samples_is_students_paired_test():
    rng = np.random.default_rng(3)
    a, b = (np.repeat(rng.normal(0.8, 0.01, (6, 1)), 100, axis=1) for _ in range(2))

    (found,) = contrasts.decided([contrasts.contrast(a, b, unit=0.0)], 0.001)

    expected = stats.ttest_rel(a[:, 0], b[:, 0])
    assert found.p == pytest.approx(expected.pvalue, rel=1e-3)
    assert found.interval == pytest.approx(expected.confidence_interval(0.95), rel=1e-3)


def test_a_contrast_of_other_samples_and_one_seed_is_that_of_two_shares():
    scores = outcomes(2, 1, 2000)
    a, b = scores[0], scores[1][:, :1500]

    found = contrasts.contrast(a, b, same_samples=False, spread=NETWORKS, unit=0.0)

    p, q = a.mean(), b.mean()
    assert found.error == pytest.approx(np.sqrt(p * (1 - p) / 1999 + q * (1 - q) / 1499), rel=1e-6)


def test_the_interval_of_a_network_is_wilsons():
    scores = (np.arange(200) < 180).astype(np.float32)[None]

    low, high = interval(scores, NETWORK)

    expected = stats.binomtest(180, 200).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=2e-4)


def test_the_interval_on_these_samples_is_students():
    scores = outcomes(1, 5, 400)[0]
    by_seed = scores.mean(axis=1)

    found = on_these_samples(scores)

    expected = stats.t.interval(0.95, 4, by_seed.mean(), stats.sem(by_seed))
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def predictions():
    rng = np.random.default_rng(1)
    labels = rng.choice(4, 600, p=[0.6, 0.25, 0.1, 0.05])
    wrong = rng.random((3, 600)) < 0.3
    return np.where(wrong, rng.integers(0, 4, (3, 600)), labels), labels


@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        ("accuracy", lambda y, p: np.mean(y == p)),
        ("balanced-accuracy", balanced_accuracy_score),
        ("macro-f1", lambda y, p: f1_score(y, p, average="macro")),
    ],
)
def test_the_mean_score_is_the_metric_of_scikit_learn(metric, reference, predictions):
    predicted, labels = predictions

    found = metrics.scores(metric, predicted, labels, 4).mean(axis=-1, dtype=float)

    assert found == pytest.approx([reference(labels, each) for each in predicted])


@pytest.mark.parametrize("metric", ["balanced-accuracy", "macro-f1"])
def test_the_error_of_a_metric_is_that_of_samples_drawn_again(metric, predictions):
    predicted, labels = predictions[0][0], predictions[1]
    rng = np.random.default_rng(2)
    drawn = rng.integers(0, 600, (1500, 600))
    again = [metrics.scores(metric, predicted[i], labels[i], 4).mean() for i in drawn]

    found = metrics.scores(metric, predicted, labels, 4).std() / np.sqrt(600)

    assert found == pytest.approx(np.std(again), rel=0.12)


def test_per_class_figures_are_those_of_scikit_learn(predictions):
    predicted, labels = predictions[0][0], predictions[1]

    assert metrics.recalls(predicted, labels, 4) == pytest.approx(
        recall_score(labels, predicted, average=None)
    )
    table = metrics.confusion(predicted, labels, 4)
    assert table.sum(axis=1).tolist() == np.bincount(labels).tolist()
    assert table[1, 0] == np.sum((labels == 1) & (predicted == 0))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_classes_without_samples_count_as_in_scikit_learn():
    labels = np.array([0, 0, 1, 1, 1])
    predicted = np.array([[0, 2, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]])

    balanced = metrics.scores("balanced-accuracy", predicted, labels, 4).mean(axis=-1)
    f1 = metrics.scores("macro-f1", predicted, labels, 4).mean(axis=-1)

    assert balanced == pytest.approx([balanced_accuracy_score(labels, p) for p in predicted])
    assert f1 == pytest.approx([f1_score(labels, p, average="macro") for p in predicted])


def test_the_majority_is_the_share_of_the_most_frequent_class():
    found = metrics.majority(np.array([0, 1, 1, 1, 2]), 3)

    assert (found.label, found.accuracy) == (1, 0.6)
    assert found.notable
    assert not metrics.majority(np.arange(10), 10).notable
    assert metrics.majority(np.array([0, 1, 1]), 2, training=np.array([0, 0, 1])).label == 0


def test_contrasts_are_better_equivalent_or_undecided():
    rng = np.random.default_rng(0)
    base = rng.random((5, 4000)) < 0.9
    same = base ^ (rng.random((5, 4000)) < 0.002)
    worse = base & (rng.random((5, 4000)) < 0.95)
    few = base[:2, :100]

    better, equal, undecided = contrasts.decided(
        [
            contrasts.contrast(base.astype(float), worse.astype(float)),
            contrasts.contrast(base.astype(float), same.astype(float)),
            contrasts.contrast(few.astype(float), worse[:2, :100].astype(float)),
        ],
        delta=0.005,
    )

    assert (better.verdict, better.by_at_least) == ("better", True)
    assert equal.verdict == "equivalent"
    assert undecided.verdict == "undecided"
    more = contrasts.needed(undecided, 0.005, 3)
    assert more.seeds is not None
    assert more.seeds > 2


def test_what_is_needed_decides():
    each = contrasts.Contrast(0.01, 0.008, 2.0, 0.5e-4, 0.0, 0.05, 3, 5000)

    found = contrasts.needed(each, 0.005)

    assert found.seeds is not None
    enough = each.seed_variance / found.seeds + each.sample_variance / each.n_samples
    assert 0.01 / np.sqrt(enough) > 1.96
    fewer = each.seed_variance / (found.seeds - 1) + each.sample_variance / each.n_samples
    df = (found.seeds - 2) * (fewer * (found.seeds - 1) / each.seed_variance) ** 2
    assert 0.01 / np.sqrt(fewer) < stats.t.ppf(0.975, df)


def test_samples_that_are_needed_decide_and_seeds_alone_may_not():
    each = contrasts.Contrast(0.01, 0.02, 20.0, 1e-6, 0.0, 0.5, 10, 1000)

    found = contrasts.needed(each, 0.005)

    assert found.seeds is None
    assert found.samples == pytest.approx(0.5 / (0.01 / 1.96) ** 2, rel=0.02)
