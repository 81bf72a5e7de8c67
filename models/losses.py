"""Losses of a network's scores, each with its derivative right under it.

Scores are ``(T, K, B)``: T trials, K classes, B samples; targets are one-hot, ``(K, B)``.
Penalties are not in here: loss is what the data say, cost is loss plus penalty.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels


class Loss(Protocol):
    """A loss per sample, summed."""

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return each trial's loss summed over the samples, (T,). Overwrites ``scores``.

        ``each``, (T, B), is filled with the loss of each sample.
        """

    def backward(self, scores: Array, one_hot: Array) -> None:
        """Turn scores into the derivative of the summed loss by them, in place."""

    def measured_backward(
        self, scores: Array, one_hot: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Do what ``backward`` does, to the same bits, and return what ``total`` does."""


class CrossEntropy:
    """``-log softmax(scores)[label]``."""

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the summed cross-entropy of each trial."""
        # Shifted by the maximum, so that exp cannot overflow.
        scores -= scores.max(axis=1, keepdims=True)
        of_label = scores[:, labels, np.arange(labels.size)]
        np.exp(scores, out=scores)
        log_sums = np.log(scores.sum(axis=1))
        if each is not None:
            np.subtract(log_sums, of_label, out=each, casting="same_kind")
        sums = log_sums.sum(axis=1, dtype=np.float64)
        return np.asarray(sums - of_label.sum(axis=1, dtype=np.float64))

    def backward(self, scores: Array, one_hot: Array) -> None:
        """Turn scores into ``softmax(scores) - one_hot``."""
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=1, keepdims=True)
        scores -= one_hot

    def measured_backward(
        self, scores: Array, one_hot: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Take the loss from the maxima and sums that the derivative needs."""
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        of_label = scores[:, labels, np.arange(labels.size)]
        np.exp(scores, out=scores)
        sums = np.add.reduce(scores, axis=1, keepdims=True)
        scores /= sums
        scores -= one_hot
        per_sample = np.log(sums[:, 0])
        per_sample -= of_label
        return np.asarray(per_sample.sum(axis=1, dtype=np.float64))


class SquaredError:
    """``½ ‖scores - one_hot‖²``."""

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the summed squared error of each trial."""
        scores[:, labels, np.arange(labels.size)] -= 1
        np.square(scores, out=scores)
        if each is not None:
            np.multiply(scores.sum(axis=1), 0.5, out=each, casting="same_kind")
        return np.asarray(0.5 * scores.sum(axis=(1, 2), dtype=np.float64))

    def backward(self, scores: Array, one_hot: Array) -> None:
        """Turn scores into ``scores - one_hot``."""
        scores -= one_hot

    def measured_backward(
        self, scores: Array, one_hot: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Take the loss from the derivative, whose square it is."""
        scores -= one_hot
        return np.asarray(0.5 * np.square(scores).sum(axis=(1, 2), dtype=np.float64))


LOSSES: dict[str, Loss] = {"cross-entropy": CrossEntropy(), "squared-error": SquaredError()}
