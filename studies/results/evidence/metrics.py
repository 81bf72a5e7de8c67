"""Metrics of predicted classes, each as a score for every sample whose mean is the metric.

So one machinery gives intervals and ties of all of them. A metric that is no mean, such as F1, is
replaced by what each sample contributes to it (its influence, Hampel 1974), which is right where
samples are many.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coarsefine.studies.results.evidence.pairs import Real

Classes = npt.NDArray[np.integer]


def unit(metric: str, labels: Classes, n_classes: int) -> float:
    """Return by how much a sample's score changes where its class flips, squared, on average.

    That is what ``judge`` asks for. A sample of a rare class counts more where classes count the
    same.
    """
    if metric == "loss":
        return 0.0
    if metric == "accuracy" or not len(labels):
        return 1.0
    counts = np.bincount(labels, minlength=n_classes)
    counts = counts[counts > 0]
    return float(len(labels) / len(counts) ** 2 * (1 / counts).sum())


def scores(
    metric: str, predicted: Classes, labels: Classes, n_classes: int
) -> npt.NDArray[np.float32] | Real:
    """Return a score for each run and sample, (..., N); higher is better.

    The mean over the samples is the metric of the run. Losses are scores once they are negated.

    Args:
        metric: Any but ``loss``.
        predicted: (..., N), in 0 … K-1.
        labels: (N,), in 0 … K-1.
        n_classes: K. As in scikit-learn, classes without a sample among the labels do not count,
            but in the F1 of a run that predicts them: there they count with 0.
    """
    right = np.asarray(predicted == labels)
    if metric == "accuracy":
        return np.asarray(right, np.float32)
    n_samples = len(labels)
    counts = np.bincount(labels, minlength=n_classes)
    there = np.flatnonzero(counts)
    if metric == "balanced-accuracy":
        recall = recalls(predicted, labels, n_classes)
        weight = n_samples / (len(there) * counts[labels])
        mean = recall[..., there].mean(axis=-1, keepdims=True)
        return np.asarray(mean + weight * (right - recall[..., labels]))
    if metric != "macro-f1":
        raise ValueError(f"a {metric} does not follow from predicted classes")
    # F = 2 TP / (predicted + true), a ratio of two means: a sample moves it by (a - F b) / mean b.
    total = np.zeros(predicted.shape)
    mean, n_counted = (np.zeros((*predicted.shape[:-1], 1)) for _ in range(2))
    for k in np.union1d(there, predicted).tolist():
        chosen, is_k = predicted == k, labels == k
        a = 2.0 * (chosen & is_k)
        b = chosen.astype(np.float64) + is_k
        size = b.mean(axis=-1, keepdims=True)
        # Another run may predict a class that nobody else does, and that there is not.
        counted = size > 0
        size = np.where(counted, size, 1.0)
        f1 = a.mean(axis=-1, keepdims=True) / size
        total += (a - f1 * b) / size
        mean += f1
        n_counted += counted
    return np.asarray((mean + total) / n_counted)


def confusion(predicted: Classes, labels: Classes, n_classes: int) -> npt.NDArray[np.int64]:
    """Return how many samples of each class (row) were given each class (column), (K, K)."""
    cells = np.asarray(labels, np.int64) * n_classes + predicted
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def recalls(predicted: Classes, labels: Classes, n_classes: int) -> Real:
    """Return the share of each class's samples that were recognised, (..., K).

    NaN for a class without a sample.
    """
    one_hot = np.eye(n_classes, dtype=np.float64)[labels]
    with np.errstate(invalid="ignore"):
        return np.asarray(((predicted == labels) @ one_hot) / one_hot.sum(axis=0))


@dataclass(frozen=True, slots=True)
class Majority:
    """What always predicting the most frequent class gives.

    Attributes:
        label: The class, the first of several.
        accuracy: Its share of the samples.
        chance: 1/K for K classes.
    """

    label: int
    accuracy: float
    chance: float

    @property
    def notable(self) -> bool:
        """Return whether the class holds clearly more than its share.

        That is half as much again, or five points more, whichever is less.
        """
        return self.accuracy > min(1.5 * self.chance, self.chance + 0.05)


def majority(labels: Classes, n_classes: int, training: Classes | None = None) -> Majority:
    """Return the baseline that every classifier should beat.

    Args:
        labels: (N,), of the samples that are predicted.
        n_classes: K.
        training: Labels that the class is chosen by; ``None`` for the same samples.
    """
    known = np.bincount(labels if training is None else training, minlength=n_classes)
    label = int(known.argmax())
    return Majority(label, float((labels == label).mean()), 1 / n_classes)
