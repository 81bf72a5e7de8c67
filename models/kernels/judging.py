"""Loss and hits of scores, compiled: both kernels measure with it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.kernels.compiling import Compiled
from coarsefine.models.kernels.forward import (
    N_OUT,
    OUT_OFFSET,
    OUT_STEP,
    OUT_STRIDE,
    Batch,
    Layers,
)
from coarsefine.models.kernels.lanes import call_at
from coarsefine.models.kernels.linear import put_sparse_scores
from coarsefine.models.kernels.rows import SparseRows
from coarsefine.models.kernels.softmax import exponentials_of

# Samples a block: whole tiles, and few enough for a block of the input to stay near a core.
MEASURED = 96


class Scores(NamedTuple):
    """Scores of some samples: class k of trial t in sample i is ``offset + i stride + t step + k``.

    Attributes:
        flat: Overwritten. A vector that begins at a score ends within it.
    """

    flat: Array
    offset: int
    stride: int
    step: int
    n_classes: int


class Sums(NamedTuple):
    """What is measured, and where it is added to or filled in.

    Attributes:
        labels: Of all samples.
        order: Those that are measured.
        squared: Whether the loss is the squared error; else it is the cross-entropy.
        loss: (T,), summed over the samples.
        n_right: (T,).
        predicted: (T, N), the first class with the highest score; (T, 0) if it is not wanted.
        losses: (T, N), likewise.
    """

    labels: Labels
    order: npt.NDArray[np.intp]
    squared: bool
    loss: npt.NDArray[np.float64]
    n_right: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.uint16]
    losses: npt.NDArray[np.float32]


@Compiled
def judge(scores: Scores, place: tuple[int, int], sums: Sums) -> None:
    """Add what trials make of some samples.

    Args:
        scores: Of these samples.
        place: Where in ``sums.order`` they begin, and how many they are.
        sums: Where it goes.
    """
    flat, offset, stride, step, n_classes = scores
    labels, order, squared, loss, n_right, predicted, losses = sums
    start, size = place
    n_trials = loss.shape[0]
    for i in range(size):
        label = labels[order[start + i]]
        for t in range(n_trials):
            first = offset + i * stride + t * step
            of_label = flat[first + label]
            total = 0.0
            if squared:
                highest = flat[first]
                for k in range(first + 1, first + n_classes):
                    highest = max(highest, flat[k])
                best = n_classes - 1
                # Without branches: which class is the highest cannot be foreseen.
                for k in range(n_classes - 1, -1, -1):
                    best = k if flat[first + k] == highest else best
                flat[first + label] -= 1
                for k in range(first, first + n_classes):
                    total += flat[k] * flat[k]
                total = total / 2
            else:
                highest, best = exponentials_of(flat, (first, n_classes))
                for k in range(first, first + n_classes):
                    total += flat[k]
                total = np.log(total) - (of_label - highest)
            loss[t] += total
            n_right[t] += best == label
            if predicted.shape[1] > 0:
                predicted[t, start + i] = best
            if losses.shape[1] > 0:
                losses[t, start + i] = total


_judge, _put_sparse_scores = judge.dispatcher, put_sparse_scores.dispatcher


@Compiled
def measure(
    weights: Array,
    x: Array,
    layers: Layers,
    table: npt.NDArray[np.int64],
    panel: int,
    scores_at: int,
    sums: Sums,
) -> None:
    """Measure networks with hidden layers.

    Arguments are those of ``put_scores``, for ``MEASURED`` samples, and ``scores_address``.
    """
    row = table[table.shape[0] - 1]
    n = sums.order.shape[0]
    for start in range(0, n, MEASURED):
        size = min(MEASURED, n - start)
        batch = Batch(x, sums.order, start, size)
        call_at(scores_at, (weights, batch, layers, table, panel))
        scores = Scores(layers.deltas, row[OUT_OFFSET], row[OUT_STRIDE], row[OUT_STEP], row[N_OUT])
        _judge(scores, (start, size), sums)


@Compiled
def measure_sparse(
    V: Array, bias: Array, samples: SparseRows, cells: Array, n_classes: int, sums: Sums
) -> None:
    """Measure networks without hidden layers.

    ``cells`` has room for ``MEASURED`` rows of scores, and a vector more.
    """
    P = bias.shape[0]
    z = bias.copy()
    for d in range(samples.usual.shape[0]):
        for j in range(P):
            z[j] += samples.usual[d] * V[d * P + j]
    n = sums.order.shape[0]
    for start in range(0, n, MEASURED):
        size = min(MEASURED, n - start)
        _put_sparse_scores(V, z, samples, sums.order, (start, size), cells)
        _judge(Scores(cells, 0, P, n_classes, n_classes), (start, size), sums)
