"""Compiled kernels are held to the reference: whatever they claim ends as it does on NumPy."""

import errno
import itertools
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from coarsefine.models.cohort import initial_state, pruned, state_from_bytes, state_to_bytes
from coarsefine.models.data.cache import cache_dir
from coarsefine.models.errors import ModelError
from coarsefine.models.evaluation import Evaluator, SampleOutcomes
from coarsefine.models.kernels import compiling, layered, linear
from coarsefine.models.kernels import sparse as sparse_kernel
from coarsefine.models.kernels.choice import (
    COMPILED,
    COMPILED_LOSSES,
    claims,
    dense_seconds,
    kernel,
    reference_passes,
    sparse_seconds,
    why_unavailable,
)
from coarsefine.models.kernels.codes import ACTIVATION_CODES, FOLLOWED, OPTIMIZER_CODES
from coarsefine.models.kernels.rows import sparse_rows, usual_values
from coarsefine.models.specs import (
    ACTIVATIONS,
    BIASES,
    INITIALISATIONS,
    KERNELS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    STOP_RULES,
    Hyperparameters,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.models.training import train
from tests.models.samples import made_up
from tests.models.test_training import EIGHT, curve, plan_of, trained

# As in test_training: rounding of 1e-16 that grows some thousandfold, and no wrong term.
TOLERANCE = 1e-9
# Hidden layers of networks that a kernel claims. Units of trials lie across the ends of vectors.
HIDDEN = {"sparse-3": (), "dense-3": (9, 7)}
# Those that are planned no more.
OLDER = {"sparse-1": (), "dense-1": (9, 7), "sparse-2": (), "dense-2": (9, 7)}
each_kernel = pytest.mark.parametrize("name", HIDDEN)
N_FEATURES = 12
# What pixels are before and after they are standardised.
USUAL = {"zeros": np.zeros(N_FEATURES), "shifted": np.linspace(-1.5, 2, N_FEATURES)}


def sparse(usual="zeros", dtype=np.float64):
    """Return samples in which seven numbers of ten are those of their column."""
    data, rng = made_up(), np.random.default_rng(1)

    def mostly_usual(x):
        return np.where(rng.random(x.shape) < 0.7, USUAL[usual], x).astype(dtype)

    return replace(
        data,
        x_train=mostly_usual(data.x_train),
        x_validation=mostly_usual(data.x_validation),
    )


def compiled(trials=EIGHT, *, name="sparse-3", **kinds):
    return replace(plan_of(trials, **{"hidden": (HIDDEN | OLDER)[name], **kinds}), kernel=name)


def on_numpy(plan):
    return replace(plan, kernel="numpy")


def parameters(state, slot):
    done = state.finished[slot]
    return done.parameters.trained


def assert_alike(plan, data, tolerance=TOLERANCE):
    """Check that the plan ends with the reference's weights, curves, outcomes and stops."""
    ours, theirs = {}, {}
    state, rows = train(plan, initial_state(plan), data, 10**6, ours)
    other = on_numpy(plan)
    expected, expected_rows = train(other, initial_state(other), data, 10**6, theirs)

    assert len(rows) == len(expected_rows)
    assert sorted(ours) == sorted(theirs)
    for slot in range(len(plan.trials)):
        found, wanted = state.finished[slot], expected.finished[slot]
        assert found.outcome == wanted.outcome
        assert (found.epoch, found.scored_epoch, found.step) == (
            wanted.epoch,
            wanted.scored_epoch,
            wanted.step,
        )
        np.testing.assert_allclose(
            curve(rows, slot), curve(expected_rows, slot), rtol=tolerance, atol=tolerance
        )
        for a, b in zip(parameters(state, slot), parameters(expected, slot), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    return state


KINDS = [
    *({"loss": loss, "bias": bias} for loss in COMPILED_LOSSES for bias in BIASES),
    *({"initialisation": initialisation} for initialisation in INITIALISATIONS),
    *({"schedule": schedule} for schedule in SCHEDULES),
    *({"score": "best", "stop_rule": rule, "patience": 3} for rule in STOP_RULES),
    {"shuffle": False},
    {"drop_last": True},
    {"evaluations": 3, "patience": 2, "n_updates": 200},
    {"diverged_at": 1.05},
]


DECAYING = [
    replace(trial, warm_up=k, decoupled_decay=0.1 * (k % 3)) for k, trial in enumerate(EIGHT)
]
DENSE_KINDS = [
    *({"activation": activation} for activation in ACTIVATION_CODES),
    {"activation": "leaky-relu", "slope": 0.2},
    *({"optimizer": optimizer, "trials": DECAYING} for optimizer in OPTIMIZER_CODES),
    *({"optimizer": optimizer, "hidden": ()} for optimizer in OPTIMIZER_CODES),
    *({"hidden": hidden, "optimizer": "adam"} for hidden in ((1,), (16,), (20,), (33, 16, 5))),
    {"bias_sigma": 0.3},
]


def shown(kinds):
    return " ".join(str(value) for name, value in kinds.items() if name != "trials")


@pytest.mark.parametrize("usual", USUAL)
@pytest.mark.parametrize("kinds", KINDS, ids=shown)
def test_the_sparse_kernel_trains_as_the_reference_does(kinds, usual):
    assert_alike(compiled(**kinds), sparse(usual))


@pytest.mark.parametrize("kinds", KINDS + DENSE_KINDS, ids=shown)
def test_the_dense_kernel_trains_as_the_reference_does(kinds):
    assert_alike(compiled(name="dense-3", **kinds), made_up())


@pytest.mark.parametrize("usual", USUAL)
@pytest.mark.parametrize("batch_size", [1, 7, 149, 150])
@each_kernel
def test_batches_may_be_of_any_size(batch_size, usual, name):
    plan = compiled(n_updates=100, name=name)
    training = replace(plan.training, batch_size=batch_size)

    assert_alike(replace(plan, training=training), sparse(usual))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@each_kernel
def test_classes_may_be_more_than_a_vector_holds(name, precision):
    data = made_up(n_classes=37, dtype=precision)
    plan = compiled(name=name, n_updates=40, precision=precision)
    plan = replace(plan, network=replace(plan.network, n_classes=37))

    assert_alike(plan, data, TOLERANCE if precision == "float64" else 1e-4)


def test_samples_without_usual_values_are_trained_on_too():
    assert_alike(compiled(), made_up())


def test_cohorts_wider_than_the_registers_are_taken_in_parts():
    trials = [
        Hyperparameters(l2_strength=0.001 * k, learning_rate=0.01 + 0.001 * k) for k in range(31)
    ]

    assert_alike(compiled(trials), sparse("shifted"))


@pytest.mark.parametrize("l2_strength", [0.0, 3.0, 50.0])
def test_a_running_scale_is_settled_where_it_gets_small_or_turns_its_sign(l2_strength):
    # 2 η λ is 0.06 and 1: the scale is settled after a hundred updates, and after each.
    trials = [Hyperparameters(l2_strength=l2_strength, learning_rate=0.01), *EIGHT[:2]]

    assert_alike(compiled(trials, n_updates=300), sparse("shifted"))


def test_batches_and_features_may_be_more_than_a_block_of_the_dense_kernel():
    data = made_up(n_train=700, n_features=2 * layered.BLOCK + 12, n_classes=4)
    plan = compiled(name="dense-3", optimizer="momentum", n_updates=6)
    plan = replace(
        plan,
        network=replace(plan.network, n_features=2 * layered.BLOCK + 12, hidden=(layered.BLOCK, 7)),
        training=replace(plan.training, batch_size=layered.BLOCK + 13),
    )

    assert_alike(plan, data)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_weights_that_no_sample_moves_do_not_become_denormal_numbers(optimizer):
    data = made_up(dtype="float32")
    x = data.x_train.copy()
    x[:, ::2] = 0  # as pixels that are black in all images: the penalty alone moves their weights
    data = replace(data, x_train=x)
    denormal = {}
    for name in ("dense-2", "dense-3"):
        plan = compiled(
            [Hyperparameters(l2_strength=0.1, learning_rate=0.01)],
            name=name,
            optimizer=optimizer,
            precision="float32",
            n_updates=12_000,
        )
        plan = replace(plan, training=replace(plan.training, batch_size=1))
        state, _ = train(plan, initial_state(plan), data, 40)
        arrays = [*state.parameters.weights, *state.optimizer]
        sizes = np.abs(np.concatenate([array.ravel() for array in arrays]))
        denormal[name] = int(((sizes > 0) & (sizes < np.finfo(np.float32).tiny)).sum())

    assert denormal["dense-3"] == 0 < denormal["dense-2"]


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_single_samples_may_have_more_features_than_a_block(precision, optimizer, batch_size):
    n_features = 2 * layered.BLOCK + 12
    data = made_up(n_train=61, n_features=n_features, dtype=precision)  # the last batch has one
    plan = compiled(name="dense-3", optimizer=optimizer, n_updates=50, precision=precision)
    plan = replace(
        plan,
        network=replace(plan.network, n_features=n_features),
        training=replace(plan.training, batch_size=batch_size),
    )

    assert_alike(plan, data, TOLERANCE if precision == "float64" else 1e-3)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("usual", USUAL)
@pytest.mark.parametrize(
    ("name", "kinds"),
    [("sparse-3", {}), ("dense-3", {}), ("dense-3", {"hidden": (9,), "optimizer": "adam"})],
    ids=str,
)
def test_a_trial_has_the_same_bits_in_any_company(usual, precision, name, kinds):
    data = sparse(usual, precision)
    plan = compiled(precision=precision, n_updates=100, name=name, **kinds)
    together, rows = trained(plan, data)
    measured = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")

    for slot, trial in enumerate(EIGHT):
        alone, own_rows = trained(replace(plan, trials=(trial,)), data)

        for a, b in zip(parameters(together, slot), parameters(alone, 0), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(curve(rows, slot, *measured), curve(own_rows, 0, *measured))


@each_kernel
def test_studies_of_first_versions_keep_their_bits(name):
    """The updates of the second versions, measured by the reference."""
    plan = compiled(EIGHT[:3], name=name, precision="float32")
    data = sparse("shifted", "float32")
    older = replace(plan, kernel=name.replace("2", "1"))

    state, rows = trained(older, data)
    other, other_rows = trained(plan, data)

    for slot in range(3):
        for a, b in zip(parameters(state, slot), parameters(other, slot), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(curve(rows, slot), curve(other_rows, slot), rtol=1e-6)
    evaluator = Evaluator(plan.network, 1, plan.dtype)
    last = evaluator.evaluate(state.finished[0].parameters, data.x_train, data.y_train)
    assert last.loss == pytest.approx(curve(rows, 0, "train_loss")[-1], rel=1e-6)


@each_kernel
def test_the_first_of_equal_scores_is_what_a_network_answers(name):
    plan, data = compiled(EIGHT[:2], name=name, initialisation="zero"), sparse()

    rows = train(plan, initial_state(plan), data, 1)[1]

    assert rows[0].validation_accuracy == np.mean(data.y_validation == 0)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        *(("sparse-3", {"loss": loss}) for loss in COMPILED_LOSSES),
        *(("dense-3", {"activation": activation}) for activation in ACTIVATION_CODES),
    ],
    ids=str,
)
def test_single_precision_stays_as_near_to_double_precision_as_the_reference_does(name, kinds):
    data = sparse("shifted")
    exact = trained(on_numpy(compiled(name=name, n_updates=300, **kinds)), data)[0]
    plan = compiled(name=name, n_updates=300, precision="float32", **kinds)
    single = sparse("shifted", "f4")

    def error(each):
        """Return how far from the exact weights a training ends."""
        state = trained(each, single)[0]
        return max(
            abs(a - b).max()
            for slot in range(8)
            for a, b in zip(parameters(state, slot), parameters(exact, slot), strict=True)
        )

    assert error(plan) < max(1e-5, 2 * error(on_numpy(plan)))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("loss", COMPILED_LOSSES)
@each_kernel
def test_a_trial_that_diverges_leaves_and_changes_no_bit_of_the_others(loss, precision, name):
    wild = Hyperparameters(l2_strength=1e6, learning_rate=1e30)
    trials = [*EIGHT[:3], wild, *EIGHT[3:]]
    data = sparse("shifted", precision)
    plan = compiled(trials, loss=loss, precision=precision, name=name)

    state, rows = trained(plan, data)
    calm = trained(replace(plan, trials=EIGHT), data)[0]

    assert state.finished[3].outcome == "diverged"
    assert not np.isfinite(curve(rows, 3, "train_cost")[-1, 0])
    for slot, other in zip([0, 1, 2, 4, 5, 6, 7, 8], range(8), strict=True):
        for a, b in zip(parameters(state, slot), parameters(calm, other), strict=True):
            np.testing.assert_array_equal(a, b)


@each_kernel
def test_numbers_that_are_none_stay_none(name):
    plan, data = compiled(EIGHT[:2], name=name), sparse()
    state = initial_state(plan)
    state.parameters.weights[0][0, 2, 5] = np.nan

    done = train(plan, state, data, 1)[0]

    assert done.finished[0].outcome == "diverged"
    assert np.isfinite(done.parameters.weights[0]).all()


@pytest.mark.parametrize("dropped", [set(), {0, 3, 7}])
@pytest.mark.parametrize(
    ("name", "kinds"), [("sparse-3", {}), ("dense-3", {"optimizer": "adamw"})], ids=str
)
def test_a_training_in_segments_that_is_pruned_and_stored_ends_with_the_same_bits(
    dropped, name, kinds
):
    plan, data = compiled(n_updates=200, name=name, **kinds), sparse("shifted")
    whole = trained(plan, data)[0]

    state = train(plan, initial_state(plan), data, 2)[0]
    state = pruned(state_from_bytes(state_to_bytes(state)), dropped)
    state = trained_on(plan, state, data)

    for slot in set(range(8)) - dropped:
        for a, b in zip(parameters(state, slot), parameters(whole, slot), strict=True):
            np.testing.assert_array_equal(a, b)


def trained_on(plan, state, data):
    while not state.done:
        state = train(plan, state, data, 1)[0]
    return state


def test_what_is_made_of_each_validation_sample_is_handed_out():
    plan, data = compiled(score="best"), sparse()
    outcomes: dict[int, SampleOutcomes] = {}

    train(plan, initial_state(plan), data, 10**6, outcomes)

    assert sorted(outcomes) == list(range(8))


@each_kernel
def test_it_is_compiled_once_for_each_precision(name):
    for kinds in (
        {"name": name, **more} for more in ({}, {"schedule": "step"}, {"evaluations": 3})
    ):
        read_only = sparse()
        for array in (read_only.x_train, read_only.y_train):
            array.flags.writeable = False
        trained(compiled(**kinds), read_only)

    function = {"sparse-3": linear.descend, "dense-3": layered.descend}[name]
    trained(compiled(name=name), made_up())
    kinds_of_weights = [str(types[0]) for types in function.dispatcher.signatures]
    assert len(kinds_of_weights) == len(set(kinds_of_weights))


def test_every_compiled_kernel_is_tested_here():
    assert set(HIDDEN) == set(COMPILED) == set(KERNELS) - {"numpy"} - set(OLDER)


@pytest.mark.parametrize("name", OLDER)
def test_studies_with_earlier_kernels_are_carried_on(name):
    assert_alike(compiled(name=name), sparse("shifted"))


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_earlier_sparse_kernels_keep_their_usual_values(share):
    data = made_up()
    x = np.where(np.random.default_rng(2).random(data.x_train.shape) < share, 1.5, data.x_train)

    of_half = [
        sparse_kernel.rows_for(compiled(name=name), x).usual for name in OLDER if "sp" in name
    ]
    newest = sparse_kernel.rows_for(compiled(), x).usual

    for usual in of_half:
        np.testing.assert_array_equal(usual, 1.5 if share > 0.5 else 0)
    np.testing.assert_array_equal(newest, 1.5)


@each_kernel
def test_all_that_it_does_not_claim_is_left_to_the_reference(name):
    network, training = NetworkSpec(12, HIDDEN[name], 4), TrainingSpec(20, 100)

    assert claims(name, network, training)
    assert not claims(name, replace(network, hidden=(9,), batch_norm=True), training)
    for change in (
        {"running": True},
        {"class_weights": "balanced"},
        {"flips": True},
        {"shifts": 1},
        {"input_noise": 0.1},
        {"snapshots": True},
    ):
        assert not claims(name, network, replace(training, **change))
    for loss in LOSSES:
        assert claims(name, replace(network, loss=loss), training) == (loss in COMPILED_LOSSES)
    others = {field.name for field in fields(Hyperparameters)} - FOLLOWED
    assert others >= {"clip_norm", "label_smoothing", "dropout"}
    for number in others:
        trials = [Hyperparameters(), Hyperparameters(**{number: 0.1})]
        assert not claims(name, network, training, trials)


def test_compiled_kernels_are_compared_over_other_values_of_each_number_that_they_follow():
    for number in FOLLOWED:
        assert len({getattr(trial, number) for trial in DECAYING}) > 1, f"vary {number} there"
    assert claims("dense-3", NetworkSpec(12, (9,), 4), TrainingSpec(20, 100), DECAYING)


def test_the_sparse_kernel_claims_plain_descent_without_hidden_layers():
    network, training = NetworkSpec(12, (), 4), TrainingSpec(20, 100)

    assert not claims("sparse-3", replace(network, hidden=(9,)), training)
    assert not claims("sparse-3", replace(network, n_features=2**16), training)
    for optimizer in OPTIMIZERS:
        claimed = claims("sparse-3", network, replace(training, optimizer=optimizer))
        assert claimed == (optimizer == "sgd")


def test_the_dense_kernel_claims_the_activations_and_optimizers_that_it_has(monkeypatch):
    network, training = NetworkSpec(12, (9,), 4), TrainingSpec(20, 100)

    def claimed(activation, optimizer):
        what = replace(network, activation=activation), replace(training, optimizer=optimizer)
        return claims("dense-3", *what)

    def check():
        for activation, optimizer in itertools.product(ACTIVATIONS, OPTIMIZERS):
            known = activation in ACTIVATION_CODES and optimizer in OPTIMIZER_CODES
            assert claimed(activation, optimizer) == known

    check()
    # What is new is left to the reference until somebody writes it in the kernel, too.
    monkeypatch.delitem(ACTIVATION_CODES, "tanh")
    monkeypatch.delitem(OPTIMIZER_CODES, "rmsprop")
    check()


@pytest.mark.parametrize("optimizer", OPTIMIZER_CODES)
def test_what_an_optimizer_costs_is_known_where_the_dense_kernel_has_it(optimizer):
    network, training = NetworkSpec(12, (9,), 4), TrainingSpec(20, 1, optimizer=optimizer)

    assert 0 < dense_seconds(network, training, 4) < 1
    assert 0 < reference_passes(network, training, 4) < 1


def test_the_dense_kernel_leaves_products_that_cores_can_share_to_blas():
    network = NetworkSpec(3072, (300,), 10)

    assert claims("dense-3", network, TrainingSpec(100, 1))
    assert not claims("dense-3", network, TrainingSpec(1000, 1))


def test_more_work_is_expected_to_take_longer():
    network, training = NetworkSpec(784, (), 10), TrainingSpec(100, 1)

    def seconds(n_trials, density, precision="float32"):
        spec = replace(training, precision=precision)
        return sparse_seconds(network, spec, n_trials, density)

    assert seconds(8, 0.2) > seconds(4, 0.2) > seconds(4, 0.1)
    assert seconds(4, 0.2, "float64") > seconds(4, 0.2)


def test_more_layers_trials_samples_and_slots_are_expected_to_take_longer():
    small, large = NetworkSpec(64, (50,), 10), NetworkSpec(64, (50, 50), 10)

    def seconds(network=small, n_trials=4, **kinds):
        return dense_seconds(
            network, TrainingSpec(**{"batch_size": 20, **kinds}, n_updates=1), n_trials
        )

    least = seconds()
    assert seconds(large) > least
    assert seconds(n_trials=5) > least
    assert seconds(batch_size=21) > least
    assert seconds(optimizer="adam") > least
    training = TrainingSpec(20, 1, optimizer="adam")
    assert reference_passes(large, training, 4) > reference_passes(small, training, 4)
    assert reference_passes(small, training, 4) > reference_passes(small, TrainingSpec(20, 1), 4)


# ------------------------------------------------------------------------------------ sparse rows


@pytest.mark.parametrize("usual", USUAL)
def test_sparse_rows_are_the_samples(usual):
    x = sparse(usual).x_train

    rows = sparse_rows(x)

    back = np.tile(rows.usual, (len(x), 1))
    for i, (start, stop) in enumerate(zip(rows.pointers, rows.pointers[1:], strict=False)):
        back[i, rows.columns[start:stop]] += rows.values[start:stop]
    np.testing.assert_allclose(back, x, atol=1e-15)
    np.testing.assert_array_equal(rows.usual, USUAL[usual])
    np.testing.assert_allclose(rows.crosses, (x - rows.usual) @ rows.usual, atol=1e-12)
    assert rows.square == pytest.approx(rows.usual @ rows.usual)
    assert sparse_rows(x) is rows


def test_the_share_of_unusual_numbers_is_measured_on_some_rows():
    x = np.zeros((5000, 40), np.float32)
    x[:, ::4] = np.random.default_rng(0).random((5000, 10))

    usual, density = usual_values(x)

    assert not usual.any()
    assert density == 0.25


def test_the_most_frequent_value_of_a_column_is_usual_even_where_fewer_than_half_have_it():
    rng = np.random.default_rng(0)
    x = rng.random((4000, 3)).astype(np.float32)
    x[rng.random(4000) < 0.3, 0] = -0.5  # as a pixel that is black in three images of ten
    x[rng.random(4000) < 0.05, 1] = -0.5  # too few to save anything
    x[rng.random(4000) < 0.7, 2] = 2

    usual, density = usual_values(x)
    of_half, more = usual_values(x, of_half=True)

    assert usual.tolist() == [-0.5, 0, 2]
    assert density == pytest.approx((0.7 + 1 + 0.3) / 3, abs=0.03)
    assert of_half.tolist() == [0, 0, 2]
    assert more == pytest.approx((1 + 1 + 0.3) / 3, abs=0.03)


def test_standardised_samples_are_as_sparse_as_raw_ones():
    raw = np.random.default_rng(1).integers(0, 4, (500, 20)).astype(np.float64)

    values = (raw - raw.mean(axis=0)) / raw.std(axis=0)

    assert usual_values(values)[1] == usual_values(raw)[1] < 0.75


# ---------------------------------------------------------------------------------- without numba


def test_without_numba_a_plan_that_needs_it_is_refused_in_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)

    assert kernel(plan_of(hidden=()))
    with pytest.raises(ModelError, match=r"needs|numba cannot be imported .*pip install numba"):
        kernel(compiled())
    assert "\n" not in why_unavailable()


def test_a_kernel_of_another_version_is_refused_in_a_line():
    with pytest.raises(ModelError, match="'sparse-7', which this version does not have"):
        replace(plan_of(), kernel="sparse-7")


# ------------------------------------------------------------------------------- the compiled code


def plus_one(x):
    return x + 1


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Return a small function that is compiled for a cache folder of its own."""
    monkeypatch.setattr(compiling, "cache_dir", cache_dir)
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    return lambda: compiling.Compiled(plus_one)


def test_what_is_compiled_is_read_from_the_cache_folder_by_others(cached, tmp_path):
    assert cached()(1) == 2

    again = cached()
    assert again(1) == 2
    assert sum(again.dispatcher.stats.cache_hits.values()) == 1
    assert list((tmp_path / "cache" / "compiled").glob("*/*/*.nbi"))


def test_a_full_disk_costs_the_cache_alone(cached, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    function = cached()
    monkeypatch.setattr(type(function.dispatcher._cache), "save_overload", full)

    assert function(1) == 2
    assert function(2) == 3
