"""Analytic gradients of every kind of network against central differences."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.models import gradient_check
from coarsefine.models.gradient_check import Objective, check_gradients
from coarsefine.models.losses import LOSSES, CrossEntropy
from coarsefine.models.parameter_count import count_parameters
from coarsefine.models.specs import ACTIVATIONS, BIASES, Hyperparameters, NetworkSpec
from tests.models.samples import made_up


def checked(l2_strength=0.0, numbers=None, weights=None, masks=None, **kinds):
    spec = NetworkSpec(12, kinds.pop("hidden", (7, 5)), 4, **kinds)
    data = made_up(n_train=30)
    rng = np.random.default_rng(0)
    numbers = Hyperparameters(l2_strength=l2_strength, **numbers or {})
    return check_gradients(
        spec, Objective(data.x_train, data.y_train, numbers, weights, masks), rng
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("l2_strength", [0.0, 0.1])
@pytest.mark.parametrize("hidden", [(), (7,), (7, 5, 6)])
def test_gradients_agree_with_central_differences(activation, loss, l2_strength, hidden):
    checks = checked(l2_strength, activation=activation, loss=loss, hidden=hidden)

    names = [f"{kind}{layer + 1}" for layer in range(len(hidden) + 1) for kind in "Wb"]
    assert [check.name for check in checks] == names
    for check in checks:
        assert check.passed, check
        assert check.n_skipped <= check.n_checked // 10


@pytest.mark.parametrize("bias", ["all", "input"])
def test_gradients_of_a_bias_row_are_penalised_as_weights(bias):
    checks = checked(0.3, bias_row=True, bias=bias)

    assert all(check.passed for check in checks)
    assert sum(check.name[0] == "b" for check in checks) == {"all": 3, "input": 1}[bias]


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_with_weights_of_classes_and_smoothed_labels_agree(loss):
    smoothed = {"label_smoothing": 0.3} if loss == "cross-entropy" else {}
    for check in checked(0.1, smoothed, np.array([1.0, 0.5, 2.0, 3.0]), loss=loss):
        assert check.passed, check


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_through_batch_normalisation_agree(loss, activation):
    masks = [np.random.default_rng(1).integers(0, 2, (1, width, 30)) * 2.0 for width in (7, 5)]
    checks = checked(0.1, masks=masks, loss=loss, activation=activation, batch_norm=True)

    assert [c.name for c in checks] == ["W1", "b1", "g1", "W2", "b2", "g2", "W3", "b3"]
    assert all(check.passed for check in checks), checks


def test_gradients_of_what_is_left_by_dropout_agree():
    masks = [np.random.default_rng(1).integers(0, 2, (1, width, 30)) * 2.0 for width in (7, 5)]
    for activation in ("leaky-relu", "tanh"):
        for check in checked(0.1, masks=masks, activation=activation):
            assert check.passed, check


@pytest.mark.parametrize(
    ("bias", "names"),
    [
        ("all", ["W1", "b1", "W2", "b2", "W3", "b3"]),
        ("input", ["W1", "b1", "W2", "W3"]),
        ("none", ["W1", "W2", "W3"]),
    ],
)
@pytest.mark.parametrize("l2_strength", [0.0, 0.1])
def test_the_biases_there_are_are_checked(bias, names, l2_strength):
    checks = checked(l2_strength, bias=bias)

    assert [check.name for check in checks] == names
    assert all(check.passed for check in checks)


@pytest.mark.parametrize("factor", [1.001, 0.5, -1.0])
def test_a_wrong_derivative_is_found(monkeypatch, factor):
    class Wrong(CrossEntropy):
        def backward(self, scores, one_hot):
            super().backward(scores, one_hot)
            scores *= factor

    monkeypatch.setitem(gradient_check.LOSSES, "cross-entropy", Wrong())

    assert not any(check.passed for check in checked())


def test_a_forgotten_penalty_is_found(monkeypatch):
    right = Objective.gradients

    def without(self, network, parameters):
        return right(replace(self, numbers=Hyperparameters()), network, parameters)

    monkeypatch.setattr(Objective, "gradients", without)

    passed = {check.name: check.passed for check in checked(0.01)}

    assert passed == {"W1": False, "b1": True, "W2": False, "b2": True, "W3": False, "b3": True}


@pytest.mark.parametrize(
    ("widths", "biases_everywhere", "bias_trick"),
    [
        ((784, 32, 10), 25_450, 25_440),
        ((784, 64, 10), 50_890, 50_880),
        ((784, 128, 10), 101_770, 101_760),
        ((784, 59, 59, 10), 50_455, 50_386),
        ((784, 60, 60, 10), 51_370, 51_300),
        ((784, *[64] * 10, 10), 88_330, 87_744),
        ((784, 128, 128, 10), 118_282, 118_144),
    ],
)
def test_parameters_are_counted_as_the_labs_count_them(widths, biases_everywhere, bias_trick):
    layers = count_parameters(NetworkSpec(widths[0], widths[1:-1], widths[-1]))

    assert sum(layer.n_parameters for layer in layers) == biases_everywhere
    assert sum(layer.n_parameters_bias_trick for layer in layers) == bias_trick


def test_a_bias_on_the_input_alone_gives_the_parameters_of_the_bias_trick():
    layers = count_parameters(NetworkSpec(784, (64,), 10, bias="input"))

    assert [layer.n_parameters for layer in layers] == [50_240, 640]
    assert [layer.n_parameters_bias_trick for layer in layers] == [50_240, 640]
    assert [layer.arithmetic for layer in layers] == ["784 x 64 + 64", "64 x 10"]


@pytest.mark.parametrize("bias", BIASES)
def test_the_arithmetic_of_a_layer_adds_up(bias):
    for layer in count_parameters(NetworkSpec(784, (128, 64), 10, bias=bias)):
        written = layer.arithmetic.replace("x", "*")
        assert eval(written) == layer.n_parameters
        assert eval(layer.arithmetic_bias_trick.replace("x", "*")) == layer.n_parameters_bias_trick
    assert count_parameters(NetworkSpec(784, (128,), 10))[0].arithmetic == "784 x 128 + 128"


def test_of_a_wide_network_some_elements_are_checked_always_the_same():
    spec = NetworkSpec(12, (40,), 4)
    data = made_up(n_train=10)

    def check(most):
        rng = np.random.default_rng(3)
        objective = Objective(data.x_train, data.y_train, Hyperparameters(l2_strength=0.1))
        return check_gradients(spec, objective, rng, most=most)

    some = check(100)
    assert [c.n_checked + c.n_skipped for c in some] == [100, 40, 100, 4]
    assert some == check(100)
    assert all(c.passed for c in some)


def test_a_network_without_biases_has_the_same_parameters_in_both_conventions():
    for layer in count_parameters(NetworkSpec(784, (128,), 10, bias="none")):
        assert layer.n_parameters == layer.n_parameters_bias_trick == layer.n_weights
        assert layer.arithmetic == layer.arithmetic_bias_trick
