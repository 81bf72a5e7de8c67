"""The cohort trainer against a textbook's, against itself alone, and against interruption."""

import io
import itertools
import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarsefine.models.cohort import CohortPlan, initial_state, state_from_bytes, state_to_bytes
from coarsefine.models.early_stopping import Watch
from coarsefine.models.errors import ModelError
from coarsefine.models.specs import (
    ACTIVATIONS,
    INITIALISATIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    SCORE_WORDS,
    STOP_RULES,
    Hyperparameters,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.models.training import train
from tests.models.reference import train_alone
from tests.models.samples import made_up

# Trials of a cohort go through matrix products of other shapes than a trial alone, and those sum
# in another order: rounding of 1e-16 relative an operation. Over a few epochs of a stable training
# it grows some thousandfold; 1e-9 leaves room for that and none for a wrong term.
TOLERANCE = 1e-9
SCORES = tuple(SCORE_WORDS)

EIGHT = tuple(
    Hyperparameters(
        l2_strength=10.0**-k,
        learning_rate=0.006 * k,
        eta_min=1e-3 * k,
        eta_max=0.006 * k,
        half_cycle=7 + k,
        step_factor=1 - 0.1 * k,
        step_every=6 + k,
        momentum=0.1 * k,
        eta_decay=0.05 * k,
        cycle_factor=1 - 0.05 * k,
        beta1=0.1 * k,
        beta2=0.99 - 0.05 * k,
        decoupled_decay=0.0,
    )
    for k in range(1, 9)
)


# Some without and some with what a trial may do without.
NUMBERS = tuple(
    replace(
        trial,
        warm_up=k if k < 5 else 0,
        decoupled_decay=0.1 * (k % 3),
        clip_norm=0.1 * (k % 4),
        label_smoothing=0.1 * (k % 2),
        dropout=0.1 * (k % 5),
    )
    for k, trial in enumerate(EIGHT)
)


def plan_of(trials=EIGHT, *, hidden=(9,), n_updates=60, precision="float64", **kinds):
    network = {
        k: kinds.pop(k)
        for k in (
            "activation",
            "initialisation",
            "loss",
            "bias",
            "slope",
            "bias_sigma",
            "batch_norm",
            "bias_row",
        )
        if k in kinds
    }
    return CohortPlan(
        NetworkSpec(12, hidden, 4, **network),
        TrainingSpec(20, n_updates, precision=precision, **kinds),
        tuple(trials),
        seed=3,
    )


def trained(plan, data, n_epochs=10**6):
    return train(plan, initial_state(plan), data, n_epochs)


def curve(rows, slot, *fields):
    fields = fields or ("train_cost", "validation_loss", "validation_accuracy")
    return np.array([[getattr(row, f) for f in fields] for row in rows if row.slot == slot])


KINDS = [
    *({"activation": name} for name in ACTIVATIONS),
    *({"initialisation": name} for name in INITIALISATIONS),
    *({"loss": name} for name in LOSSES),
    *({"optimizer": name} for name in OPTIMIZERS),
    *({"schedule": name} for name in SCHEDULES),
    {"trials": NUMBERS, "optimizer": "adamw"},
    {"trials": NUMBERS, "hidden": (7, 5), "bias": "input", "schedule": "cosine"},
    {"trials": NUMBERS, "hidden": (), "schedule": "cyclical"},
    {"activation": "leaky-relu", "slope": 0.2, "bias_sigma": 0.3},
    {"class_weights": "balanced", "loss": "hinge"},
    {"class_weights": (1.0, 0.5, 2.0, 3.0), "trials": NUMBERS, "hidden": ()},
    {"flips": True, "shifts": 1, "input_noise": 0.3},
    {"batch_norm": True},
    {"batch_norm": True, "hidden": (7, 5, 6), "optimizer": "adam", "trials": NUMBERS},
    {"batch_norm": True, "hidden": (7, 5), "bias": "none", "optimizer": "momentum", "shifts": 1},
    {"hidden": ()},
    {"hidden": (7, 5, 6)},
    {"bias_row": True, "initialisation": "normal", "hidden": (7, 5)},
    {"bias_row": True, "bias": "input", "optimizer": "adamw", "trials": NUMBERS},
    {"bias": "none"},
    {"bias": "input"},
    {"bias": "input", "hidden": (7, 5, 6), "optimizer": "momentum"},
    {"shuffle": False},
    {"drop_last": True},
    {"optimizer": "adam", "hidden": (), "schedule": "cyclical"},
    {"evaluations": 3},
    {"evaluations": 100, "patience": 2},
    {"evaluate_every": 3, "patience": 4, "stop_rule": "window", "n_updates": 300},
    *(
        {"stop_rule": rule, "patience": 4, "evaluations": 3, "n_updates": 300, **more}
        for rule in STOP_RULES
        for more in ({}, {"optimizer": "momentum"}, {"hidden": (), "drop_last": True})
    ),
]


# Slots that are compared with the textbook's; the others, with the same trials alone.
BY_THE_BOOK, ALONE = (0, 2, 3, 5, 7), (1, 4, 6)


@pytest.fixture(
    scope="module",
    params=KINDS,
    ids=lambda kinds: " ".join(k if k == "trials" else str(v) for k, v in kinds.items()),
)
def cohort(request):
    """Each kind of cohort, trained: plan, samples, state and rows."""
    plan, data = plan_of(**request.param), made_up()
    return plan, data, *trained(plan, data)


def test_the_textbook_is_asked_for_several_values_of_each_number():
    for field, slots in itertools.product(fields(Hyperparameters), (BY_THE_BOOK, ALONE)):
        values = {getattr(NUMBERS[slot], field.name) for slot in slots}
        assert len(values) > 1, f"vary {field.name} in EIGHT or NUMBERS"


def test_trials_of_a_cohort_are_trained_as_a_textbook_would(cohort):
    plan, data, state, rows = cohort

    for slot in BY_THE_BOOK:
        n_epochs = plan.training.n_epochs(len(data.y_train))
        expected, Ws, bs, seen = train_alone(plan, slot, data, n_epochs)
        found = curve(rows, slot, "validation_loss", "validation_accuracy")[1:]
        np.testing.assert_allclose(found, expected[:, :2], atol=TOLERANCE)
        assert curve(rows, slot, "step")[1:, 0].tolist() == expected[:, 4].tolist()
        done = state.finished[slot]
        assert (done.epoch, done.step) == (len(expected), expected[-1, 4])
        step, loss, accuracy = seen[seen[:, 1].argmin()]
        assert done.lowest.step == step
        assert done.lowest.validation_loss == pytest.approx(loss, abs=TOLERANCE)
        assert done.lowest.validation_accuracy == accuracy
        parameters = done.parameters
        for weights, reference in zip(parameters.weights, Ws, strict=True):
            np.testing.assert_allclose(weights[0], reference, atol=TOLERANCE)
        assert len(parameters.biases) == plan.network.n_biased
        for biases, reference in zip(parameters.biases, bs, strict=False):
            np.testing.assert_allclose(biases[0], reference, atol=TOLERANCE)


def test_trials_of_a_cohort_of_eight_have_the_curves_they_have_alone(cohort):
    plan, data, _, rows = cohort

    for slot in ALONE:
        alone = trained(replace(plan, trials=(plan.trials[slot],)), data)[1]

        np.testing.assert_allclose(curve(rows, slot), curve(alone, 0), atol=TOLERANCE)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(
    ("loss", "initialisation"),
    # The hinge of weights of 0 has whole numbers for gradients, and rounding decides ties.
    [*((loss, "he") for loss in LOSSES), ("cross-entropy", "zero"), ("squared-error", "zero")],
)
def test_running_means_are_of_each_batch_before_its_update(loss, drop_last, initialisation):
    # With weights of 0 all scores are equal at first, and the first class is taken.
    kinds = {"loss": loss, "drop_last": drop_last, "initialisation": initialisation}
    plan, data = plan_of(running=True, n_updates=19, **kinds), made_up()

    rows = trained(plan, data)[1]

    n_epochs = plan.training.n_epochs(len(data.y_train))
    for slot in range(8):
        expected = train_alone(plan, slot, data, n_epochs)[0]
        found = curve(rows, slot, "running_loss", "running_accuracy")
        np.testing.assert_allclose(found[1:].astype(float), expected[:, 2:4], atol=TOLERANCE)
        assert found[0].tolist() == [None, None]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_running_means_change_no_bit_of_the_training(loss, precision):
    data = made_up(dtype=np.dtype(precision).type)
    states, rows = zip(
        *(trained(plan_of(loss=loss, precision=precision, running=r), data) for r in (True, False)),
        strict=True,
    )

    unmeasured = {"running_loss": None, "running_accuracy": None}
    times = {"seconds": 0, "evaluation_seconds": 0}
    assert state_to_bytes(states[0]) == state_to_bytes(states[1])
    assert [replace(row, **times, **unmeasured) for row in rows[0]] == [
        replace(row, **times) for row in rows[1]
    ]


def test_with_one_update_an_epoch_the_running_accuracy_is_the_untrained_networks():
    data = made_up()
    plan = replace(plan_of(), training=TrainingSpec(150, 2, precision="float64", running=True))

    rows = trained(plan, data)[1]

    for before, row in zip(rows[:8], rows[8:16], strict=True):
        assert row.running_accuracy == before.train_accuracy
        assert row.running_loss == pytest.approx(before.train_loss, abs=1e-12)


def test_float32_follows_the_textbook_as_far_as_its_digits_go():
    # float32 rounds at 6e-8 relative; losses here are near 1, sums over 12 features and 20
    # samples, 60 updates: a few times 1e-5 at the most.
    plan = plan_of(precision="float32", hidden=(9,))
    rows = trained(plan, made_up(dtype=np.float32))[1]

    for slot in range(8):
        expected = train_alone(plan, slot, made_up(), 8)[0]

        found = curve(rows, slot, "validation_loss")[1:, 0]
        np.testing.assert_allclose(found, expected[:, 0], atol=5e-5)


@pytest.mark.parametrize(
    ("optimizer", "score"),
    # What counts is chosen among the rows, whatever made them.
    sorted({("sgd", score) for score in SCORES} | set(zip(OPTIMIZERS, itertools.cycle(SCORES)))),
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"patience": 4, "evaluations": 3, "running": True},
        {"patience": 4, "evaluations": 3, "stop_rule": "window", "diverged_at": 2.0},
    ],
    ids=["plain", "best", "window"],
)
def test_segments_of_any_length_end_with_the_same_bits(optimizer, score, more):
    plan, data = plan_of(optimizer=optimizer, score=score, n_updates=200, **more), made_up()
    whole_state, whole_rows = trained(plan, data)
    if more:
        # Some trials stop within an epoch of 8 updates, others go on.
        steps = {done.step for done in whole_state.finished.values()}
        assert len(steps) > 1
        assert any(step % 8 for step in steps)

    state, rows = initial_state(plan), []
    for n_epochs in (1, 3, 2, 100):
        state, more = train(plan, state_from_bytes(state_to_bytes(state)), data, n_epochs)
        rows += more

    def without_times(rows):
        return [replace(row, seconds=0, evaluation_seconds=0) for row in rows]

    assert without_times(rows) == without_times(whole_rows)
    assert state_to_bytes(state) == state_to_bytes(whole_state)


def test_segments_see_the_same_changed_samples_and_units():
    kinds = {"flips": True, "shifts": 1, "input_noise": 0.3, "evaluations": 3, "patience": 50}
    plan, data = plan_of(NUMBERS, n_updates=30, **kinds), made_up()
    state = initial_state(plan)
    while not state.done:
        state = train(plan, state_from_bytes(state_to_bytes(state)), data, 1)[0]

    assert state_to_bytes(state) == state_to_bytes(trained(plan, data)[0])


def test_snapshots_are_the_networks_that_cycles_end_with():
    kinds = {"schedule": "cyclical", "patience": 50, "hidden": (5,)}
    trials = [replace(trial, half_cycle=6, warm_up=3) for trial in EIGHT[:2]]
    # Epochs of 8 updates: cycles end after 15, 27 and 39, within epochs.
    plan, data = plan_of(trials, n_updates=40, snapshots=True, **kinds), made_up()
    state = initial_state(plan)
    while not state.done:
        state = train(plan, state_from_bytes(state_to_bytes(state)), data, 1)[0]

    for slot in range(2):
        snapshots = state.finished[slot].snapshots
        for ends, kept in zip((15, 27, 39), snapshots, strict=True):
            there = trained(plan_of(trials, n_updates=ends, **kinds), data)[0]
            for found, expected in zip(
                kept.weights, there.finished[slot].parameters.weights, strict=True
            ):
                np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert state_to_bytes(state) == state_to_bytes(trained(plan, data)[0])
    assert not trained(plan_of(trials, n_updates=40, **kinds), data)[0].finished[0].snapshots


def test_training_leaves_the_state_it_was_given_as_it_was():
    plan, data = plan_of(optimizer="momentum", score="best"), made_up()
    state = train(plan, initial_state(plan), data, 2)[0]
    before = state_to_bytes(state)

    train(plan, state, data, 3)

    assert state_to_bytes(state) == before


def test_a_diverging_trial_leaves_the_others_as_they_were():
    calm = Hyperparameters(l2_strength=1e-3, learning_rate=0.05)
    wild = Hyperparameters(l2_strength=1e-3, learning_rate=1e6)
    data = made_up()

    state, rows = trained(plan_of([calm, wild, calm]), data)
    alone = trained(plan_of([calm]), data)[1]

    assert [state.finished[slot].outcome for slot in range(3)] == [
        "complete",
        "diverged",
        "complete",
    ]
    for slot in (0, 2):
        np.testing.assert_allclose(curve(rows, slot), curve(alone, 0), atol=TOLERANCE)
    assert max(row.epoch for row in rows if row.slot == 1) < 8


def test_everything_may_diverge_without_a_warning():
    wild = Hyperparameters(learning_rate=1e30)

    state, _ = trained(plan_of([wild], precision="float32"), made_up(dtype=np.float32))

    assert state.done
    assert state.finished[0].outcome == "diverged"


@pytest.mark.parametrize("l2_strength", [4.9, 5.0, 5.1, 9.9])
def test_a_decay_past_zero_is_what_the_formula_says(l2_strength):
    # With η = 0.1 a λ of 5 makes the weights exactly 0 at each update, more turns their sign.
    plan = plan_of([Hyperparameters(l2_strength=l2_strength, learning_rate=0.1)], n_updates=20)
    data = made_up()

    state, rows = trained(plan, data)

    expected, Ws, _, _ = train_alone(plan, 0, data, 3)
    np.testing.assert_allclose(curve(rows, 0, "validation_loss")[1:, 0], expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(state.finished[0].parameters.weights[0][0], Ws[0], atol=1e-9)


@given(
    batch_size=st.integers(1, 30),
    n_train=st.integers(30, 60),
    n_epochs=st.integers(1, 3),
    drop_last=st.booleans(),
)
@settings(max_examples=25)
def test_an_epoch_makes_as_many_updates_as_there_are_batches(
    batch_size, n_train, n_epochs, drop_last
):
    per_epoch = n_train // batch_size if drop_last else -(-n_train // batch_size)
    spec = TrainingSpec(batch_size, per_epoch * n_epochs, drop_last=drop_last)
    plan = CohortPlan(NetworkSpec(3, (), 2), spec, (Hyperparameters(),), seed=0)
    data = made_up(n_train, 5, 3, 2, np.float32)

    rows = trained(plan, data)[1]

    assert [row.step for row in rows] == [per_epoch * epoch for epoch in range(n_epochs + 1)]


def test_a_training_may_end_within_an_epoch():
    rows = trained(plan_of(EIGHT[:1], n_updates=19), made_up())[1]

    assert [row.step for row in rows] == [0, 8, 16, 19]


def test_early_stopping_waits_for_patience_evaluations_without_a_lower_loss():
    trials = [Hyperparameters(learning_rate=0.5), Hyperparameters(learning_rate=0.01)]
    plan = plan_of(trials, n_updates=400, patience=3)

    state, rows = trained(plan, made_up())

    for slot in range(2):
        losses = curve(rows, slot, "validation_loss")[1:, 0]
        best = int(losses.argmin())
        stopped_by_patience = len(losses) < 50
        assert state.finished[slot].epoch == len(losses)
        assert stopped_by_patience == (len(losses) - 1 - best >= 3)
        if stopped_by_patience:
            assert len(losses) - 1 - best == 3
    assert state.finished[0].epoch < 50


def test_a_trial_is_measured_on_all_training_samples_where_it_ends_and_on_some_before():
    trials = [Hyperparameters(learning_rate=0.5), Hyperparameters(learning_rate=0.01)]
    rows = {}
    for limit in (10, None):
        plan = plan_of(trials, n_updates=400, patience=3, train_samples=limit)
        state, rows[limit] = trained(plan, made_up())

    assert state.finished[0].step != state.finished[1].step
    for some, whole in zip(rows[10], rows[None], strict=True):
        ends = state.finished[some.slot].step == some.step
        assert (some.train_loss == pytest.approx(whole.train_loss, abs=1e-12)) == ends


def test_evaluations_within_an_epoch_change_nothing_that_is_trained():
    data = made_up()
    often, once = (trained(plan_of(evaluations=n), data)[1] for n in (5, 1))

    assert len(often) == len(once)
    for slot in range(8):
        # Between updates that follow each other a running decay is multiplied out or not.
        np.testing.assert_allclose(curve(often, slot), curve(once, slot), atol=TOLERANCE)


@given(
    batch_size=st.integers(1, 40),
    n_train=st.integers(40, 80),
    n_updates=st.integers(1, 200),
    evaluations=st.integers(1, 10**9),
    data=st.data(),
)
def test_an_epoch_is_evaluated_at_equal_intervals_and_at_its_end(
    batch_size, n_train, n_updates, evaluations, data
):
    spec = TrainingSpec(batch_size, n_updates, evaluations=evaluations)
    per_epoch = spec.updates_per_epoch(n_train)
    first = per_epoch * data.draw(st.integers(0, (n_updates - 1) // per_epoch))

    steps = spec.evaluation_steps(first, n_train)

    assert steps[-1] == min(first + per_epoch, n_updates)
    intervals = np.diff([first, *steps])
    assert set(intervals[:-1]) <= {max(1, per_epoch // evaluations)}
    assert intervals[-1] >= 1
    if steps[-1] == first + per_epoch:
        assert len(steps) == min(evaluations, per_epoch)


def test_the_lab_is_validated_five_times_in_an_epoch_of_625_updates():
    spec = TrainingSpec(32, 31_250, evaluations=5)

    assert spec.evaluation_steps(1250, 20_000) == [1375, 1500, 1625, 1750, 1875]


def test_a_trial_that_stops_within_an_epoch_has_one_row_of_that_epoch():
    plan = plan_of(n_updates=400, patience=2, evaluations=4)

    state, rows = trained(plan, made_up())

    assert len({(row.slot, row.epoch) for row in rows}) == len(rows)
    stopped = {slot: done for slot, done in state.finished.items() if done.step % 8}
    assert stopped
    for slot, done in stopped.items():
        last = [row for row in rows if row.slot == slot][-1]
        assert (last.epoch, last.step) == (done.epoch, done.step)
        assert done.epoch == done.step // 8 + 1


def test_a_cost_of_so_many_times_the_first_counts_as_diverged():
    calm, wild = Hyperparameters(learning_rate=0.05), Hyperparameters(learning_rate=3.0)
    data = made_up()

    by_factor = trained(plan_of([calm, wild], diverged_at=3.0), data)
    unwatched = trained(plan_of([calm, wild]), data)

    assert [by_factor[0].finished[slot].outcome for slot in range(2)] == ["complete", "diverged"]
    assert [unwatched[0].finished[slot].outcome for slot in range(2)] == ["complete", "complete"]
    costs = curve(unwatched[1], 1, "train_cost")[:, 0]
    assert by_factor[0].finished[1].epoch == int((costs > 3 * costs[0]).argmax())
    np.testing.assert_allclose(curve(by_factor[1], 0), curve(unwatched[1], 0), atol=TOLERANCE)


def test_a_trial_scored_by_its_best_epoch_keeps_that_epochs_weights():
    plan = plan_of([Hyperparameters(learning_rate=0.5)], n_updates=200, score="best")
    data = made_up()

    state, rows = trained(plan, data)

    accuracies = curve(rows, 0, "validation_accuracy")[1:, 0]
    done = state.finished[0]
    assert done.scored_epoch == 1 + int(accuracies.argmax())
    assert done.scored_epoch < done.epoch
    shorter = replace(plan.training, score="final", n_updates=8 * done.scored_epoch)
    expected, _ = trained(replace(plan, training=shorter), data)
    np.testing.assert_array_equal(
        done.parameters.weights[0], expected.finished[0].parameters.weights[0]
    )


def test_a_trial_scored_by_its_lowest_loss_keeps_the_weights_of_that_evaluation():
    trials = [Hyperparameters(learning_rate=eta) for eta in (0.5, 0.1)]
    plan = plan_of(trials, n_updates=200, score="lowest", evaluations=4, running=True)
    data, outcomes, evaluations = made_up(), {}, []

    state, _ = train(plan, initial_state(plan), data, 100, outcomes, evaluations)

    of_first = [row for row in evaluations if row.slot == 0]
    best = min(of_first, key=lambda row: row.validation_loss)
    assert [row.step for row in of_first] == list(range(2, 201, 2))
    assert best.step % 8, "it lies within an epoch"
    done = state.finished[0]
    assert (done.lowest.step, done.scored_epoch) == (best.step, best.step // 8 + 1)
    assert done.restored.validation_loss == best.validation_loss
    assert np.mean(outcomes[0].predicted == data.y_validation) == best.validation_accuracy
    training = replace(plan.training, score="final", evaluations=1, n_updates=best.step)
    until, rows = trained(replace(plan, training=training), data)
    ours, expected = done.parameters.weights[0], until.finished[0].parameters.weights[0]
    np.testing.assert_allclose(ours, expected, atol=TOLERANCE)
    last = [row for row in rows if row.slot == 0][-1]
    assert done.restored.train_accuracy == last.train_accuracy


def test_batches_are_smoothed_between_evaluations():
    plan, evaluations = plan_of(n_updates=16, evaluations=2, running=True), []

    train(plan, initial_state(plan), made_up(), 100, None, evaluations)
    every = replace(plan, training=replace(plan.training, evaluations=8))
    single: list = []
    train(every, initial_state(every), made_up(), 100, None, single)

    of_trial = [row for row in evaluations if row.slot == 0]
    batches = [row.batch_loss for row in single if row.slot == 0]
    assert len(batches) == 16
    for place, row in enumerate(of_trial):
        part = batches[4 * place : 4 * place + 4]
        np.testing.assert_allclose(
            [row.batch_loss, row.batch_deviation], [np.mean(part), np.std(part)]
        )


def test_more_penalty_gives_smaller_weights():
    trials = [Hyperparameters(l2_strength=value) for value in (0, 1e-3, 1e-2, 1e-1)]

    state, _ = trained(plan_of(trials), made_up())

    norms = [float(state.finished[i].parameters.squared_weights()[0]) for i in range(4)]
    assert norms == sorted(norms, reverse=True)


def test_a_few_samples_can_be_learnt_by_heart():
    data = made_up(40, 20)
    plan = plan_of([Hyperparameters(learning_rate=0.3)], hidden=(40,), n_updates=400)

    rows = trained(plan, data)[1]

    assert rows[-1].train_accuracy == 1.0
    assert rows[-1].train_loss < 0.02


def test_other_seeds_and_replicates_give_other_weights_and_the_same_seed_the_same():
    plan = plan_of(EIGHT[:1])
    weights = [
        initial_state(replace(plan, seed=seed, replicate=replicate)).parameters.weights[0]
        for seed, replicate in [(3, 0), (4, 0), (3, 1)]
    ]

    assert not np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    np.testing.assert_array_equal(weights[0], initial_state(plan).parameters.weights[0])


def test_training_accuracy_is_measured_on_all_samples_at_the_end():
    data = made_up()
    plan = plan_of(EIGHT[:1], train_samples=30)
    everything = plan_of(EIGHT[:1], train_samples=None)

    rows, all_rows = trained(plan, data)[1], trained(everything, data)[1]

    assert rows[-1].train_accuracy == all_rows[-1].train_accuracy
    assert rows[-1].train_loss == all_rows[-1].train_loss
    assert [row.train_loss for row in rows[:-1]] != [row.train_loss for row in all_rows[:-1]]


def test_true_and_false_stand_for_biases_everywhere_and_nowhere():
    for said, meant in ((True, "all"), (False, "none")):
        assert NetworkSpec(12, (9,), 4, bias=said) == NetworkSpec(12, (9,), 4, bias=meant)
    with pytest.raises(ModelError, match="bias must be one of all, input, none, got 'both'"):
        NetworkSpec(12, (9,), 4, bias="both")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"evaluations": 0}, "evaluations must be >= 1, got 0"),
        ({"stop_rule": "windows"}, "stop_rule must be one of best, window, got 'windows'"),
        ({"stop_rule": "window", "patience": 1}, "patience must be >= 2 with stop_rule window"),
        ({"diverged_at": 1.0}, "diverged_at must be > 1, got 1.0"),
        ({"diverged_at": float("nan")}, "diverged_at must be > 1, got nan"),
    ],
)
def test_a_training_checks_itself(settings, words):
    with pytest.raises(ModelError, match=words):
        TrainingSpec(10, 10, **settings)


def test_a_batch_larger_than_the_training_set_is_refused():
    plan = replace(plan_of(), training=TrainingSpec(151, 10))

    with pytest.raises(ModelError, match="training set's 150 samples, got 151"):
        trained(plan, made_up())


@pytest.mark.parametrize("bias", ["all", "none"])
def test_a_checkpoint_that_says_only_whether_there_are_biases_is_read(bias):
    plan = plan_of(bias=bias)
    now = state_to_bytes(initial_state(plan))
    with np.load(io.BytesIO(now)) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes())
    # As they were before early stopping knew more than the lowest loss.
    del arrays["initial_cost"]
    watch = {name: arrays.pop(f"watch/{name}") for name in Watch.__slots__}
    arrays |= {"best_loss": watch["lowest"], "waited": watch["waited"]}
    header["biases"] = header.pop("n_biases") > 0
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    older = io.BytesIO()
    np.savez(older, **arrays)

    assert state_to_bytes(state_from_bytes(older.getvalue())) == now


def test_a_damaged_checkpoint_is_refused():
    payload = state_to_bytes(initial_state(plan_of()))

    for damaged in (b"", payload[:100], payload.replace(b"PK", b"KP"), b"nonsense"):
        with pytest.raises(ModelError, match="checkpoint"):
            state_from_bytes(damaged)
