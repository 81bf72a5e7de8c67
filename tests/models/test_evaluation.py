"""Loss and accuracy over many samples, in blocks and with ties."""

import numpy as np
import pytest

from coarsefine.models.evaluation import Evaluator, predictions
from coarsefine.models.network import Parameters, initial_parameters
from coarsefine.models.specs import NetworkSpec
from tests.models.reference import forward, losses
from tests.models.samples import made_up

SPEC = NetworkSpec(12, (7,), 4)


def parameters_of(n_trials):
    parameters = initial_parameters(SPEC, n_trials, np.float64, np.random.default_rng(1))
    for trial in range(n_trials):
        parameters.weights[0][trial] *= 1 + trial
    return parameters


@pytest.mark.parametrize("rows", [None, np.arange(1, 5000, 3)])
def test_blocks_add_up_to_the_whole(rows):
    data = made_up(n_train=5000)
    parameters = parameters_of(3)

    found = Evaluator(SPEC, 3, np.float64).evaluate(parameters, data.x_train, data.y_train, rows)

    looked_at = slice(None) if rows is None else rows
    x, labels = data.x_train[looked_at], data.y_train[looked_at]
    predicted = predictions(SPEC, parameters, x)
    for trial in range(3):
        Ws = [w[trial] for w in parameters.weights]
        bs = [b[trial] for b in parameters.biases]
        scores = forward(SPEC, Ws, bs, x)[0][-1]
        assert found.loss[trial] == pytest.approx(losses(SPEC, scores, labels).mean(), abs=1e-12)
        assert found.accuracy[trial] == (scores.argmax(axis=1) == labels).mean()
        np.testing.assert_array_equal(predicted[trial], scores.argmax(axis=1))


def test_a_network_that_cannot_tell_classes_apart_takes_the_first():
    data = made_up(n_train=200)
    parameters = Parameters(
        [np.zeros((2, 7, 12)), np.zeros((2, 4, 7))], [np.zeros((2, 7)), np.zeros((2, 4))]
    )

    found = Evaluator(SPEC, 2, np.float64).evaluate(parameters, data.x_train, data.y_train)

    np.testing.assert_array_equal(found.accuracy, [(data.y_train == 0).mean()] * 2)
    np.testing.assert_allclose(found.loss, np.log(4))


def test_evaluating_changes_no_parameter():
    data, parameters = made_up(), parameters_of(2)
    before = [array.copy() for _, array in parameters.names()]

    Evaluator(SPEC, 2, np.float64).evaluate(parameters, data.x_train, data.y_train)

    for (_, array), copy in zip(parameters.names(), before, strict=True):
        np.testing.assert_array_equal(array, copy)
