"""Optimizers: what becomes of a layer's parameters once its delta is known.

All trials of a cohort are updated at once; η, λ and μ are arrays of shape (T,). A new optimizer
that keeps arrays per parameter is a class with ``n_slots`` and ``update``, and a line in
``SLOTTED``.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import Array
from models.network import Parameters, weight_gradient

Rates = npt.NDArray[np.float64]


class Rule(Protocol):
    """How a gradient and slots (arrays of the parameter's shape) change a parameter."""

    n_slots: int

    def update(
        self,
        parameter: Array,
        gradient: Array,
        slots: list[Array],
        eta: Array,
        momentum: Array,
        n_done: int,
    ) -> None:
        """Change ``parameter`` and ``slots`` in place; ``gradient`` may be overwritten.

        Args:
            parameter: (T, …).
            gradient: Of the cost, shaped as the parameter.
            slots: ``n_slots`` arrays shaped as the parameter, 0 before the first update.
            eta: Learning rates, shaped to multiply the parameter.
            momentum: μ, shaped likewise.
            n_done: Updates before this one.
        """


class Momentum:
    """``v ← μ v + g; w ← w − η v``: Polyak (1964), as Sutskever et al. (2013) and PyTorch do."""

    n_slots = 1

    def update(
        self,
        parameter: Array,
        gradient: Array,
        slots: list[Array],
        eta: Array,
        momentum: Array,
        n_done: int,
    ) -> None:
        """Step along the velocity."""
        (velocity,) = slots
        velocity *= momentum
        velocity += gradient
        np.multiply(velocity, eta, out=gradient)
        parameter -= gradient


class Nesterov:
    """``v ← μ v + g; w ← w − η (g + μ v)``: Sutskever et al. (2013), as PyTorch writes it."""

    n_slots = 1

    def update(
        self,
        parameter: Array,
        gradient: Array,
        slots: list[Array],
        eta: Array,
        momentum: Array,
        n_done: int,
    ) -> None:
        """Step along the velocity as it will be."""
        (velocity,) = slots
        velocity *= momentum
        velocity += gradient
        gradient += momentum * velocity
        gradient *= eta
        parameter -= gradient


class Adam:
    """Kingma & Ba (2015), algorithm 1, with its β and ε; ``momentum`` is not used."""

    n_slots = 2
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8

    def update(
        self,
        parameter: Array,
        gradient: Array,
        slots: list[Array],
        eta: Array,
        momentum: Array,
        n_done: int,
    ) -> None:
        """Step along the mean gradient over its root mean square."""
        first, second = slots
        first *= self.beta1
        first += (1 - self.beta1) * gradient
        np.square(gradient, out=gradient)
        gradient *= 1 - self.beta2
        second *= self.beta2
        second += gradient
        t = n_done + 1
        np.divide(second, 1 - self.beta2**t, out=gradient)
        np.sqrt(gradient, out=gradient)
        gradient += self.epsilon
        np.divide(first, gradient, out=gradient)
        gradient *= eta / (1 - self.beta1**t)
        parameter -= gradient


SLOTTED: dict[str, Rule] = {"momentum": Momentum(), "nesterov": Nesterov(), "adam": Adam()}


def n_slots(optimizer: str) -> int:
    """Return how many arrays of a parameter's size the optimizer keeps for it."""
    return SLOTTED[optimizer].n_slots if optimizer in SLOTTED else 0


class Updater(Protocol):
    """Applies one update after another to the parameters of a cohort."""

    scale: Array | None
    """(T,) factors the first layer's weights have yet to be multiplied with, or ``None``."""

    def begin(self, step: int, eta: Rates, n_samples: int) -> Array:
        """Return the (T, 1, 1) factor of the output delta for the update number ``step``.

        Args:
            step: Updates made before this one.
            eta: (T,) learning rates of this update.
            n_samples: Size of the batch.
        """

    def apply(self, layer: int, delta: Array, below: Array) -> None:
        """Update one layer from its delta, as scaled by ``begin``, and its input."""

    def settle(self) -> None:
        """Bring the parameters to what they stand for: no scale left to apply."""


# Below this a running scale is multiplied into its weights: far from where float32 would lose
# anything, and rare enough (with 2 η λ = 1e-3 every 7,000 updates) to cost nothing.
_SMALLEST_SCALE = 1e-3


class SgdUpdater:
    """Stochastic gradient descent that makes no pass over the first layer but its GEMM.

    The weight decay of ``w ← (1 − 2 η λ) w − η g`` is kept as a running factor s of weights
    stored as ``v = w / s``: then ``v ← v − (η / s') g``, and the product that makes g adds to v
    directly (Bottou, Stochastic Gradient Descent Tricks, 2012, section 5.1).
    """

    def __init__(self, parameters: Parameters, l2_strength: Rates) -> None:
        self._parameters = parameters
        self._l2_strength = l2_strength
        self._decays = bool(np.any(l2_strength))
        dtype = parameters.weights[0].dtype
        self._dtype = dtype
        self._scale = np.ones(parameters.n_trials)
        self.scale: Array | None = None
        self._decay = np.ones((parameters.n_trials, 1, 1), dtype)
        self._to_first: Array | None = None
        self._gradients: list[Array] = [np.empty_like(w) for w in parameters.weights[1:]]

    def begin(self, step: int, eta: Rates, n_samples: int) -> Array:
        """Return ``−η / B``, after taking the decay of this update into the running scale."""
        if self._decays:
            decay = 1 - 2 * eta * self._l2_strength
            self._decay = decay.astype(self._dtype)[:, None, None]
            scale = self._scale * decay
            # A decay of 0 or less (λ η >= ½) is legal, if unwise; it too goes into the weights.
            if scale.min() < _SMALLEST_SCALE:
                self._parameters.weights[0] *= scale.astype(self._dtype)[:, None, None]
                scale = np.ones_like(scale)
            self._scale = scale
            self.scale = scale.astype(self._dtype)
            self._to_first = (1 / self.scale)[:, None, None]
        return (-eta / n_samples).astype(self._dtype)[:, None, None]

    def apply(self, layer: int, delta: Array, below: Array) -> None:
        """Add the scaled gradient to the layer's weights and biases."""
        parameters = self._parameters
        if parameters.biases:
            parameters.biases[layer] += np.add.reduce(delta, axis=2)
        weights = parameters.weights[layer]
        if layer == 0:
            if self._to_first is not None:
                delta *= self._to_first
            weight_gradient(0, delta, below, weights, beta=1.0)
        else:
            gradient = self._gradients[layer - 1]
            weight_gradient(layer, delta, below, gradient)
            if self._decays:
                weights *= self._decay
            weights += gradient

    def settle(self) -> None:
        """Multiply the running scale into the first layer."""
        if self.scale is not None:
            self._parameters.weights[0] *= self.scale[:, None, None]
            self._scale = np.ones_like(self._scale)
            self.scale = None
            self._to_first = None


class SlottedUpdater:
    """Optimizers that need the gradient as an array: momentum, Nesterov, Adam."""

    scale: Array | None = None

    def __init__(
        self,
        rule: Rule,
        parameters: Parameters,
        slots: list[Array],
        l2_strength: Rates,
        momentum: Rates,
    ) -> None:
        dtype = parameters.weights[0].dtype
        n = rule.n_slots
        self._rule = rule
        self._parameters = parameters
        n_layers = len(parameters.weights)
        self._weight_slots = [slots[i * n : (i + 1) * n] for i in range(n_layers)]
        self._bias_slots = [
            slots[(n_layers + i) * n : (n_layers + i + 1) * n]
            for i in range(len(parameters.biases))
        ]
        self._penalty = (2 * l2_strength).astype(dtype)[:, None, None]
        self._penalised = bool(np.any(l2_strength))
        self._momentum = momentum.astype(dtype)[:, None, None]
        self._dtype = dtype
        self._gradients = [np.empty_like(w) for w in parameters.weights]
        self._eta = self._momentum
        self._step = 0

    def begin(self, step: int, eta: Rates, n_samples: int) -> Array:
        """Return ``1 / B``."""
        self._step = step
        self._eta = eta.astype(self._dtype)[:, None, None]
        return np.full_like(self._eta, 1 / n_samples)

    def apply(self, layer: int, delta: Array, below: Array) -> None:
        """Work out the gradients of the layer and hand them to the rule."""
        weights, gradient = self._parameters.weights[layer], self._gradients[layer]
        weight_gradient(layer, delta, below, gradient)
        if self._penalised:
            gradient += self._penalty * weights
        eta, momentum = self._eta, self._momentum
        self._rule.update(weights, gradient, self._weight_slots[layer], eta, momentum, self._step)
        if self._parameters.biases:
            self._rule.update(
                self._parameters.biases[layer],
                np.add.reduce(delta, axis=2),
                self._bias_slots[layer],
                eta[:, :, 0],
                momentum[:, :, 0],
                self._step,
            )

    def settle(self) -> None:
        """Nothing is owed."""


def new_slots(optimizer: str, parameters: Parameters) -> list[Array]:
    """Return the slots of all weights, then of all biases, as 0."""
    count = n_slots(optimizer)
    arrays = [*parameters.weights, *parameters.biases]
    return [np.zeros_like(array) for array in arrays for _ in range(count)]


def make_updater(
    optimizer: str,
    parameters: Parameters,
    slots: list[Array],
    l2_strength: Rates,
    momentum: Rates,
) -> Updater:
    """Return what updates ``parameters`` (and ``slots``) in place."""
    if optimizer in SLOTTED:
        return SlottedUpdater(SLOTTED[optimizer], parameters, slots, l2_strength, momentum)
    return SgdUpdater(parameters, l2_strength)
