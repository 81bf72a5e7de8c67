"""Loss and accuracy of T networks on many samples. Reads parameters, changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.losses import LOSSES
from coarsefine.models.network import Network, Parameters
from coarsefine.models.specs import NetworkSpec

Values = npt.NDArray[np.float64]

# Samples a block: the layers of a block should stay in a core's cache while they are worked on.
_LAYER_BYTES = 1 << 20
_SMALLEST_BLOCK = 64
_LARGEST_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What T networks make of some samples.

    Attributes:
        loss: (T,), mean over the samples, without penalty; not finite where a trial diverged.
        accuracy: (T,), share of samples whose highest score is that of their label; in [0, 1].
    """

    loss: Values
    accuracy: Values


@dataclass(frozen=True, eq=False, slots=True)
class SampleOutcomes:
    """What T networks make of each of N samples.

    Attributes:
        predicted: (T, N), the first class with the highest score.
        losses: (T, N), without penalty; NaN where the outcomes of a trial are not known.
    """

    predicted: npt.NDArray[np.uint16]
    losses: npt.NDArray[np.float32]

    @classmethod
    def unknown(cls, n_trials: int, n_samples: int) -> "SampleOutcomes":
        """Return outcomes that are yet to be filled in."""
        shape = n_trials, n_samples
        return cls(np.zeros(shape, np.uint16), np.full(shape, np.nan, np.float32))

    def rows(self, which: npt.NDArray[Any] | Sequence[int]) -> "SampleOutcomes":
        """Return a copy with the trials at the positions ``which``."""
        return SampleOutcomes(self.predicted[which], self.losses[which])

    def put(self, which: npt.NDArray[np.bool_], others: "SampleOutcomes") -> None:
        """Take the outcomes of some trials from ``others``."""
        self.predicted[which] = others.predicted[which]
        self.losses[which] = others.losses[which]


class Evaluates(Protocol):
    """Measures networks of one shape."""

    def forget(self) -> None:
        """Take weights in anew, because they have changed."""

    def evaluate(
        self,
        parameters: Parameters,
        x: Array,
        labels: Labels,
        rows: npt.NDArray[np.intp] | None = None,
        outcomes: SampleOutcomes | None = None,
    ) -> Evaluation:
        """Return loss and accuracy of each trial; arguments as in ``Evaluator``."""


class Evaluator:
    """Evaluates networks of one shape, block by block, in arrays it keeps."""

    def __init__(self, spec: NetworkSpec, n_trials: int, dtype: type[np.floating]) -> None:
        self._spec = spec
        self._n_trials = n_trials
        self._dtype = dtype
        widest = max(spec.widths[1:]) * n_trials * np.dtype(dtype).itemsize
        self.block = max(_SMALLEST_BLOCK, min(_LARGEST_BLOCK, _LAYER_BYTES // widest // 16 * 16))
        self._networks: dict[int, Network] = {}
        self._gathered: Array = np.empty((0, spec.n_features), dtype)

    def _network(self, n_samples: int) -> Network:
        # Two sizes at the most per data split: a whole block and what is left.
        if n_samples not in self._networks:
            self._networks[n_samples] = Network(self._spec, self._n_trials, n_samples, self._dtype)
        return self._networks[n_samples]

    def forget(self) -> None:
        """Nothing is kept of weights."""

    def evaluate(
        self,
        parameters: Parameters,
        x: Array,
        labels: Labels,
        rows: npt.NDArray[np.intp] | None = None,
        outcomes: SampleOutcomes | None = None,
    ) -> Evaluation:
        """Return loss and accuracy of each trial.

        Args:
            parameters: Of T trials.
            x: (N, D).
            labels: (N,), in 0 … K-1.
            rows: The samples to look at; ``None`` for all.
            outcomes: Filled with what the trials make of each of these samples.
        """
        n_samples = len(labels) if rows is None else len(rows)
        loss = np.zeros(self._n_trials)
        n_right = np.zeros(self._n_trials)
        criterion = LOSSES[self._spec.loss]
        for start in range(0, n_samples, self.block):
            stop = min(start + self.block, n_samples)
            if rows is None:
                block_x, block_labels = x[start:stop], labels[start:stop]
            else:
                block_x = self._gather(x, rows[start:stop])
                block_labels = labels[rows[start:stop]]
            scores = self._network(stop - start).forward(parameters, block_x)
            n_right += count_right(scores, block_labels)
            each = None
            if outcomes is not None:
                outcomes.predicted[:, start:stop] = first_highest(scores)
                each = outcomes.losses[:, start:stop]
            loss += criterion.total(scores, block_labels, each)
        return Evaluation(loss / n_samples, n_right / n_samples)

    def _gather(self, x: Array, rows: npt.NDArray[np.intp]) -> Array:
        if len(self._gathered) < len(rows):
            self._gathered = np.empty((self.block, x.shape[1]), x.dtype)
        block = self._gathered[: len(rows)]
        # With mode "raise" NumPy would gather into a buffer first; the rows are known to exist.
        np.take(x, rows, axis=0, out=block, mode="clip")
        return block


def count_right(scores: Array, labels: Labels) -> Values:
    """Return in how many samples the label is the first class with the highest score, (T,)."""
    highest = scores.max(axis=1)
    right = scores[:, labels, np.arange(labels.size)] == highest
    # NumPy's argmax over anything but the last axis is twenty times slower than max. It is only
    # needed where several classes share the highest score, as they do with weights of 0.
    if np.count_nonzero(scores == highest[:, None]) != highest.size:
        right = scores.argmax(axis=1) == labels
    return np.asarray(np.count_nonzero(right, axis=1), dtype=np.float64)


def first_highest(scores: Array) -> npt.NDArray[np.uint16]:
    """Return the first class with the highest score, (T, B), where none is NaN.

    A class that has it counts the more the earlier it is: NumPy's argmax over the classes would
    take several times as long.
    """
    n_classes = scores.shape[1]
    worth = np.arange(n_classes, 0, -1, dtype=np.uint32)
    highest = scores == scores.max(axis=1, keepdims=True)
    first = n_classes - (highest * worth[:, None]).max(axis=1)
    return np.asarray(np.minimum(first, n_classes - 1), dtype=np.uint16)


def predictions(spec: NetworkSpec, parameters: Parameters, x: Array) -> Labels:
    """Return the class with the highest score, (T, N)."""
    n_trials, dtype = parameters.n_trials, parameters.weights[0].dtype.type
    evaluator = Evaluator(spec, n_trials, dtype)
    answers = np.empty((n_trials, len(x)), np.int64)
    for start in range(0, len(x), evaluator.block):
        block = x[start : start + evaluator.block]
        network = Network(spec, n_trials, len(block), dtype)
        answers[:, start : start + len(block)] = network.forward(parameters, block).argmax(axis=1)
    return answers
