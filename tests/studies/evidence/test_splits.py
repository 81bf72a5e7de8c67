"""Evidence on splits: by hand, and in worlds whose truth is known."""

import numpy as np
import pytest
import scipy

from coarsefine.studies.results.evidence.splits import (
    OnSplits,
    compared_on_splits,
    contrast_on_splits,
    estimate_on_splits,
    judge_on_splits,
    variance_by_seed,
    varied,
)

ACCURACIES = [0.9, 0.8, 0.85, 0.95, 0.9]


def test_the_error_of_a_mean_over_folds_is_that_of_nadeau_and_bengio():
    found = estimate_on_splits(ACCURACIES, 1000, 1 / 4)

    assert found.error == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * np.var(ACCURACIES, ddof=1)))
    low, high = found.interval
    assert low < 0.88 < high


def test_a_loss_has_students_interval():
    found = estimate_on_splits(ACCURACIES, 1000, 1 / 4, share=False)

    half = scipy.stats.t.ppf(0.975, 4) * found.error
    assert found.interval == pytest.approx((0.88 - half, 0.88 + half))


def test_folds_that_agree_by_chance_are_as_noisy_as_their_samples():
    found = estimate_on_splits([0.9] * 5, 50, 1 / 4)

    assert found.error == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * 0.9 * 0.1 / 50))
    low, high = estimate_on_splits([1.0] * 5, 30, 1 / 4).interval
    assert low < 0.95
    assert high == 1
    assert estimate_on_splits([0.9], 50, 1 / 4) is None


def test_pairs_are_compared_on_the_samples_of_each_split():
    rng = np.random.default_rng(1)
    scores = [rng.random((3, n)) < 0.7 for n in (20, 20, 21)]
    present = np.ones((3, 3), np.bool_)

    pairs = compared_on_splits([each.astype(float) for each in scores], present, 0.5)

    apart = [(each[0] * 1.0 - each[1]) for each in scores]
    means = [each.mean() for each in apart]
    assert pairs.difference[0, 1] == pytest.approx(np.mean(means))
    assert pairs.seed[0, 1] == pytest.approx(20 * np.var(means, ddof=1))
    assert pairs.per_seed[0, 1] == pytest.approx(np.mean([each.var(ddof=1) for each in apart]))
    assert pairs.kept[0, 1] == 0
    assert pairs.n_alike == pytest.approx(20 / (1 / 3 + 0.5))


def test_a_trial_that_lacks_a_split_is_compared_on_those_that_both_have():
    rng = np.random.default_rng(2)
    scores = [rng.random((2, 30)) for _ in range(4)]
    present = np.array([[True] * 4, [True, True, True, False]])

    pairs = compared_on_splits(scores, present, 1 / 3)

    means = [float((each[0] - each[1]).mean()) for each in scores[:3]]
    assert pairs.n_seeds.tolist() == [[4, 3], [3, 3]]
    assert pairs.difference[0, 1] == pytest.approx(np.mean(means))
    assert pairs.seed[0, 1] == pytest.approx(30 * np.var(means, ddof=1))


def test_the_corrected_test_is_wider_than_one_that_takes_folds_for_independent():
    apart = [0.02, 0.05, 0.01, 0.03, 0.04]

    found = contrast_on_splits(apart, 1000, 1 / 4)

    naive = np.std(apart, ddof=1) / np.sqrt(5)
    assert found.error == pytest.approx(naive * 1.5)
    assert (found.difference, found.df) == (pytest.approx(0.03), 4)


@pytest.mark.parametrize("kept", [True, False])
def test_a_value_that_is_far_worse_on_every_fold_is_told_from_the_best(kept):
    rng = np.random.default_rng(3)
    right = [rng.random((4, 100)) < np.array([0.9, 0.9, 0.9, 0.4])[:, None] for _ in range(5)]
    scores = [each.astype(np.float64) for each in right]
    values = np.array([each.mean(axis=1) for each in scores]).T

    judged = judge_on_splits(
        scores if kept else None,
        values,
        np.ones((4, 5), np.bool_),
        OnSplits(1 / 4, n_samples=100),
    )

    assert judged.tied.tolist() == [True, True, True, False]


def test_seeds_are_told_from_splits_where_there_are_several_on_each():
    rng = np.random.default_rng(4)
    trials = []
    for _ in range(60):
        splits = rng.normal(0.9, 0.03, 5)
        trials.append([(split + rng.normal(0, 0.01, 3)).tolist() for split in splits])

    found = varied(trials)

    assert (found.n_splits, found.n_seeds) == (5, (3, 3))
    assert found.splits == pytest.approx(0.03, rel=0.15)
    assert found.seeds == pytest.approx(0.01, rel=0.15)
    single = varied([[runs[:1] for runs in splits] for splits in trials])
    assert single.seeds is None
    assert single.splits == pytest.approx(np.hypot(0.03, 0.01), rel=0.15)
    assert varied([[[0.9, 0.8]]]) is None


def test_what_seeds_do_on_a_split_is_taken_from_those_that_share_it():
    rng = np.random.default_rng(5)
    folds = np.repeat(rng.normal(0, 0.05, (4, 200)), 3, axis=1)
    values = folds + rng.normal(0, 0.01, (4, 600))
    names = np.repeat(np.arange(200), 3).tolist()

    found = variance_by_seed(values, np.ones((4, 600), np.bool_), names)

    assert found[0, 1] == pytest.approx(2 * 0.01**2 / 3, rel=0.2)
    assert variance_by_seed(values, np.ones((4, 600), np.bool_), list(range(600))) is None
