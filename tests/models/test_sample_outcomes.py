"""What is kept of each validation sample agrees with the accuracy of the epoch that counts."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.models.cohort import initial_state, state_from_bytes, state_to_bytes
from coarsefine.models.evaluation import Evaluator, SampleOutcomes, first_highest, predictions
from coarsefine.models.losses import LOSSES
from coarsefine.models.network import Parameters, initial_parameters
from coarsefine.models.outcomes import OutcomeCodec, read_accuracy, read_rights
from coarsefine.models.segment import Segment, run_segment
from coarsefine.models.specs import Hyperparameters, NetworkSpec
from coarsefine.models.training import train
from tests.models.samples import made_up
from tests.models.test_training import EIGHT, plan_of

KINDS = [
    {"score": score, **more}
    for score in ("final", "best")
    for more in (
        {},
        {"loss": "squared-error", "precision": "float32"},
        {"patience": 4, "evaluations": 3, "n_updates": 300},
        {"patience": 4, "stop_rule": "window", "n_updates": 300},
        {"n_updates": 203},
    )
]
of_all_kinds = pytest.mark.parametrize(
    "kinds", KINDS, ids=lambda kinds: " ".join(map(str, kinds.values()))
)


def scored_row(state, rows, slot):
    epoch = state.finished[slot].scored_epoch
    return next(row for row in rows if (row.slot, row.epoch) == (slot, epoch))


@of_all_kinds
def test_outcomes_are_those_of_the_epoch_that_counts(kinds):
    plan, data, outcomes = plan_of(**kinds), made_up(), {}

    state, rows = train(plan, initial_state(plan), data, 10**6, outcomes)

    assert sorted(outcomes) == list(range(8))
    for slot, each in outcomes.items():
        row = scored_row(state, rows, slot)
        assert np.mean(each.predicted[0] == data.y_validation) == row.validation_accuracy
        assert each.losses.mean() == pytest.approx(row.validation_loss, rel=1e-5)
        parameters = state.finished[slot].parameters
        expected = predictions(plan.network, parameters, data.x_validation)
        np.testing.assert_array_equal(each.predicted, expected)


@of_all_kinds
def test_keeping_them_changes_no_bit_and_segments_end_with_the_same(kinds):
    plan, data, whole = plan_of(**kinds), made_up(), {}
    without, rows = train(plan, initial_state(plan), data, 10**6)
    with_them, same_rows = train(plan, initial_state(plan), data, 10**6, whole)

    state, outcomes = initial_state(plan), {}
    for n_epochs in (1, 3, 2, 10**6):
        state = state_from_bytes(state_to_bytes(state))
        state, _ = train(plan, state, data, n_epochs, outcomes)

    def without_times(rows):
        return [replace(row, seconds=0, evaluation_seconds=0) for row in rows]

    assert without_times(same_rows) == without_times(rows)
    assert state_to_bytes(state) == state_to_bytes(with_them)
    for slot, done in without.finished.items():
        for kept, expected in zip(
            with_them.finished[slot].parameters.weights, done.parameters.weights, strict=True
        ):
            np.testing.assert_array_equal(kept, expected)
        np.testing.assert_array_equal(outcomes[slot].predicted, whole[slot].predicted)
        np.testing.assert_array_equal(outcomes[slot].losses, whole[slot].losses)


def test_a_best_epoch_of_an_older_checkpoint_leaves_none():
    plan, data = plan_of(score="best", n_updates=200), made_up()
    state, _ = train(plan, initial_state(plan), data, 20)
    before = state.epoch
    assert state.best_outcomes is None
    outcomes = {}

    state, _ = train(plan, state_from_bytes(state_to_bytes(state)), data, 10**6, outcomes)

    later = {slot for slot, done in state.finished.items() if done.scored_epoch > before}
    assert set(outcomes) == later
    assert 0 < len(later) < 8


def test_a_trial_that_diverges_leaves_none():
    trials = [Hyperparameters(learning_rate=0.05), Hyperparameters(learning_rate=1e9)]
    plan, outcomes = plan_of(trials), {}

    state, _ = train(plan, initial_state(plan), made_up(), 10**6, outcomes)

    assert state.finished[1].outcome == "diverged"
    assert set(outcomes) == {0}


class _Handle:
    def open(self):
        return made_up()


@pytest.mark.parametrize("score", ["final", "best"])
def test_a_segment_packs_those_of_the_trials_that_end_in_it(score):
    plan, data = plan_of(score=score, patience=4, evaluations=3, n_updates=300), made_up()
    rows, state, packed = [], None, {}
    for _ in range(10**6):
        result = run_segment(Segment("key", plan, _Handle(), state, 2))
        state, rows = result.state, rows + result.rows
        assert not packed.keys() & result.outcomes.keys()
        packed.update(result.outcomes)
        if state.done:
            break

    codec = OutcomeCodec(data.y_validation, 4)
    assert sorted(packed) == list(range(len(EIGHT)))
    for slot, payload in packed.items():
        row = scored_row(state, rows, slot)
        outcomes = codec.unpack(payload)
        assert read_accuracy(payload) == pytest.approx(row.validation_accuracy, abs=1e-12)
        right = read_rights(payload).right
        np.testing.assert_array_equal(right, outcomes.predicted == data.y_validation)
        assert outcomes.mean_loss == pytest.approx(row.validation_loss, rel=1e-5)


def test_of_several_highest_scores_the_first_counts():
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 3, (3, 5, 400)).astype(np.float32)

    found = first_highest(scores)

    np.testing.assert_array_equal(found, scores.argmax(axis=1))
    np.testing.assert_array_equal(first_highest(np.zeros((2, 300, 4), np.float32)), 0)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_losses_of_samples_add_up_to_those_of_trials(loss):
    spec = NetworkSpec(12, (7,), 4, loss=loss)
    parameters = initial_parameters(spec, 3, np.float32, np.random.default_rng(1))
    data = made_up(n_train=5000, dtype=np.float32)
    each = SampleOutcomes.unknown(3, 5000)
    evaluator = Evaluator(spec, 3, np.float32)

    plain = evaluator.evaluate(parameters, data.x_train, data.y_train)
    found = evaluator.evaluate(parameters, data.x_train, data.y_train, outcomes=each)

    np.testing.assert_array_equal(found.loss, plain.loss)
    np.testing.assert_array_equal(found.accuracy, plain.accuracy)
    np.testing.assert_allclose(each.losses.mean(axis=1), plain.loss, rtol=1e-5)
    np.testing.assert_array_equal((each.predicted == data.y_train).mean(axis=1), plain.accuracy)
    assert (each.losses >= 0).all()


def test_networks_without_an_opinion_predict_the_first_class():
    spec = NetworkSpec(12, (7,), 4)
    parameters = Parameters(
        [np.zeros((2, 7, 12)), np.zeros((2, 4, 7))], [np.zeros((2, 7)), np.zeros((2, 4))]
    )
    data, each = made_up(), SampleOutcomes.unknown(2, 150)

    Evaluator(spec, 2, np.float64).evaluate(parameters, data.x_train, data.y_train, outcomes=each)

    np.testing.assert_array_equal(each.predicted, 0)
