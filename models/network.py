"""A fully connected network with a trial axis: T networks of one shape, run as one.

Parameters are ``(T, out, in)`` and ``(T, out)``; inside, samples are columns: a layer is
``(T, out, B)``. The first layer of all trials sees the same batch, so its weights, seen as
``(T · out, in)``, meet the batch in a single matrix product.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from coarsefine.models.activations import activation_of
from coarsefine.models.arrays import Array, gemm, gemm_call
from coarsefine.models.batch_norm import BatchNorm, normalise
from coarsefine.models.initialisation import INITIALISATIONS
from coarsefine.models.specs import NetworkSpec


@dataclass(slots=True)
class Parameters:
    """The weights and biases of T networks, and what batch normalisation has beside them.

    Attributes:
        weights: A layer each, (T, out, in).
        biases: A layer each, (T, out), of the layers from the input on that have any.
        gains: γ of each normalised layer, (T, out), from the input on.
        means: Running means of these layers, which are not trained but followed.
        variances: Running variances, likewise.
    """

    weights: list[Array]
    biases: list[Array]
    gains: list[Array] = field(default_factory=list)
    means: list[Array] = field(default_factory=list)
    variances: list[Array] = field(default_factory=list)

    @property
    def n_trials(self) -> int:
        """Return T."""
        return int(self.weights[0].shape[0])

    def rows(self, which: Sequence[int]) -> "Parameters":
        """Return a copy of the trials at the positions ``which``."""
        index = np.asarray(which, dtype=np.intp)
        return Parameters(*([array[index] for array in arrays] for arrays in self.lists))

    @property
    def lists(self) -> tuple[list[Array], ...]:
        """Return all lists, in the order in which they make up the parameters."""
        return self.weights, self.biases, self.gains, self.means, self.variances

    @property
    def trained(self) -> list[Array]:
        """Return what gradients change: weights, then biases, then gains."""
        return [*self.weights, *self.biases, *self.gains]

    @property
    def arrays(self) -> list[Array]:
        """Return all there is."""
        return [*self.trained, *self.means, *self.variances]

    def names(self, *, statistics: bool = False) -> Iterator[tuple[str, Array]]:
        """Yield ``W1``, ``b1``, ``g1``, ``W2``, … with their arrays.

        Args:
            statistics: Yield running means and variances, ``m1`` and ``v1``, too.
        """
        letters = {"W": self.weights, "b": self.biases, "g": self.gains}
        if statistics:
            letters |= {"m": self.means, "v": self.variances}
        for layer in range(len(self.weights)):
            for letter, arrays in letters.items():
                if layer < len(arrays):
                    yield f"{letter}{layer + 1}", arrays[layer]

    def squared_weights(self, *, biases: bool = False) -> Array:
        """Return ``Σ W²`` over all weights of each trial, (T,), with those of a bias row or not."""
        totals = np.zeros(self.n_trials)
        for weights in (*self.weights, *(self.biases if biases else ())):
            flat = weights.reshape(self.n_trials, -1)
            totals += [np.dot(row, row) for row in flat]
        return totals


def initial_parameters(
    spec: NetworkSpec, n_trials: int, dtype: type[np.floating], rng: np.random.Generator
) -> Parameters:
    """Return parameters that are the same for every trial.

    Weights are drawn in float64 whatever ``dtype``, so that both precisions start alike.
    """
    weights: list[Array] = []
    biases: list[Array] = []
    for layer, width in enumerate(spec.widths[1:]):
        drawn = INITIALISATIONS[spec.initialisation](rng, spec, layer).astype(dtype)
        weights.append(np.repeat(drawn[None, :, : spec.widths[layer]], n_trials, axis=0))
        if layer < spec.n_biased:
            first = np.zeros(width)
            if spec.bias_row:
                first = drawn[:, -1]
            elif spec.bias_sigma:
                first = spec.bias_sigma * rng.standard_normal(width)
            biases.append(np.repeat(first.astype(dtype)[None], n_trials, axis=0))
    normalised = [(n_trials, width) for width in spec.hidden[: spec.n_normalised]]
    return Parameters(
        weights,
        biases,
        gains=[np.ones(shape, dtype) for shape in normalised],
        means=[np.zeros(shape, dtype) for shape in normalised],
        variances=[np.ones(shape, dtype) for shape in normalised],
    )


class Network:
    """Forward and backward passes of T networks over batches of up to ``batch_size`` samples.

    It owns the arrays of its layers and nothing else; parameters are handed in.
    """

    def __init__(
        self, spec: NetworkSpec, n_trials: int, batch_size: int, dtype: type[np.floating]
    ) -> None:
        self.spec = spec
        self.activation = activation_of(spec)
        shapes = [(n_trials, width, batch_size) for width in spec.widths[1:]]
        self.layers: list[Array] = [np.empty(shape, dtype) for shape in shapes]
        self.deltas: list[Array] = [np.empty(shape, dtype) for shape in shapes[:-1]]
        self.norms = [BatchNorm(shape, dtype) for shape in shapes[: spec.n_normalised]]
        # What layers pass on where units are left out; made when they first are.
        self._thinned: list[Array] = []
        self._masks: Sequence[Array] | None = None
        self._bound: tuple[Array | None, Array | None] = (None, None)
        self._first_product: Callable[[], object] = _nothing

    def forward(
        self,
        parameters: Parameters,
        x: Array,
        scale: Array | None = None,
        masks: Sequence[Array] | None = None,
        kept: float | None = None,
    ) -> Array:
        """Return the scores of a batch.

        Args:
            parameters: Of T trials.
            x: (B, D), rows contiguous; B as the network was made for.
            scale: (T,) factors that the first layer's weights have yet to be multiplied with;
                ``None`` stands for ones.
            masks: What the units of each hidden layer are multiplied with, (T or 1, units, B);
                ``None`` stands for ones.
            kept: How much of the running statistics an update keeps; ``None`` normalises by these,
                and changes nothing: that is how networks are measured.

        Returns:
            (T, K, B): the last layer itself, overwritten by the next call.
        """
        layer = self.layers[0]
        self._masks = masks
        if masks is not None and not self._thinned:
            self._thinned = [np.empty_like(hidden) for hidden in self.layers[:-1]]
        self._bind(parameters.weights[0], x)
        self._first_product()
        if scale is not None:
            layer *= scale[:, None, None]
        self._shift(layer, 0, parameters, kept)
        for index in range(1, len(self.layers)):
            self.activation.forward(layer)
            below, layer = layer, self.layers[index]
            if masks is not None:
                below = np.multiply(below, masks[index - 1], out=self._thinned[index - 1])
            np.matmul(parameters.weights[index], below, out=layer)
            self._shift(layer, index, parameters, kept)
        return layer

    def _shift(self, layer: Array, index: int, parameters: Parameters, kept: float | None) -> None:
        """Normalise a layer if it is to be, and add its bias if it has one."""
        if index < len(self.norms):
            running = parameters.means[index], parameters.variances[index]
            if kept is None:
                normalise(layer, parameters.gains[index], *running)
            else:
                self.norms[index].train(layer, parameters.gains[index], *running, kept)
        if index < len(parameters.biases):
            layer += parameters.biases[index][:, :, None]

    def _bind(self, weights: Array, x: Array) -> None:
        """Have ``_first_product`` multiply the first layer's weights with the batch ``x``."""
        if self._bound[0] is not weights or self._bound[1] is not x:
            n_trials, width, n_features = weights.shape
            out = self.layers[0].reshape(n_trials * width, -1)
            self._first_product = gemm_call(weights.reshape(-1, n_features), x.T, out)
            self._bound = (weights, x)

    def backward(
        self, parameters: Parameters, x: Array, output_delta: Array
    ) -> Iterator[tuple[int, Array, Array, BatchNorm | None]]:
        """Yield (layer, delta, input, norm) from the last layer to the first.

        ``delta @ input.T`` is the gradient by the layer's weights, the sum of ``delta`` over
        the batch that by its biases. Where the layer is normalised, ``norm`` has the gradients by
        its biases and gains instead. A layer's weights may be changed once it was yielded: what
        the layers below need of them was taken before.

        Args:
            parameters: Of T trials, as in ``forward``; the first layer's are not looked at.
            x: The batch of ``forward``, (B, D).
            output_delta: (T, K, B), the derivative by the scores, times any factor.

        Yields:
            Layer number from 0; delta (T, out, B); input (T, in, B), for the first layer (B, D).
        """
        delta = output_delta
        for index in range(len(self.layers) - 1, 0, -1):
            below = active = self.layers[index - 1]
            passed_on = self.deltas[index - 1]
            np.matmul(parameters.weights[index].transpose(0, 2, 1), delta, out=passed_on)
            if self._masks is not None:
                passed_on *= self._masks[index - 1]
                below = self._thinned[index - 1]
            self.activation.backward(passed_on, active)
            if index <= len(self.norms):
                self.norms[index - 1].backward(passed_on, parameters.gains[index - 1])
            yield index, delta, below, self._norm(index)
            delta = passed_on
        yield 0, delta, x, self._norm(0)

    def _norm(self, index: int) -> BatchNorm | None:
        return self.norms[index] if index < len(self.norms) else None


def weight_gradient(layer: int, delta: Array, below: Array, out: Array) -> None:
    """Set ``out = delta below.T`` for one layer of all trials.

    Args:
        layer: Number of the layer; the first one's input is shared, (B, D).
        delta: (T, out, B).
        below: As yielded by ``Network.backward``.
        out: (T, out, in).
    """
    if layer == 0:
        n_trials, width, n_features = out.shape
        gemm(delta.reshape(n_trials * width, -1), below, out.reshape(-1, n_features))
    else:
        np.matmul(delta, below.transpose(0, 2, 1), out=out)


def _nothing() -> None:
    """Stand in for a product before there is one."""
