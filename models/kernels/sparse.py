"""The compiled kernel of sparse samples without hidden layers, between NumPy and numba."""

import numpy as np

from coarsefine.models.arrays import Array, column
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.kernels.rows import SparseRows, sparse_rows
from coarsefine.models.kernels.stretch import Stretch
from coarsefine.models.specs import KernelName

# Numbers in whole vectors of 32 bytes, in either precision.
LANES = 8
# Kernels to which a value is usual that half of a column has.
_OF_HALF: tuple[KernelName, ...] = ("sparse-1", "sparse-2")


def make_updates(stretch: Stretch) -> None:
    """Make one update per row of the learning rates."""
    from coarsefine.models.kernels import linear

    plan, parameters = stretch.plan, stretch.state.parameters
    spec, network, dtype = plan.training, plan.network, plan.dtype
    weights = packed(parameters.weights[0])
    width = weights.shape[1]
    biased = bool(parameters.biases)
    bias = np.zeros(width, dtype)
    used = parameters.n_trials * network.n_classes
    if biased:
        bias[:used] = parameters.biases[0].ravel()
    updates = linear.Updates(
        # Copies, whose layout is always the same: numba compiles for each layout anew.
        labels=np.array(stretch.labels, np.int64, order="C"),
        order=np.array(stretch.order, np.int64, order="C"),
        batch_size=spec.batch_size,
        etas=np.array(stretch.etas, np.float64, order="C"),
        strengths=column(stretch.trials, "l2_strength"),
        n_classes=network.n_classes,
        squared=network.loss == "squared-error",
        biased=biased,
    )
    scores = np.zeros(spec.batch_size * width + 2 * LANES, dtype)[: -2 * LANES]
    lanes = linear.Lanes(
        scores=scores.reshape(spec.batch_size, width),
        z=np.zeros(width, dtype),
        u=np.zeros(width, dtype),
        scales=np.ones(width, dtype),
        over_scales=np.ones(width, dtype),
        factors=np.zeros(width, dtype),
        exact_scales=np.ones(parameters.n_trials),
    )
    linear.descend(weights.ravel(), bias, rows_for(plan, stretch.x), updates, lanes)
    unpack(weights, parameters.weights[0])
    if biased:
        parameters.biases[0][...] = bias[:used].reshape(parameters.biases[0].shape)


def rows_for(plan: CohortPlan, x: Array) -> SparseRows:
    """Return samples as the plan's kernel takes them."""
    return sparse_rows(x, of_half=plan.kernel in _OF_HALF)


def packed(weights: Array) -> Array:
    """Return weights (T, K, D) as (D, P), with zeros from T K to whole vectors."""
    n_trials, n_classes, n_features = weights.shape
    n = n_trials * n_classes
    out = np.zeros((n_features, -(-n // LANES) * LANES), weights.dtype)
    out[:, :n] = weights.reshape(n, n_features).T
    return out


def unpack(packed_weights: Array, weights: Array) -> None:
    """Set weights (T, K, D) to what ``packed`` made of them."""
    n = weights.shape[0] * weights.shape[1]
    weights.reshape(n, -1)[...] = packed_weights[:, :n].T
