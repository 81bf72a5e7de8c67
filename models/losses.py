"""Losses of a network's scores, each with its derivative right under it.

Scores are ``(T, K, B)``: T trials, K classes, B samples; targets are one-hot, ``(K, B)``, or of
each trial, ``(T, K, B)``, where labels are smoothed.
Penalties are not in here: loss is what the data say, cost is loss plus penalty.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels, column
from coarsefine.models.special import expit, logit
from coarsefine.models.specs import Hyperparameters


class Loss(Protocol):
    """A loss per sample, summed."""

    probable: bool = True
    """Whether ``outputs`` are probabilities."""

    in_numpy: tuple[str, ...] = ()
    """Lines that turn scores ``s``, (N, K), into outputs, for programs without this package."""

    def outputs(self, scores: Array) -> Array:
        """Return what a network answers, of each class: the scores, unless a loss says more."""
        return scores

    def scores_of(self, outputs: Array) -> Array:
        """Return scores that ``outputs`` makes these of."""
        return outputs

    def active(self, scores: Array, labels: Labels) -> npt.NDArray[np.bool_] | None:
        """Return on which side of its kinks a loss is; ``None`` if it has none."""
        return None

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return each trial's loss summed over the samples, (T,). Overwrites ``scores``.

        ``each``, (T, B), is filled with the loss of each sample.
        """

    def backward(self, scores: Array, targets: Array) -> None:
        """Turn scores into the derivative of the summed loss by them, in place."""

    def measured_backward(
        self, scores: Array, targets: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Do what ``backward`` does, to the same bits, and return what ``total`` does."""


class CrossEntropy(Loss):
    """``-log softmax(scores)[label]``."""

    in_numpy = (
        's = np.exp(s.astype("float64") - s.max(axis=1, keepdims=True))',
        "s /= s.sum(axis=1, keepdims=True)",
    )

    def outputs(self, scores: Array) -> Array:
        """Return the softmax."""
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def scores_of(self, outputs: Array) -> Array:
        """Return their logarithms."""
        return np.asarray(np.log(np.maximum(outputs, np.finfo(np.float64).tiny)))

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

    def backward(self, scores: Array, targets: Array) -> None:
        """Turn scores into ``softmax(scores) - one_hot``."""
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=1, keepdims=True)
        scores -= targets

    def measured_backward(
        self, scores: Array, targets: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Take the loss from the maxima and sums that the derivative needs."""
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        of_label = scores[:, labels, np.arange(labels.size)]
        np.exp(scores, out=scores)
        sums = np.add.reduce(scores, axis=1, keepdims=True)
        scores /= sums
        scores -= targets
        per_sample = np.log(sums[:, 0])
        per_sample -= of_label
        return np.asarray(per_sample.sum(axis=1, dtype=np.float64))


class SquaredError(Loss):
    """``½ ‖scores - one_hot‖²``.

    Networks learn to put out 1 for the class and 0 for others: scores stand for probabilities.
    """

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the summed squared error of each trial."""
        scores[:, labels, np.arange(labels.size)] -= 1
        np.square(scores, out=scores)
        if each is not None:
            np.multiply(scores.sum(axis=1), 0.5, out=each, casting="same_kind")
        return np.asarray(0.5 * scores.sum(axis=(1, 2), dtype=np.float64))

    def backward(self, scores: Array, targets: Array) -> None:
        """Turn scores into ``scores - one_hot``."""
        scores -= targets

    def measured_backward(
        self, scores: Array, targets: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Take the loss from the derivative, whose square it is."""
        scores -= targets
        return np.asarray(0.5 * np.square(scores).sum(axis=(1, 2), dtype=np.float64))


class Hinge(Loss):
    """``Σ_{j ≠ label} max(0, 1 + score_j - score_label)``: Weston & Watkins (1999)."""

    probable = False

    def active(self, scores: Array, labels: Labels) -> npt.NDArray[np.bool_]:
        """Return which classes come closer to the label's than 1."""
        return self._margins(scores.copy(), labels) > 0

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the summed hinge of each trial; leaves the margins in ``scores``."""
        margins = np.maximum(self._margins(scores, labels), 0, out=scores)
        if each is not None:
            each[...] = margins.sum(axis=1)
        return np.asarray(margins.sum(axis=(1, 2), dtype=np.float64))

    def _margins(self, scores: Array, labels: Labels) -> Array:
        """Turn scores into ``1 + score_j - score_label``, 0 where j is the label."""
        samples = np.arange(labels.size)
        scores -= scores[:, labels, samples][:, None] - 1
        scores[:, labels, samples] = 0
        return scores

    def backward(self, scores: Array, targets: Array) -> None:
        """Turn scores into 1 for each class within the margin, minus as many for the label's."""
        self.measured_backward(scores, targets, targets.argmax(axis=0))

    def measured_backward(
        self, scores: Array, targets: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Take the loss from the margins."""
        total = self.total(scores, labels)
        np.sign(scores, out=scores)
        scores[:, labels, np.arange(labels.size)] = -scores.sum(axis=1)
        return total


class BinaryCrossEntropy(Loss):
    """``(1/K) Σ log(1 + exp(score)) - target · score``: K sigmoids, each right or wrong."""

    in_numpy = ('s = 1 / (1 + np.exp(-s.astype("float64")))',)

    def outputs(self, scores: Array) -> Array:
        """Return the sigmoids, whose sum need not be 1."""
        return np.asarray(expit(scores))

    def scores_of(self, outputs: Array) -> Array:
        """Return their logits."""
        tiny = np.finfo(np.float64).eps
        return np.asarray(logit(np.clip(outputs, tiny, 1 - tiny)))

    def total(
        self, scores: Array, labels: Labels, each: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the summed cross-entropy of each trial."""
        of_label = scores[:, labels, np.arange(labels.size)]
        # log(1 + exp(s)), neither too large for exp nor losing small ones.
        per_sample = np.logaddexp(scores, 0, out=scores).sum(axis=1)
        per_sample -= of_label
        per_sample /= scores.shape[1]
        if each is not None:
            each[...] = per_sample
        return np.asarray(per_sample.sum(axis=1, dtype=np.float64))

    def backward(self, scores: Array, targets: Array) -> None:
        """Turn scores into ``(sigmoid(scores) - targets) / K``."""
        expit(scores, out=scores)
        scores -= targets
        scores /= scores.shape[1]

    def measured_backward(
        self, scores: Array, targets: Array, labels: Labels
    ) -> npt.NDArray[np.float64]:
        """Take the loss from a copy of the scores."""
        total = self.total(scores.copy(), labels)
        self.backward(scores, targets)
        return total


LOSSES: dict[str, Loss] = {
    "cross-entropy": CrossEntropy(),
    "squared-error": SquaredError(),
    "hinge": Hinge(),
    "binary-cross-entropy": BinaryCrossEntropy(),
}


def targets(n_classes: int, trials: Sequence[Hyperparameters], dtype: type[np.floating]) -> Array:
    """Return what the scores of each class are held against: by column, that of a label.

    Label smoothing spreads a share ε of it evenly over the classes: Szegedy et al., Rethinking the
    Inception Architecture (2016), section 7. Only updates are made with it: what is measured is the
    loss of the labels as they are.

    Returns:
        (K, K) or, if a trial smooths, (T, K, K).
    """
    shares = column(trials, "label_smoothing")[:, None, None]
    if not np.any(shares):
        return np.eye(n_classes, dtype=dtype)
    return ((1 - shares) * np.eye(n_classes) + shares / n_classes).astype(dtype)


def class_weights(
    weights: Sequence[float] | Literal["balanced"] | None, labels: Labels, n_classes: int
) -> npt.NDArray[np.float64] | None:
    """Return what the loss of each class counts in updates, (K,); ``None`` if all count 1.

    Args:
        weights: As in ``TrainingSpec``.
        labels: Of all training samples, (N,); a class without samples counts nothing.
        n_classes: K.
    """
    if weights == "balanced":
        counts = np.bincount(labels, minlength=n_classes)
        return np.divide(len(labels), n_classes * counts, where=counts > 0, out=np.zeros(n_classes))
    return None if weights is None else np.array(weights, dtype=np.float64)
