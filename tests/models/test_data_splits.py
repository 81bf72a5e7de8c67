"""Splits: disjoint, seeded, nested and balanced."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.data.splits import (
    balanced_order,
    refit_indices,
    set_aside_test,
    shuffled,
    split_indices,
)
from coarsefine.models.errors import DataError

LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=120).map(
    lambda y: np.array(y, dtype=np.int64)
)
FRACTIONS = st.floats(0.01, 0.5)


@given(
    y=LABELS, train=FRACTIONS, validation=FRACTIONS, stratified=st.booleans(), seed=st.integers(0)
)
def test_splits_are_disjoint_and_of_the_size_asked_for(y, train, validation, stratified, seed):
    spec = SplitSpec(train=train, validation=validation, stratified=stratified, seed=seed)

    chosen, validating = split_indices(spec, y)

    assert not set(chosen) & set(validating)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) | set(validating) <= set(range(len(y)))
    assert len(validating) == max(1, round(validation * len(y)))
    assert len(chosen) == min(max(1, round(train * len(y))), len(y) - len(validating))


@given(y=LABELS, seed=st.integers(0, 2**64), method=st.sampled_from(["random", "ordered"]))
def test_without_a_size_the_training_split_is_all_the_rest(y, seed, method):
    chosen, validating = split_indices(SplitSpec(method, validation=1, seed=seed), y)

    assert sorted([*chosen, *validating]) == list(range(len(y)))


@given(y=LABELS, data=st.data())
def test_smaller_training_splits_lie_inside_larger_ones_and_validation_stays(y, data):
    n_validation = data.draw(st.integers(1, len(y) - 1))
    sizes = st.integers(1, len(y) - n_validation)
    small, large = sorted((data.draw(sizes), data.draw(sizes)))

    first = split_indices(SplitSpec(train=small, validation=n_validation), y)
    second = split_indices(SplitSpec(train=large, validation=n_validation), y)

    assert first[0].tolist() == second[0][:small].tolist()
    assert first[1].tolist() == second[1].tolist()


@given(y=LABELS)
def test_each_prefix_of_a_balanced_order_has_each_class_to_within_one_sample(y):
    order = balanced_order(y)

    counts = np.eye(7)[y[order]].cumsum(axis=0)
    ideal = np.arange(1, len(y) + 1)[:, None] * np.bincount(y, minlength=7) / len(y)
    assert sorted(order) == list(range(len(y)))
    assert np.abs(counts - ideal).max() < 1


@given(y=LABELS, seed=st.integers(0, 100))
def test_stratified_splits_have_each_class_to_within_two_samples(y, seed):
    chosen, validating = split_indices(SplitSpec(train=0.5, validation=0.25, seed=seed), y)

    for part in (chosen, validating):
        ideal = len(part) * np.bincount(y, minlength=7) / len(y)
        assert np.abs(np.bincount(y[part], minlength=7) - ideal).max() < 2


def test_a_seed_gives_its_split_again_and_another_seed_another():
    y = np.arange(50) % 5

    first, again = (split_indices(SplitSpec(seed=3), y)[0] for _ in range(2))
    other = split_indices(SplitSpec(seed=4), y)[0]

    assert first.tolist() == again.tolist() != other.tolist()


def test_the_order_of_a_seed_is_the_same_for_ever():
    assert shuffled(8, seed=0).tolist() == [7, 5, 1, 6, 3, 2, 4, 0]


DRAWN = st.builds(
    SplitSpec,
    method=st.sampled_from(["random", "ordered", "canonical"]),
    train=FRACTIONS,
    validation=FRACTIONS,
    stratified=st.booleans(),
    seed=st.integers(0, 9),
    draw=st.integers(1, 9),
)


def split_of(spec, y):
    """Return the split of data whose own training part is its first two thirds."""
    n_train = max(1, len(y) * 2 // 3)
    return split_indices(spec, y, canonical=(n_train, len(y) - n_train))


@given(y=LABELS, spec=DRAWN)
def test_a_draw_changes_the_training_split_but_not_its_size_nor_the_validation_split(y, spec):
    drawn, validating = split_of(spec, y)

    first, first_validating = split_of(replace(spec, draw=0), y)
    assert validating.tolist() == first_validating.tolist()
    assert len(set(drawn)) == len(drawn) == len(first)
    assert not set(drawn) & set(validating)
    assert set(drawn) <= set(range(len(y)))
    if spec.method == "canonical":
        assert max(drawn) < max(1, len(y) * 2 // 3)


@given(y=LABELS, spec=DRAWN, sizes=st.lists(st.integers(1, 80), min_size=2, max_size=2))
def test_within_a_draw_smaller_training_splits_lie_inside_larger_ones(y, spec, sizes):
    assume(spec.method != "ordered")
    n_most = len(split_of(replace(spec, train=None), y)[0])
    small, large = sorted(min(size, n_most) for size in sizes)

    inside, outside = (split_of(replace(spec, train=size), y)[0] for size in (small, large))

    assert inside.tolist() == outside[:small].tolist()


@given(y=LABELS, seed=st.integers(0, 100), draw=st.integers(0, 9))
def test_every_draw_of_a_stratified_split_has_each_class_to_within_two_samples(y, seed, draw):
    # Balanced among what the validation split leaves, which is off by less than one itself.
    chosen, _ = split_indices(SplitSpec(train=0.5, validation=0.25, seed=seed, draw=draw), y)

    ideal = len(chosen) * np.bincount(y, minlength=7) / len(y)
    assert np.abs(np.bincount(y[chosen], minlength=7) - ideal).max() < 2


@pytest.mark.parametrize("method", ["random", "ordered", "canonical"])
def test_draws_take_every_sample_that_may_be_trained_on_equally_often(method):
    y = np.zeros(60, dtype=np.int64)
    spec = SplitSpec(method, train=10, validation=20, seed=4)

    draws = [split_of(replace(spec, draw=draw), y)[0] for draw in range(1, 401)]

    counts = np.bincount(np.concatenate(draws), minlength=60)
    candidates = counts[counts > 0]
    assert len(candidates) == 40
    # 400 draws of 10 out of 40: 100 each, with a deviation of √(400 · ¼ · ¾) = 8.7; the largest
    # of forty is seldom past 3.5 of them, and the seeds are fixed.
    assert np.abs(candidates - 100).max() < 31


def test_draws_of_another_seed_are_others():
    y = np.zeros(60, dtype=np.int64)

    one, other = (
        split_indices(SplitSpec("ordered", train=10, validation=20, seed=seed, draw=1), y)[0]
        for seed in (0, 1)
    )

    assert one.tolist() != other.tolist()


def test_an_ordered_split_follows_the_file():
    y = np.zeros(10, dtype=np.int64)

    with_size = split_indices(SplitSpec("ordered", train=5, validation=2), y)
    without = split_indices(SplitSpec("ordered", validation=2), y)

    assert [part.tolist() for part in with_size] == [[0, 1, 2, 3, 4], [5, 6]]
    assert [part.tolist() for part in without] == [list(range(8)), [8, 9]]


def test_a_canonical_split_is_the_data_sets_own():
    y = np.zeros(10, dtype=np.int64)

    chosen, validating = split_indices(SplitSpec("canonical"), y, canonical=(4, 3))

    assert chosen.tolist() == [0, 1, 2, 3]
    assert validating.tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("spec", "canonical", "words"),
    [
        (SplitSpec(train=90, validation=20), None, "100 samples.*90 training.*20 validation"),
        (SplitSpec("ordered", train=101, validation=1), None, "101 training"),
        (SplitSpec(validation=100), None, "100 validation"),
        (SplitSpec("canonical"), None, "defines no validation split"),
        (SplitSpec("canonical", train=60), (50, 50), "has 50 samples, got 60"),
    ],
)
def test_a_split_that_does_not_fit_is_refused_with_numbers(spec, canonical, words):
    with pytest.raises(DataError, match=words):
        split_indices(spec, np.zeros(100, dtype=np.int64), canonical)


@given(y=LABELS, kept=st.integers(1, 200))
def test_a_refit_trains_on_both_splits_less_the_part_kept(y, kept):
    train, validation = split_indices(SplitSpec(validation=0.3), y)
    if kept >= len(y):
        with pytest.raises(DataError, match=f"got {kept} to keep"):
            refit_indices(train, validation, kept)
        return

    chosen, validating = refit_indices(train, validation, kept)

    assert len(validating) == kept
    assert sorted([*chosen, *validating]) == list(range(len(y)))
    assert validating.tolist() == [*validation, *train][:kept]


@given(y=LABELS)
def test_a_fifth_is_set_aside_for_the_test_with_the_classes_in_proportion(y):
    rest, test = set_aside_test(y)

    ideal = len(test) * np.bincount(y, minlength=7) / len(y)
    assert sorted([*rest, *test]) == list(range(len(y)))
    assert len(test) == max(1, round(0.2 * len(y)))
    assert np.abs(np.bincount(y[test], minlength=7) - ideal).max() < 1


def in_folds(y, n_folds, seed=0, **changes):
    specs = [
        SplitSpec("folds", seed=seed, folds=n_folds, fold=i, **changes) for i in range(n_folds)
    ]
    return [split_indices(spec, y) for spec in specs]


@given(y=LABELS, n_folds=st.integers(2, 12), seed=st.integers(0, 100))
def test_each_sample_validates_in_one_fold_and_is_trained_on_in_all_others(y, n_folds, seed):
    assume(len(y) >= n_folds)

    found = in_folds(y, n_folds, seed)

    validating = np.concatenate([validation for _, validation in found])
    assert sorted(validating) == list(range(len(y)))
    for train, validation in found:
        assert sorted([*train, *validation]) == list(range(len(y)))
    sizes = [len(validation) for _, validation in found]
    assert max(sizes) - min(sizes) <= 1
    counts = np.array([np.bincount(y[validation], minlength=7) for _, validation in found])
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1


def test_folds_that_are_not_stratified_are_other_ones_and_more_folds_than_samples_are_refused():
    y = np.repeat(np.arange(3), 20)

    plain, stratified = in_folds(y, 4, stratified=False), in_folds(y, 4)

    assert sorted(plain[0][1]) != sorted(stratified[0][1])
    assert sorted(np.concatenate([validation for _, validation in plain])) == list(range(60))
    with pytest.raises(DataError, match="60 samples outside its test set, got 61 folds"):
        in_folds(y, 61)


def test_a_smaller_training_set_of_a_fold_lies_inside_a_larger_one_beside_the_same_fold():
    y = np.repeat(np.arange(3), 20)

    small, large = (in_folds(y, 4, train=n)[1] for n in (10, 40))

    assert small[0].tolist() == large[0][:10].tolist()
    assert small[1].tolist() == large[1].tolist()


def test_redraws_are_other_splits_of_the_same_sizes_and_the_first_is_the_plain_one():
    y = np.repeat(np.arange(3), 20)
    plain, *others = (split_indices(SplitSpec(redraw=i), y) for i in range(4))

    assert [part.tolist() for part in plain] == [
        part.tolist() for part in split_indices(SplitSpec(), y)
    ]
    assert len({tuple(sorted(validation)) for _, validation in (plain, *others)}) == 4
    for train, validation in others:
        assert sorted([*train, *validation]) == list(range(60))
        assert np.bincount(y[validation]).tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "stratified"}, "random, ordered, canonical, folds, got 'stratified'"),
        ({"train": 0}, "train must be .*, got 0"),
        ({"train": 1.0}, "train must be .*, got 1.0"),
        ({"train": True}, "train must be .*, got True"),
        ({"validation": -5}, "validation must be .*, got -5"),
        ({"validation": float("nan")}, "validation must be .*, got nan"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"draw": -1}, "draw must be >= 0, got -1"),
        ({"redraw": -1}, "redraw must be >= 0, got -1"),
        ({"method": "folds", "folds": 1}, "2 or more .*, got fold 0 of 1"),
        ({"method": "folds", "folds": 3, "fold": 3}, "2 or more .*, got fold 3 of 3"),
    ],
)
def test_a_split_checks_itself(settings, words):
    with pytest.raises(DataError, match=words):
        SplitSpec(**settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": ""}, "data must be"),
        ({"normalisation": "standardize"}, "normalisation must be one of .* got 'standardize'"),
        ({"precision": "float16"}, "precision must be one of .* got 'float16'"),
    ],
)
def test_a_data_spec_checks_itself(settings, words):
    with pytest.raises(DataError, match=words):
        DataSpec(**({"name": "digits"} | settings))
