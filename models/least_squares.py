"""What a linear network can reach at all, and how large its learning rate may be.

Both without training: figures to check a training against.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.network import Parameters
from coarsefine.models.training import Samples

Matrix = npt.NDArray[np.float64]

# Bytes of a block of samples in float64, of those that are read again and again.
_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, eq=False, slots=True)
class LeastSquares:
    """The linear network with the lowest cost ``½ ‖scores − one_hot‖² + λ Σ W²`` (loss as a mean).

    Attributes:
        parameters: Its weights and biases, T = 1, in float64. Where several networks have the
            lowest cost, because features are constant or follow from others, those with the
            smallest weights.
        rank: Of the training samples (with a constant 1 where there is a bias).
        train_loss: Mean over all training samples.
        train_cost: Loss plus penalty: no training of a linear network gets below it.
        train_accuracy: In [0, 1].
        validation_loss: Mean over the validation split.
        validation_accuracy: In [0, 1].
    """

    parameters: Parameters
    rank: int
    train_loss: float
    train_cost: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


def least_squares(
    data: Samples, n_classes: int, *, bias: bool = True, l2_strength: float = 0.0
) -> LeastSquares:
    """Return the optimum of linear regression on one-hot targets, exact to rounding.

    Samples are turned into a triangle by QR, block by block, and the triangle is solved by its
    singular values: the normal equations would square the ratio of the largest to the smallest,
    and pixels that are 0 in every image have no smallest.

    Args:
        data: Trained on and validated with; of any size that fits on disk.
        n_classes: K.
        bias: Whether there is one; it is not penalised.
        l2_strength: λ.
    """
    x, labels = data.x_train, data.y_train
    n_samples, n_features = x.shape
    n_columns = n_features + bias
    triangle = _triangle(x, labels, n_classes, bias=bias)
    rows, targets = triangle[:, :n_columns], triangle[:, n_columns:]
    # What rounding the samples could make of a feature that follows from others is 0, too.
    tolerance = max(
        np.finfo(np.float64).eps * max(n_samples, n_columns), float(np.finfo(x.dtype).eps)
    )
    if l2_strength > 0:
        # N times the cost is ½ ‖X W − Y‖² + N λ ‖W‖²: as if there were samples √(2 N λ) eₖ, of 0.
        penalised = np.eye(n_features, n_columns) * math.sqrt(2 * n_samples * l2_strength)
        rows = np.concatenate([rows, penalised])
        targets = np.concatenate([targets, np.zeros((n_features, n_classes))])
    solution, _, rank, _ = np.linalg.lstsq(rows, targets, rcond=tolerance)
    weights = np.ascontiguousarray(solution[:n_features].T)
    offsets = np.asarray(solution[n_features] if bias else np.zeros(n_classes), np.float64)
    train_loss, train_accuracy = _measured(weights, offsets, x, labels)
    validation = _measured(weights, offsets, data.x_validation, data.y_validation)
    return LeastSquares(
        parameters=Parameters([weights[None]], [offsets[None]] if bias else []),
        rank=int(rank),
        train_loss=train_loss,
        train_cost=train_loss + l2_strength * float(np.square(weights).sum()),
        train_accuracy=train_accuracy,
        validation_loss=validation[0],
        validation_accuracy=validation[1],
    )


def largest_eigenvalue(
    x: Array, *, bias: bool = False, tolerance: float = 1e-10, most: int = 1000
) -> float:
    """Return the largest eigenvalue of ``XᵀX / N``, from below, by power iteration.

    Args:
        x: (N, D), of any precision; read in blocks, so that it may be mapped from a file.
        bias: Whether X has a constant 1 as another column.
        tolerance: Stop when an iteration raises the estimate by no more than this part of it.
        most: Iterations at the most.
    """
    n_samples, n_features = x.shape
    # The same start each time, and in the direction of no feature in particular.
    direction = np.random.default_rng(0).standard_normal(n_features + bias)
    estimate = 0.0
    for _ in range(most):
        direction /= np.linalg.norm(direction)
        image = np.zeros_like(direction)
        squares = 0.0
        for block in _blocks(x, bias=bias):
            scores = block @ direction
            squares += float(scores @ scores)
            image += scores @ block
        before, estimate = estimate, squares / n_samples
        if estimate - before <= tolerance * estimate:
            break
        direction = image
    return estimate


def stable_learning_rate(eigenvalue: float, loss: str, l2_strength: float = 0.0) -> float:
    """Return the η up to which gradient descent on all samples goes down, for a linear network.

    It is 2 over the largest curvature of the cost. With squared error that is ``λ_max + 2 λ``
    everywhere, and any larger η diverges. With cross-entropy it is at most ``½ λ_max + 2 λ``
    (Böhning, Multinomial Logistic Regression Algorithm, 1992: the Hessian of a sample by its scores
    is at most ½ (I − 11ᵀ/K)), so that a larger η may go down, too. Mini-batches curve more than
    the mean of all samples, and want less.

    Args:
        eigenvalue: λ_max of ``XᵀX / N``, with the constant of a bias in X.
        loss: ``squared-error`` or ``cross-entropy``.
        l2_strength: λ of the penalty ``λ Σ W²``.
    """
    curvature = eigenvalue * (1.0 if loss == "squared-error" else 0.5) + 2 * l2_strength
    return 2 / curvature if curvature > 0 else math.inf


def _triangle(x: Array, labels: Labels, n_classes: int, *, bias: bool) -> Matrix:
    """Return R of the QR decomposition of samples, constant and one-hot targets side by side."""
    n_features = x.shape[1]
    n_columns = n_features + bias + n_classes
    one_hot = np.eye(n_classes)
    triangle: Matrix = np.empty((0, n_columns))
    # As many rows as the triangle has, times some: each block is decomposed together with it.
    n_rows = max(1024, 4 * n_columns)
    for start in range(0, len(labels), n_rows):
        part = slice(start, start + n_rows)
        block = np.empty((len(labels[part]), n_columns))
        block[:, :n_features] = x[part]
        block[:, n_features : n_features + bias] = 1
        block[:, n_features + bias :] = one_hot[labels[part]]
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, block]), mode="r"))
    return triangle


def _measured(weights: Matrix, offsets: Matrix, x: Array, labels: Labels) -> tuple[float, float]:
    """Return loss and accuracy."""
    loss, n_right, start = 0.0, 0, 0
    for block in _blocks(x, bias=False):
        of_block = labels[start : start + len(block)]
        scores = block @ weights.T + offsets
        n_right += int(np.count_nonzero(scores.argmax(axis=1) == of_block))
        scores[np.arange(len(block)), of_block] -= 1
        loss += 0.5 * float(np.square(scores).sum())
        start += len(block)
    return loss / len(labels), n_right / len(labels)


def _blocks(x: Array, *, bias: bool) -> Iterator[Matrix]:
    """Yield the samples in float64, some at a time, with a constant 1 where there is a bias.

    What is yielded is overwritten by the next one.
    """
    n_samples, n_features = x.shape
    n_rows = max(1, _BLOCK_BYTES // (8 * (n_features + bias)))
    block = np.ones((min(n_rows, n_samples), n_features + bias))
    for start in range(0, n_samples, n_rows):
        part = x[start : start + n_rows]
        block[: len(part), :n_features] = part
        yield block[: len(part)]
