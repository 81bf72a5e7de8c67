"""Updates of T networks without hidden layers, compiled: no Python between two batches.

Weights are ``(D, P)``: a feature's weights of all trials and classes side by side, those of trial t
from ``t K`` on, and zeros up to whole vectors. A number of a sample then meets one contiguous row.

With samples ``x = c + p`` (``rows.SparseRows``), weights are kept as ``s (V + c uᵀ)``: s is the
trial's weight decay, and an update adds to V where p has numbers, and to u. Scores are
``s (z + (c·c + c·p) u + Vᵀ p)``, where ``z = Vᵀ c`` is carried along.

Whatever belongs to a trial is computed in an order that does not depend on the others.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.kernels.compiling import Compiled
from coarsefine.models.kernels.lanes import add_dot, add_outer
from coarsefine.models.kernels.rows import SparseRows
from coarsefine.models.kernels.softmax import exponentials_of, to_deltas

# What a running scale may fall to before it is multiplied in, as in ``SgdUpdater``.
_SMALLEST_SCALE = 1e-3


class Updates(NamedTuple):
    """What is done: an update per row of ``etas``, with batches of the samples in ``order``."""

    labels: Labels
    order: npt.NDArray[np.intp]
    batch_size: int
    etas: npt.NDArray[np.float64]
    strengths: npt.NDArray[np.float64]
    n_classes: int
    squared: bool
    biased: bool


class Lanes(NamedTuple):
    """Arrays to work in, made by whoever calls: (P,), the scores (B, P), exact scales (T,).

    Behind the scores is room for a vector.
    """

    scores: Array
    z: Array
    u: Array
    scales: Array
    over_scales: Array
    factors: Array
    exact_scales: npt.NDArray[np.float64]


# One function, flat arrays: each call and each array that is made or reshaped in it would take
# numba longer to compile than the loops themselves.
@Compiled
def descend(  # noqa: PLR0912
    V: Array, bias: Array, samples: SparseRows, updates: Updates, lanes: Lanes
) -> None:
    """Make updates of stochastic gradient descent.

    Args:
        V: (D, P) as a flat array, changed in place.
        bias: (P,), changed in place.
        samples: What is trained on.
        updates: What is done.
        lanes: Zeros, and ones in all scales.
    """
    pointers, columns, values, usual, crosses, square, centred = samples
    labels, order, batch_size, etas, strengths, n_classes, squared, biased = updates
    scores, z, u, scales, over_scales, factors, exact_scales = lanes
    D = usual.shape[0]
    P = bias.shape[0]
    n_trials = strengths.shape[0]
    for d in range(D):
        for j in range(P):
            z[j] += usual[d] * V[d * P + j]
    start = 0
    for update in range(etas.shape[0]):
        size = min(batch_size, order.shape[0] - start)
        for t in range(n_trials):
            factor = -etas[update, t] / size
            for j in range(t * n_classes, (t + 1) * n_classes):
                factors[j] = factor
        for i in range(size):
            sample = order[start + i]
            s = scores[i]
            known = square + crosses[sample]
            for j in range(P):
                s[j] = z[j] + known * u[j]
            add_dot(V, P, values, columns, pointers[sample], pointers[sample + 1], s)
            for j in range(P):
                s[j] = s[j] * scales[j] + bias[j]
            for t in range(n_trials):
                first = t * n_classes
                if squared:
                    s[first + labels[sample]] -= 1
                    continue
                exponentials_of(s, (first, n_classes))
                total = s[first]
                for j in range(first + 1, first + n_classes):
                    total += s[j]
                to_deltas(s, (first, n_classes), total, labels[sample], 1)
            for j in range(P):
                s[j] *= factors[j]
        for t in range(n_trials):
            exact_scales[t] *= 1 - 2 * etas[update, t] * strengths[t]
            if exact_scales[t] < _SMALLEST_SCALE:
                for j in range(t * n_classes, (t + 1) * n_classes):
                    z[j] *= exact_scales[t]
                    u[j] *= exact_scales[t]
                    for d in range(D):
                        V[d * P + j] *= exact_scales[t]
                exact_scales[t] = 1
            over_scale = 1 / exact_scales[t]
            for j in range(t * n_classes, (t + 1) * n_classes):
                scales[j] = exact_scales[t]
                over_scales[j] = over_scale
        for i in range(size):
            sample = order[start + i]
            s = scores[i]
            if biased:
                for j in range(P):
                    bias[j] += s[j]
            for j in range(P):
                s[j] *= over_scales[j]
            add_outer(V, P, values, columns, pointers[sample], pointers[sample + 1], s)
            if not centred:
                cross = crosses[sample]
                for j in range(P):
                    z[j] += cross * s[j]
                    u[j] += s[j]
        start += size
    for d in range(D):
        for j in range(P):
            V[d * P + j] = (V[d * P + j] + usual[d] * u[j]) * scales[j]


@Compiled
def put_sparse_scores(
    V: Array,
    z: Array,
    samples: SparseRows,
    order: npt.NDArray[np.intp],
    place: tuple[int, int],
    scores: Array,
) -> None:
    """Put the scores of samples into ``scores``, one row of P after another.

    Args:
        V: The weights, (D, P) as a flat array.
        z: The scores of a sample of usual values, (P,).
        samples: All there are.
        order: Those that are looked at.
        place: Where to start in ``order``, and how many to take.
        scores: A flat array.
    """
    start, size = place
    P = z.shape[0]
    for i in range(size):
        sample = order[start + i]
        s = scores[i * P : (i + 1) * P]
        s[:] = z
        first, last = samples.pointers[sample], samples.pointers[sample + 1]
        add_dot(V, P, samples.values, samples.columns, first, last, s)
