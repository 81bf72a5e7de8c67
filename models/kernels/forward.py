"""The way from samples to scores, compiled: of batches that are trained on, and of blocks measured.

``layered`` says how lanes lie, in panels.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array
from coarsefine.models.kernels import formulas
from coarsefine.models.kernels.compiling import Compiled
from coarsefine.models.kernels.tiles import copy, multiply

# Numbers that a sum of a tile takes at a time, and samples that are taken together: such a part of
# a panel stays in the nearest cache. The batch lies in blocks of so many columns, each one piece:
# whole rows would be on more pages than a processor knows by heart.
BLOCK = 240
# Numbers of a batch that the nearest cache holds beside weights.
NEAR = 8192
# Before activations are ones: the input that biases are multiplied with.
ONES = 16
# Columns of a layer's row in the table.
(
    N_IN,
    IN_OFFSET,
    IN_BLOCK,
    IN_STRIDE,
    IN_STEP,
    N_OUT,
    OUT_OFFSET,
    OUT_STRIDE,
    OUT_STEP,
    PANELS,
    PANELS_A_TRIAL,
    WEIGHTS,
    LANES,
    BIASED,
) = range(14)
N_COLUMNS = 14


class Batch(NamedTuple):
    """Some samples of ``x``: those in ``order`` from ``start`` on."""

    x: Array
    order: npt.NDArray[np.intp]
    start: int
    size: int


class Layers(NamedTuple):
    """Where layers are put, as ``layered.Cells`` has them, and how they are activated.

    Attributes:
        slopes: From ``first_slope`` on, a panel of the slope of leaky units.
    """

    values: Array
    deltas: Array
    slopes: Array
    first_slope: int
    activation: int


@Compiled
def put_scores(
    weights: Array, batch: Batch, layers: Layers, table: npt.NDArray[np.int64], panel: int
) -> None:
    """Put the samples and all layers but the last into ``values``, and the scores into ``deltas``.

    Args:
        weights: With biases, as ``layered.Learned`` has them.
        batch: What comes in.
        layers: Where it goes.
        table: (layers, ``N_COLUMNS``).
        panel: Lanes of a panel.
    """
    x, order, start, size = batch
    values, deltas, slopes, first_slope, activation = layers
    n_layers = table.shape[0]
    n_features = table[0, N_IN]
    for i in range(size):
        source = order[start + i] * n_features
        into = table[0, IN_OFFSET] + i * table[0, IN_STRIDE]
        for k in range(0, n_features, BLOCK):
            copy((values, into, 1), (x, source + k, 1), min(BLOCK, n_features - k))
            into += table[0, IN_BLOCK]
    for layer in range(n_layers):
        row = table[layer]
        n_in, offset, stride = row[N_IN], row[OUT_OFFSET], row[OUT_STRIDE]
        last = layer == n_layers - 1
        out = deltas if last else values
        n_blocks = -(-n_in // BLOCK)
        # Where the input is near anyway, weights are read one after another. Else some samples at a
        # time meet each part of the weights while both are near.
        n_parts, n_panels = -(-size // BLOCK) * n_blocks, row[PANELS]
        near = n_in * size <= NEAR
        for piece in range(n_parts * n_panels):
            part, q = piece // n_panels, piece % n_panels
            if near:
                q, part = piece // n_parts, piece % n_parts
            i, block = part // n_blocks * BLOCK, part % n_blocks
            n_rows, k = min(BLOCK, size - i), block * BLOCK
            left = row[IN_OFFSET] + block * row[IN_BLOCK] + i * row[IN_STRIDE]
            trial = q // row[PANELS_A_TRIAL]
            w = row[WEIGHTS] + q * (n_in + 1) * panel
            z = (out, offset + i * stride + q * panel, stride)
            multiply(
                (values, left + trial * row[IN_STEP], row[IN_STRIDE]),
                (weights, w + k * panel, panel),
                z,
                (n_rows, min(BLOCK, n_in - k), block),
            )
            if block < n_blocks - 1:
                continue
            b = (weights, w + n_in * panel, 0)
            slope = (slopes, first_slope, 0)
            if last:
                formulas.shifted((z, b), (n_rows, 1))
            elif activation == 0:
                formulas.relu((z, b), (n_rows, 1))
            elif activation == 1:
                formulas.leaky_relu((z, b, slope), (n_rows, 1))
            elif activation == 2:
                formulas.sigmoid((z, b), (n_rows, 1))
            elif activation == 3:
                formulas.tanh((z, b), (n_rows, 1))
            else:
                formulas.improved_sigmoid((z, b), (n_rows, 1))


@lru_cache(maxsize=4)
def scores_address(name: str) -> int:
    """Return where ``put_scores`` lies, for arrays of a type of this name and read-only samples."""
    numbers, order = np.empty(0, name), np.empty(0, np.int64)
    samples = np.empty(0, name)
    samples.flags.writeable = False
    batch, layers = Batch(samples, order, 0, 0), Layers(numbers, numbers, numbers, 0, 0)
    return put_scores.address(numbers, batch, layers, np.empty((0, N_COLUMNS), np.int64), 0)
