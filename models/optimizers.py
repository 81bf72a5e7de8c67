"""Optimizers: what becomes of a layer's parameters once its delta is known.

All trials of a cohort are updated at once; η, λ and μ are arrays of shape (T,). A new optimizer
that keeps arrays per parameter is a class with ``n_slots`` and ``update``, and a line in
``SLOTTED``.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, gemm_call
from coarsefine.models.network import Parameters, weight_gradient

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

    def plan(self, first_step: int, etas: Rates, n_samples: npt.NDArray[np.int64]) -> None:
        """Take in the updates that follow, and work out beforehand what can be.

        Args:
            first_step: Updates made before.
            etas: (n, T), the learning rates of n updates.
            n_samples: (n,), the sizes of their batches.
        """

    def begin(self, i: int) -> Array:
        """Return the (T, 1, 1) factor of the output delta for update ``i`` of the plan."""

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
        self._dtype = parameters.weights[0].dtype
        self._gradients: list[Array] = [np.empty_like(w) for w in parameters.weights[1:]]
        self.scale: Array | None = None
        # By update, as ``plan`` works them out: (n, T, 1, 1), the scales once more as (n, T).
        empty = np.empty((0, parameters.n_trials, 1, 1), self._dtype)
        self._factors = self._decay = self._over_scale = self._settled = empty
        self._scales = empty[:, :, 0, 0]
        self._settles: set[int] = set()
        self._i = 0
        self._bound: tuple[Array | None, Array | None] = (None, None)
        self._add_product: Callable[[], object] | None = None

    def plan(self, first_step: int, etas: Rates, n_samples: npt.NDArray[np.int64]) -> None:
        """Work out the factors and running scales of the updates that follow."""
        self._factors = self._columns(-etas / n_samples[:, None])
        if self._decays:
            decay = 1 - 2 * etas * self._l2_strength
            scales, settled = running_scales(decay)
            self._decay = self._columns(decay)
            self._settled = self._columns(scales)
            self._settles = set(np.flatnonzero(settled).tolist())
            scales[settled] = 1.0
            self._scales = scales.astype(self._dtype)
            self._over_scale = self._columns(1 / self._scales.astype(np.float64))

    def _columns(self, values: Rates) -> Array:
        return values.astype(self._dtype)[:, :, None, None]

    def begin(self, i: int) -> Array:
        """Return ``−η / B``, after taking the decay of this update into the running scale."""
        self._i = i
        if self._decays:
            if i in self._settles:
                self._parameters.weights[0] *= self._settled[i]
            self.scale = self._scales[i]
        factor: Array = self._factors[i]
        return factor

    def apply(self, layer: int, delta: Array, below: Array) -> None:
        """Add the scaled gradient to the layer's weights and biases."""
        parameters = self._parameters
        if layer < len(parameters.biases):
            parameters.biases[layer] += summed(delta)
        weights = parameters.weights[layer]
        if layer == 0:
            if self._decays:
                delta *= self._over_scale[self._i]
            if self._bound[0] is not delta or self._bound[1] is not below:
                n_trials, width, n_features = weights.shape
                self._add_product = gemm_call(
                    delta.reshape(n_trials * width, -1),
                    below,
                    weights.reshape(-1, n_features),
                    beta=1.0,
                )
                self._bound = (delta, below)
            assert self._add_product is not None  # noqa: S101  # bound above
            self._add_product()
        else:
            gradient = self._gradients[layer - 1]
            weight_gradient(layer, delta, below, gradient)
            if self._decays:
                weights *= self._decay[self._i]
            weights += gradient

    def settle(self) -> None:
        """Multiply the running scale into the first layer."""
        if self.scale is not None:
            self._parameters.weights[0] *= self.scale[:, None, None]
            self.scale = None


def running_scales(decay: Rates) -> tuple[Rates, npt.NDArray[np.bool_]]:
    """Return what weights have decayed to after each update, since they were last settled.

    Args:
        decay: (n, T), factors of n updates. A factor of 0 or less (λ η >= ½) is legal, if unwise.

    Returns:
        (n, T) running products, and (n,) where they get too small (or turn their sign) and have to
        be multiplied into the weights, after which they begin anew.
    """
    n, n_trials = decay.shape
    scales = np.empty((n, n_trials))
    settled = np.zeros(n, np.bool_)
    carried = np.ones(n_trials)
    # Looked at in stretches that grow as long as there is nothing to settle: a decay that settles
    # at every update must not take a product of all that follow for each of them.
    start, length = 0, 64
    while start < n:
        stretch = carried * np.cumprod(decay[start : start + length], axis=0)
        small = (stretch < _SMALLEST_SCALE).any(axis=1)
        if small.any():
            stop = int(small.argmax()) + 1
            settled[start + stop - 1] = True
            carried = np.ones(n_trials)
            length = max(1, stop)
        else:
            stop = len(stretch)
            carried = stretch[-1]
            length *= 2
        scales[start : start + stop] = stretch[:stop]
        start += stop
    return scales, settled


def summed(delta: Array) -> Array:
    """Return the sum of ``delta`` (T, out, B) over the batch."""
    # A reduction costs microseconds, and at batch size 1 there is nothing to reduce.
    return delta[:, :, 0] if delta.shape[2] == 1 else np.add.reduce(delta, axis=2)


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
        self._etas = self._factors = np.empty((0, parameters.n_trials, 1, 1), dtype)
        self._first_step = self._i = 0

    def plan(self, first_step: int, etas: Rates, n_samples: npt.NDArray[np.int64]) -> None:
        """Take in the learning rates of the updates that follow."""
        self._first_step = first_step
        self._etas = etas.astype(self._dtype)[:, :, None, None]
        self._factors = (1 / n_samples).astype(self._dtype)[:, None, None, None]

    def begin(self, i: int) -> Array:
        """Return ``1 / B``."""
        self._i = i
        factor: Array = self._factors[i]
        return factor

    def apply(self, layer: int, delta: Array, below: Array) -> None:
        """Work out the gradients of the layer and hand them to the rule."""
        weights, gradient = self._parameters.weights[layer], self._gradients[layer]
        weight_gradient(layer, delta, below, gradient)
        if self._penalised:
            gradient += self._penalty * weights
        eta, momentum = self._etas[self._i], self._momentum
        n_done = self._first_step + self._i
        self._rule.update(weights, gradient, self._weight_slots[layer], eta, momentum, n_done)
        if layer < len(self._parameters.biases):
            self._rule.update(
                self._parameters.biases[layer],
                np.array(summed(delta)),
                self._bias_slots[layer],
                eta[:, :, 0],
                momentum[:, :, 0],
                n_done,
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
