"""What is known of activations and optimizers by name is true of their classes."""

import numpy as np
import pytest

from coarsefine.models.activations import ACTIVATIONS
from coarsefine.models.optimizers import SLOTTED
from coarsefine.models.specs import ACTIVATIONS as ACTIVATION_NAMES
from coarsefine.models.specs import (
    MOMENTUM_OPTIMIZERS,
    OPTIMIZER_FACTS,
    OPTIMIZERS,
    Hyperparameters,
)


def test_every_name_has_its_class_and_its_facts():
    assert tuple(ACTIVATIONS) == ACTIVATION_NAMES
    assert tuple(OPTIMIZER_FACTS) == OPTIMIZERS
    # Plain descent keeps no arrays: it has an updater of its own.
    assert {"sgd", *SLOTTED} == set(OPTIMIZERS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_jumps_at_the_kink_and_nowhere_else(name):
    activation = ACTIVATIONS[name]
    z = np.linspace(-4, 4, 80_001)
    a = z.copy()
    activation.forward(a)
    slope = np.ones_like(a)
    activation.backward(slope, a)

    jumps = np.flatnonzero(np.abs(np.diff(slope)) > 0.01)

    if activation.kink_at is None:
        assert jumps.size == 0
    else:
        assert jumps.size > 0
        assert np.allclose(a[jumps], activation.kink_at, atol=1e-3)


def updates(optimizer, eta, momentum, n):
    """Return a parameter of the quadratic ½ w² after each of n updates from 1."""
    parameter = np.ones((1, 1, 1))
    kind = SLOTTED.get(optimizer)
    trial = Hyperparameters(momentum=momentum)
    rule = kind and kind(lambda name: np.full((1, 1, 1), getattr(trial, name)), np.float64)
    slots = [np.zeros_like(parameter) for _ in range(rule.n_slots if rule else 0)]
    path = []
    for i in range(n):
        if rule is None:
            parameter -= eta * parameter
        else:
            rule.begin(i)
            rule.update(parameter, parameter.copy(), slots, np.full((1, 1, 1), eta))
        path.append(float(parameter[0, 0, 0]))
    return path


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_momentum_counts_where_it_is_said_to(optimizer):
    differ = updates(optimizer, 0.1, 0.5, 5) != updates(optimizer, 0.1, 0.9, 5)

    assert differ == (optimizer in MOMENTUM_OPTIMIZERS)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(
    "optimizer", [name for name, facts in OPTIMIZER_FACTS.items() if facts.stable_factor]
)
def test_steps_converge_below_the_largest_stable_rate_and_not_above(optimizer, momentum):
    # Plain descent on ½ w² is stable below 2.
    largest = 2 * OPTIMIZER_FACTS[optimizer].stable_factor(momentum)

    below = updates(optimizer, 0.98 * largest, momentum, 1000)
    above = updates(optimizer, 1.02 * largest, momentum, 1000)

    assert abs(below[-1]) < 1e-6
    assert not abs(above[-1]) < 1
