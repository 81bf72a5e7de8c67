"""Updaters: what becomes of a layer's parameters once its delta is known."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, column, gemm_call
from coarsefine.models.batch_norm import BatchNorm
from coarsefine.models.network import Parameters, weight_gradient
from coarsefine.models.optimizers import SLOTTED, Rule, n_slots
from coarsefine.models.specs import Hyperparameters

Rates = npt.NDArray[np.float64]


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

    def apply(self, layer: int, delta: Array, below: Array, norm: BatchNorm | None) -> None:
        """Update one layer from what ``Network.backward`` yields, as scaled by ``begin``."""

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

    def __init__(
        self,
        parameters: Parameters,
        trials: Sequence[Hyperparameters],
        *,
        bias_row: bool = False,
    ) -> None:
        self._parameters = parameters
        self._bias_row = bias_row
        l2_strength = column(trials, "l2_strength")
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

    def apply(self, layer: int, delta: Array, below: Array, norm: BatchNorm | None) -> None:
        """Add the scaled gradient to what the layer has."""
        parameters = self._parameters
        if layer < len(parameters.biases):
            if self._decays and self._bias_row:
                parameters.biases[layer] *= self._decay[self._i, :, 0]
            parameters.biases[layer] += summed(delta) if norm is None else norm.shift_gradient
        if norm is not None:
            parameters.gains[layer] += norm.gain_gradient
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


class _Owed(NamedTuple):
    """A parameter and what it is to be changed with.

    Attributes:
        decays: Whether decoupled weight decay is for it.
    """

    parameter: Array
    gradient: Array
    slots: list[Array]
    decays: bool = False


class SlottedUpdater:
    """What needs the gradient as an array: optimizers that keep some, and clipping."""

    scale: Array | None = None

    def __init__(
        self,
        rule: type[Rule],
        parameters: Parameters,
        slots: list[Array],
        trials: Sequence[Hyperparameters],
        *,
        bias_row: bool = False,
    ) -> None:
        self._bias_row = bias_row
        self._dtype = dtype = parameters.weights[0].dtype
        n = rule.n_slots
        self._rule = rule(lambda name: column(trials, name)[:, None, None], dtype.type)
        self._parameters = parameters
        # By parameter, all of them with three axes, as ``new_slots`` orders them.
        of_each = [slots[i * n : (i + 1) * n] for i in range(len(parameters.trained))]
        n_layers, n_biases = len(parameters.weights), len(parameters.biases)
        self._weight_slots = of_each[:n_layers]
        self._bias_slots, self._gain_slots = (
            [[slot[:, :, None] for slot in own] for own in some]
            for some in (of_each[n_layers : n_layers + n_biases], of_each[n_layers + n_biases :])
        )
        l2_strength = column(trials, "l2_strength")
        self._penalty = (2 * l2_strength).astype(dtype)[:, None, None]
        self._penalised = bool(np.any(l2_strength))
        decay = column(trials, "decoupled_decay")
        self._decay = decay if rule.decays and np.any(decay) else None
        clip_norm = column(trials, "clip_norm")
        self._clip_norm = clip_norm if np.any(clip_norm) else None
        self._gradients = [np.empty_like(w) for w in parameters.weights]
        # Parameters of this update, each with its gradient and slots, that are yet to be changed.
        self._owed: list[_Owed] = []
        self._etas = self._kept = self._factors = np.empty((0, len(trials), 1, 1), dtype)
        self._first_step = self._i = 0

    def plan(self, first_step: int, etas: Rates, n_samples: npt.NDArray[np.int64]) -> None:
        """Take in the learning rates of the updates that follow."""
        self._first_step = first_step
        self._etas = etas.astype(self._dtype)[:, :, None, None]
        if self._decay is not None:
            self._kept = (1 - etas * self._decay).astype(self._dtype)[:, :, None, None]
        self._factors = (1 / n_samples).astype(self._dtype)[:, None, None, None]

    def begin(self, i: int) -> Array:
        """Return ``1 / B``."""
        self._i = i
        self._rule.begin(self._first_step + i)
        factor: Array = self._factors[i]
        return factor

    def apply(self, layer: int, delta: Array, below: Array, norm: BatchNorm | None) -> None:
        """Work out the gradients of the layer and hand them to the rule."""
        weights, gradient = self._parameters.weights[layer], self._gradients[layer]
        weight_gradient(layer, delta, below, gradient)
        if self._penalised:
            gradient += self._penalty * weights
        self._owed.append(_Owed(weights, gradient, self._weight_slots[layer], decays=True))
        if layer < len(self._parameters.biases):
            biases = self._parameters.biases[layer][:, :, None]
            shifts = np.array(summed(delta)) if norm is None else norm.shift_gradient
            gradient = shifts[:, :, None]
            if self._penalised and self._bias_row:
                gradient += self._penalty * biases
            slots = self._bias_slots[layer]
            self._owed.append(_Owed(biases, gradient, slots, decays=self._bias_row))
        if norm is not None:
            gains, gradient = self._parameters.gains[layer], norm.gain_gradient
            self._owed.append(
                _Owed(gains[:, :, None], gradient[:, :, None], self._gain_slots[layer])
            )
        if self._clip_norm is not None:
            # How long the gradient is, is known when the first layer's is.
            if layer > 0:
                return
            self._clip(self._clip_norm)
        self._pay()

    def _clip(self, clip_norm: Rates) -> None:
        """Shorten gradients that are too long: ``g · min(1, c / (‖g‖ + 1e-6))``, as PyTorch."""
        squares = np.zeros(len(clip_norm))
        for owed in self._owed:
            flat = owed.gradient.reshape(len(clip_norm), -1)
            squares += [np.dot(row, row) for row in flat]
        factors = np.minimum(clip_norm / (np.sqrt(squares) + 1e-6), 1.0)
        factors[clip_norm == 0] = 1.0
        for owed in self._owed:
            np.multiply(
                owed.gradient, factors.astype(self._dtype)[:, None, None], out=owed.gradient
            )

    def _pay(self) -> None:
        """Change the parameters whose gradients are known."""
        for owed in self._owed:
            if self._decay is not None and owed.decays:
                np.multiply(owed.parameter, self._kept[self._i], out=owed.parameter)
            self._rule.update(owed.parameter, owed.gradient, owed.slots, self._etas[self._i])
        self._owed.clear()

    def settle(self) -> None:
        """Nothing is owed."""


def new_slots(optimizer: str, parameters: Parameters) -> list[Array]:
    """Return the slots of all parameters that are trained, in their order, as 0."""
    count = n_slots(optimizer)
    return [np.zeros_like(array) for array in parameters.trained for _ in range(count)]


def make_updater(
    optimizer: str,
    parameters: Parameters,
    slots: list[Array],
    trials: Sequence[Hyperparameters],
    *,
    bias_row: bool = False,
) -> Updater:
    """Return what updates ``parameters`` (and ``slots``) in place; of a bias row, as weights."""
    if optimizer in SLOTTED or any(trial.clip_norm for trial in trials):
        rule = SLOTTED.get(optimizer, Rule)
        return SlottedUpdater(rule, parameters, slots, trials, bias_row=bias_row)
    return SgdUpdater(parameters, trials, bias_row=bias_row)
