"""Loss and accuracy of T networks on many samples. Reads parameters, changes nothing."""

from dataclasses import dataclass

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

    def evaluate(
        self,
        parameters: Parameters,
        x: Array,
        labels: Labels,
        rows: npt.NDArray[np.intp] | None = None,
    ) -> Evaluation:
        """Return loss and accuracy of each trial.

        Args:
            parameters: Of T trials.
            x: (N, D).
            labels: (N,), in 0 … K-1.
            rows: The samples to look at; ``None`` for all.
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
            loss += criterion.total(scores, block_labels)
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
