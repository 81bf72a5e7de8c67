"""Analytic gradients against central differences, in float64."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from coarsefine.models.activations import ACTIVATIONS
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.batch_norm import KEPT
from coarsefine.models.losses import LOSSES, targets
from coarsefine.models.network import Network, Parameters, initial_parameters, weight_gradient
from coarsefine.models.specs import Hyperparameters, NetworkSpec

TOLERANCE = 1e-6
# Central differences of fourth order: an error of h⁴ and a rounding of 1e-16 / h, both near 1e-12.
# Those of second order are at best some 1e-10 off, too close to the tolerance for small gradients.
STEP = 1e-4
STENCIL = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))
# Gradients below this are held to an absolute error instead: over one that is nearly 0 any ratio
# of errors explodes.
SMALLEST = 1e-4


@dataclass(frozen=True, slots=True)
class ParameterCheck:
    """How far the two gradients of one parameter tensor are apart.

    Attributes:
        name: ``W1``, ``b1``, …
        n_checked: Elements compared.
        n_skipped: Elements whose difference steps over a kink of activation or loss, where there is
            no derivative to compare with.
        max_absolute_error: Largest ``|gₐ − gₙ|``.
        max_relative_error: Largest ``|gₐ − gₙ| / max(1e-4, |gₐ| + |gₙ|)``.
    """

    name: str
    n_checked: int
    n_skipped: int
    max_absolute_error: float
    max_relative_error: float

    @property
    def passed(self) -> bool:
        """Return whether the relative error is a number and within the tolerance."""
        return self.n_checked > 0 and self.max_relative_error <= TOLERANCE


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised: the cost of some samples, as updates see it.

    Attributes:
        x: (N, D).
        labels: (N,), in 0 … K-1.
        numbers: λ, and how labels are smoothed.
        class_weights: (K,), what the loss of each class counts; ``None`` for 1.
        masks: (1, units, N) of each hidden layer: which units count, and how much.
    """

    x: Array
    labels: Labels
    numbers: Hyperparameters
    class_weights: npt.NDArray[np.float64] | None = None
    masks: Sequence[Array] | None = None

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Return what the loss of each sample counts, over all samples."""
        n_samples = len(self.labels)
        if self.class_weights is None:
            return np.full(n_samples, 1 / n_samples)
        return np.asarray(self.class_weights[self.labels] / n_samples)

    def cost(self, network: Network, parameters: Parameters) -> float:
        """Return ``J = mean loss + λ Σ W²``, the loss that of smoothed labels."""
        scores = network.forward(parameters, self.x, masks=self.masks, kept=KEPT)
        criterion = LOSSES[network.spec.loss]
        n_classes, share = network.spec.n_classes, self.numbers.label_smoothing
        each = np.empty((1, len(self.labels)))
        criterion.total(scores.copy(), self.labels, each)
        losses = (1 - share) * each[0]
        for k in range(n_classes if share else 0):
            criterion.total(scores.copy(), np.full_like(self.labels, k), each)
            losses += share / n_classes * each[0]
        squares = parameters.squared_weights(biases=network.spec.bias_row)[0]
        penalty = self.numbers.l2_strength * squares
        return float(losses @ self.weights + penalty)

    def gradients(self, network: Network, parameters: Parameters) -> Parameters:
        """Return the gradient of ``cost`` by every parameter, from the pass that training makes."""
        classes = targets(network.spec.n_classes, (self.numbers,), np.float64)
        scores = network.forward(parameters, self.x, masks=self.masks, kept=KEPT)
        LOSSES[network.spec.loss].backward(scores, classes[..., self.labels])
        scores *= self.weights
        gradients = Parameters(
            [np.empty_like(w) for w in parameters.weights],
            [np.empty_like(b) for b in parameters.biases],
            [np.empty_like(g) for g in parameters.gains],
        )
        for layer, delta, below, norm in network.backward(parameters, self.x, scores):
            weight_gradient(layer, delta, below, gradients.weights[layer])
            gradients.weights[layer] += 2 * self.numbers.l2_strength * parameters.weights[layer]
            if layer < len(gradients.biases):
                shifts = delta.sum(axis=2) if norm is None else norm.shift_gradient
                gradients.biases[layer][:] = shifts
                if network.spec.bias_row:
                    penalty = 2 * self.numbers.l2_strength * parameters.biases[layer]
                    gradients.biases[layer] += penalty
            if norm is not None:
                gradients.gains[layer][:] = norm.gain_gradient
        return gradients

    def sides(self, network: Network) -> Iterator[npt.NDArray[np.bool_]]:
        """Yield on which side of its kinks each hidden layer is, and the loss, after ``cost``."""
        kink_at = ACTIVATIONS[network.spec.activation].kink_at
        if kink_at is not None:
            for layer in network.layers[:-1]:
                yield layer > kink_at
        active = LOSSES[network.spec.loss].active(network.layers[-1], self.labels)
        if active is not None:
            yield active


def check_gradients(
    spec: NetworkSpec,
    objective: Objective,
    rng: np.random.Generator,
    *,
    most: int | None = None,
) -> list[ParameterCheck]:
    """Return a check per parameter tensor of a network with random weights.

    Args:
        spec: Its shape, activation and loss.
        objective: On some samples: few features and samples are enough, and quick.
        rng: Draws the weights, and biases too: at 0 an error in them could hide.
        most: Compare no more elements of a tensor than so many, drawn by ``rng``; ``None`` takes
            all of them.
    """
    parameters = initial_parameters(spec, 1, np.float64, rng)
    for array in parameters.trained:
        if not array.any():
            array[:] = 0.1 * rng.standard_normal(array.shape)
    objective = replace(objective, x=np.ascontiguousarray(objective.x, dtype=np.float64))
    network = Network(spec, 1, len(objective.labels), np.float64)
    gradients = dict(objective.gradients(network, parameters).names())
    return [
        _check(
            name,
            array,
            gradients[name],
            _chosen(array.size, most, rng),
            partial(objective.cost, network, parameters),
            partial(objective.sides, network),
        )
        for name, array in parameters.names()
    ]


def _chosen(size: int, most: int | None, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    if most is None or size <= most:
        return np.arange(size)
    return np.sort(rng.choice(size, most, replace=False))


def _check(
    name: str,
    array: Array,
    gradient: Array,
    chosen: npt.NDArray[np.int64],
    current_cost: Callable[[], float],
    current_sides: Callable[[], Iterable[npt.NDArray[np.bool_]]],
) -> ParameterCheck:
    absolute, relative, n_skipped = [], [], 0
    elements = array.reshape(-1)
    by_backward = gradient.reshape(-1)
    for i in chosen:
        value = elements[i]
        by_difference, sides = 0.0, []
        for steps, factor in STENCIL:
            elements[i] = value + steps * STEP
            shifted = current_cost()
            by_difference += factor * shifted / STEP
            sides.append([side.copy() for side in current_sides()])
        elements[i] = value
        if any(
            (layer != layers[0]).any() for layers in zip(*sides, strict=True) for layer in layers
        ):
            n_skipped += 1
            continue
        error = abs(float(by_backward[i]) - by_difference)
        size = abs(float(by_backward[i])) + abs(by_difference)
        absolute.append(error)
        relative.append(error / max(SMALLEST, size))
    return ParameterCheck(
        name=name,
        n_checked=len(relative),
        n_skipped=n_skipped,
        max_absolute_error=float(np.max(absolute, initial=0.0)),
        max_relative_error=float(np.max(relative, initial=0.0)),
    )
