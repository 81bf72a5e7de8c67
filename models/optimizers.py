"""Optimizers: how a gradient changes a parameter.

All trials of a cohort are updated at once. A new optimizer is a class here and a line in
``SLOTTED``; ``updaters`` is where gradients come from.
"""

from collections.abc import Callable

import numpy as np

from coarsefine.models.arrays import Array

Column = Callable[[str], Array]
"""Returns a hyperparameter of each trial in float64, (T, 1, 1)."""


class Rule:
    """Plain descent, ``w ← w − η g``, and what the others are made like.

    Attributes:
        n_slots: How many arrays of a parameter's shape are kept for it.
        decays: Whether weights decay beside the gradient, by ``decoupled_decay``.
    """

    n_slots = 0
    decays = False

    def __init__(self, column: Column, dtype: type[np.floating]) -> None:
        """Take the hyperparameters that count here from ``column``, in the type ``dtype``."""

    def begin(self, n_done: int) -> None:
        """Prepare an update of all parameters, the first after ``n_done`` others."""

    def update(self, parameter: Array, gradient: Array, slots: list[Array], eta: Array) -> None:
        """Change ``parameter`` and ``slots`` in place; ``gradient`` may be overwritten.

        Args:
            parameter: (T, out, in); biases are (T, out, 1).
            gradient: Of the cost, shaped as the parameter.
            slots: ``n_slots`` arrays shaped as the parameter, 0 before the first update.
            eta: Learning rates, (T, 1, 1).
        """
        gradient *= eta
        parameter -= gradient


class Momentum(Rule):
    """``v ← μ v + g; w ← w − η v``: Polyak (1964), as Sutskever et al. (2013) and PyTorch do."""

    n_slots = 1

    def __init__(self, column: Column, dtype: type[np.floating]) -> None:
        self.momentum = column("momentum").astype(dtype)

    def update(self, parameter: Array, gradient: Array, slots: list[Array], eta: Array) -> None:
        """Step along the velocity."""
        (velocity,) = slots
        velocity *= self.momentum
        velocity += gradient
        np.multiply(velocity, eta, out=gradient)
        parameter -= gradient


class Nesterov(Momentum):
    """``v ← μ v + g; w ← w − η (g + μ v)``: Sutskever et al. (2013), as PyTorch writes it."""

    def update(self, parameter: Array, gradient: Array, slots: list[Array], eta: Array) -> None:
        """Step along the velocity as it will be."""
        (velocity,) = slots
        velocity *= self.momentum
        velocity += gradient
        gradient += self.momentum * velocity
        gradient *= eta
        parameter -= gradient


class RMSprop(Rule):
    """Hinton (2012), lecture 6e, as PyTorch writes it."""

    n_slots = 1
    alpha = 0.99
    epsilon = 1e-8

    def update(self, parameter: Array, gradient: Array, slots: list[Array], eta: Array) -> None:
        """Step along the gradient over its root mean square."""
        (square,) = slots
        square *= self.alpha
        square += (1 - self.alpha) * gradient * gradient
        gradient /= np.sqrt(square) + self.epsilon
        gradient *= eta
        parameter -= gradient


class Adam(Rule):
    """Kingma & Ba (2015), algorithm 1, with its ε."""

    n_slots = 2
    epsilon = 1e-8

    def __init__(self, column: Column, dtype: type[np.floating]) -> None:
        self.beta1, self.beta2 = (column(name).astype(dtype) for name in ("beta1", "beta2"))
        self.rest1, self.rest2 = ((1 - column(name)).astype(dtype) for name in ("beta1", "beta2"))
        # The powers are Python's: NumPy's may differ from them in the last bit.
        self._exact = [column(name).ravel().tolist() for name in ("beta1", "beta2")]
        self.correction1 = self.correction2 = self.beta1

    def begin(self, n_done: int) -> None:
        """Work out how far both means are from what they estimate."""
        self.correction1, self.correction2 = (
            np.array([1 - beta ** (n_done + 1) for beta in betas], self.beta1.dtype)[:, None, None]
            for betas in self._exact
        )

    def update(self, parameter: Array, gradient: Array, slots: list[Array], eta: Array) -> None:
        """Step along the mean gradient over its root mean square."""
        first, second = slots
        first *= self.beta1
        first += self.rest1 * gradient
        np.square(gradient, out=gradient)
        gradient *= self.rest2
        second *= self.beta2
        second += gradient
        np.divide(second, self.correction2, out=gradient)
        np.sqrt(gradient, out=gradient)
        gradient += self.epsilon
        np.divide(first, gradient, out=gradient)
        gradient *= eta / self.correction1
        parameter -= gradient


class AdamW(Adam):
    """Loshchilov & Hutter, Decoupled Weight Decay Regularization (2019), as PyTorch writes it."""

    decays = True


SLOTTED: dict[str, type[Rule]] = {
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def n_slots(optimizer: str) -> int:
    """Return how many arrays of a parameter's size the optimizer keeps for it."""
    return SLOTTED[optimizer].n_slots if optimizer in SLOTTED else 0
