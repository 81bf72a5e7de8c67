"""Analytic gradients against central differences, in float64."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from coarsefine.models.activations import ACTIVATIONS
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.losses import LOSSES
from coarsefine.models.network import Network, Parameters, initial_parameters, weight_gradient
from coarsefine.models.specs import NetworkSpec

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
        n_skipped: Elements whose difference steps over a kink of the activation, where there is
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


def cost(
    network: Network, parameters: Parameters, x: Array, labels: Labels, l2_strength: float
) -> float:
    """Return ``J = mean loss + λ Σ W²`` of one network."""
    loss = LOSSES[network.spec.loss].total(network.forward(parameters, x), labels)
    return float(loss[0] / len(labels) + l2_strength * parameters.squared_weights()[0])


def cost_gradients(
    network: Network, parameters: Parameters, x: Array, labels: Labels, l2_strength: float
) -> Parameters:
    """Return the gradient of ``cost`` by every parameter, from the pass that training makes."""
    one_hot = np.eye(network.spec.n_classes)[labels].T
    scores = network.forward(parameters, x)
    LOSSES[network.spec.loss].backward(scores, one_hot)
    scores *= 1 / len(labels)
    gradients = Parameters(
        [np.empty_like(w) for w in parameters.weights],
        [np.empty_like(b) for b in parameters.biases],
    )
    for layer, delta, below in network.backward(parameters, x, scores):
        weight_gradient(layer, delta, below, gradients.weights[layer])
        gradients.weights[layer] += 2 * l2_strength * parameters.weights[layer]
        if layer < len(gradients.biases):
            gradients.biases[layer][:] = delta.sum(axis=2)
    return gradients


def check_gradients(
    spec: NetworkSpec,
    x: Array,
    labels: Labels,
    l2_strength: float,
    rng: np.random.Generator,
    *,
    most: int | None = None,
) -> list[ParameterCheck]:
    """Return a check per parameter tensor of a network with random weights.

    Args:
        spec: Its shape, activation and loss.
        x: (N, D), some samples; few features and samples are enough, and quick.
        labels: (N,), in 0 … K-1.
        l2_strength: λ.
        rng: Draws the weights, and biases too: at 0 an error in them could hide.
        most: Compare no more elements of a tensor than so many, drawn by ``rng``; ``None`` takes
            all of them.
    """
    parameters = initial_parameters(spec, 1, np.float64, rng)
    for array in (*parameters.weights, *parameters.biases):
        if not array.any():
            array[:] = 0.1 * rng.standard_normal(array.shape)
    x = np.ascontiguousarray(x, dtype=np.float64)
    network = Network(spec, 1, len(labels), np.float64)
    analytic = cost_gradients(network, parameters, x, labels, l2_strength)
    gradients = dict(analytic.names())
    return [
        _check(
            name,
            array,
            gradients[name],
            _chosen(array.size, most, rng),
            network,
            partial(cost, network, parameters, x, labels, l2_strength),
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
    network: Network,
    current_cost: Callable[[], float],
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
            sides.append([active.copy() for active in _active(network)])
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


def _active(network: Network) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield which units of each hidden layer are active, where the activation has a kink."""
    kink_at = ACTIVATIONS[network.spec.activation].kink_at
    if kink_at is not None:
        for layer in network.layers[:-1]:
            yield layer > kink_at
