"""Rules of early stopping against what they say, on losses with many ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models.early_stopping import new_watch
from coarsefine.models.specs import STOP_RULES, TrainingSpec
from tests.models.reference import stops

# Few values: ties are what the rules differ in.
LOSSES = st.lists(st.integers(0, 4), min_size=1, max_size=30)


def spec_of(rule, patience):
    return TrainingSpec(1, 1, patience=patience, stop_rule=rule)


def first_stop(rule, patience, losses):
    """Return after how many evaluations a trial stops; ``None`` if it does not."""
    watch = new_watch(1)
    for i, loss in enumerate(losses, 1):
        watch = watch.seen(np.array([float(loss)]), np.zeros(1), i, spec_of(rule, patience))
        if watch.stops(spec_of(rule, patience))[0]:
            return i
    return None


@given(losses=LOSSES, rule=st.sampled_from(STOP_RULES), patience=st.integers(2, 8))
def test_a_trial_stops_where_the_whole_history_says_so(losses, rule, patience):
    spec = spec_of(rule, patience)
    expected = (i for i in range(1, len(losses) + 1) if stops(spec, losses[:i]))

    assert first_stop(rule, patience, losses) == next(expected, None)


@given(losses=LOSSES, patience=st.integers(2, 8))
def test_what_is_remembered_is_where_the_loss_was_lowest_first(losses, patience):
    watch, spec = new_watch(1), spec_of("best", patience)
    for i, loss in enumerate(losses):
        watch = watch.seen(np.array([float(loss)]), np.array([i / 100]), i, spec)

    best = losses.index(min(losses))
    assert (watch.lowest[0], watch.step[0], watch.accuracy[0]) == (min(losses), best, best / 100)
    assert watch.waited[0] == len(losses) - 1 - best


@pytest.mark.parametrize(
    ("losses", "best", "window"),
    [
        # The window already stops with as many losses as its patience, the oldest of them lowest.
        ([1, 2, 3, 4], 4, 3),
        # Ties stop in both.
        ([2, 2, 2, 2, 2], 4, 3),
        # Any loss below the oldest keeps the window going, a new lowest one only the other.
        ([5, 1, 4, 3, 2, 2, 2, 2], 5, 5),
        ([3, 2, 1, 2, 3, 3, 2, 2], 6, 6),
        # What the window no longer holds is forgotten.
        ([0, 5, 4, 3, 2, 1], 4, 3),
        ([9, 8, 7, 6, 5], None, None),
    ],
)
def test_the_rules_with_a_patience_of_3(losses, best, window):
    assert first_stop("best", 3, losses) == best
    assert first_stop("window", 3, losses) == window


def test_without_patience_nothing_stops_and_nothing_is_kept_of_old_losses():
    watch, spec = new_watch(2), TrainingSpec(1, 1)
    for i in range(50):
        watch = watch.seen(np.full(2, float(i)), np.zeros(2), i, spec)
        assert not watch.stops(spec).any()

    assert watch.recent.shape == (2, 0)


def test_rows_are_those_of_the_trials_asked_for():
    spec = spec_of("window", 2)
    watch = new_watch(3).seen(np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3]), 7, spec)

    some = watch.rows([2, 0])

    assert some.lowest.tolist() == [2.0, 3.0]
    assert some.accuracy.tolist() == [0.3, 0.1]
    assert some.recent.tolist() == [[2.0], [3.0]]
