"""Analytic gradients against central differences, in float64."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
STEPS, FACTORS = np.transpose(STENCIL)
# Copies of a small network go through one pass, each with one element changed: passes are made of
# products so small that to begin them takes longest. More copies, or wide networks, outgrow caches.
MOST_COPIES = 64
MOST_NUMBERS = 500_000
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

    def costs(self, network: Network, parameters: Parameters) -> npt.NDArray[np.float64]:
        """Return ``J = mean loss + λ Σ W²`` of T networks, (T,), the loss that of smoothed labels.

        Args:
            network: T copies of a shape.
            parameters: Of each.
        """
        scores = network.forward(parameters, self.x, masks=self.masks, kept=KEPT)
        criterion = LOSSES[network.spec.loss]
        n_classes, share = network.spec.n_classes, self.numbers.label_smoothing
        each = np.empty((len(scores), len(self.labels)))
        criterion.total(scores.copy(), self.labels, each)
        losses = (1 - share) * each
        for k in range(n_classes if share else 0):
            criterion.total(scores.copy(), np.full_like(self.labels, k), each)
            losses += share / n_classes * each
        costs = losses @ self.weights
        if self.numbers.l2_strength:
            squares = parameters.squared_weights(biases=network.spec.bias_row)
            costs += self.numbers.l2_strength * squares
        return np.asarray(costs)

    def gradients(self, network: Network, parameters: Parameters) -> Parameters:
        """Return the gradient of a cost by every parameter, from the pass that training makes."""
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
        """Yield on which side of its kinks each hidden layer is, and the loss, after ``costs``.

        Yields:
            (T, units, N).
        """
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
    n_samples = len(objective.labels)
    network = Network(spec, 1, n_samples, np.float64)
    gradients = dict(objective.gradients(network, parameters).names())
    moved = _Moved(spec, objective, parameters)
    return [
        _check(name, gradients[name], _chosen(array.size, most, rng), moved)
        for name, array in parameters.names()
    ]


def _chosen(size: int, most: int | None, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    if most is None or size <= most:
        return np.arange(size)
    return np.sort(rng.choice(size, most, replace=False))


class _Moved:
    """Copies of a network that are changed in an element each: one for each step of the stencil.

    Attributes:
        at_once: How many elements there are copies for.
    """

    def __init__(self, spec: NetworkSpec, objective: Objective, parameters: Parameters) -> None:
        n_samples = len(objective.labels)
        n_numbers = sum(array.size for array in parameters.arrays) + n_samples * sum(spec.widths)
        n_copies = min(MOST_COPIES, MOST_NUMBERS // n_numbers)
        self.at_once = max(1, n_copies // len(STENCIL))
        n_copies = self.at_once * len(STENCIL)
        self._objective = objective
        self._network = Network(spec, n_copies, n_samples, np.float64)
        self._parameters = parameters.rows([0] * n_copies)
        self._arrays = dict(self._parameters.names())

    def differences(
        self, name: str, elements: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Return the central differences by some elements of a tensor, and which step over a kink.

        Args:
            name: Of the tensor.
            elements: (n,), ``at_once`` at the most.

        Returns:
            (n,) both.
        """
        copies = self._arrays[name].reshape(len(self._network.layers[0]), -1)
        changed = np.arange(len(elements) * len(STENCIL)), np.repeat(elements, len(STENCIL))
        before = copies[changed]
        copies[changed] = before + STEP * np.tile(STEPS, len(elements))
        costs = self._objective.costs(self._network, self._parameters)
        copies[changed] = before

        def by_element(each: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return each[: len(before)].reshape(len(elements), len(STENCIL), -1)

        over_a_kink = np.zeros(len(elements), np.bool_)
        for sides in map(by_element, self._objective.sides(self._network)):
            over_a_kink |= (sides != sides[:, :1]).any(axis=(1, 2))
        return (by_element(costs)[..., 0] * FACTORS / STEP).sum(axis=1), over_a_kink


def _check(
    name: str, gradient: Array, chosen: npt.NDArray[np.int64], moved: _Moved
) -> ParameterCheck:
    parts = [
        moved.differences(name, chosen[start : start + moved.at_once])
        for start in range(0, len(chosen), moved.at_once)
    ]
    by_difference, over_a_kink = map(np.concatenate, zip(*parts, strict=True))
    by_backward = gradient.reshape(-1)[chosen][~over_a_kink]
    by_difference = by_difference[~over_a_kink]
    absolute = np.abs(by_backward - by_difference)
    relative = absolute / np.maximum(SMALLEST, np.abs(by_backward) + np.abs(by_difference))
    return ParameterCheck(
        name=name,
        n_checked=len(relative),
        n_skipped=int(over_a_kink.sum()),
        max_absolute_error=float(np.max(absolute, initial=0.0)),
        max_relative_error=float(np.max(relative, initial=0.0)),
    )
