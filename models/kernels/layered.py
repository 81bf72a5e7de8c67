"""Updates of T networks with hidden layers, compiled: no Python between two batches.

The lanes of a layer are the units of all trials. Those of the first layer lie side by side, unit h
of trial t at ``t H + h``, because all trials see one batch; above, each trial begins with a panel
of its own. A panel's weights are one piece, a row for each input and last the biases; so are its
optimizer's slots. Gradients are made for a few rows of a panel at a time and used at once: there is
no array of them.

Activations of all layers, the batch below them, are in one flat array, and deltas in another at
the same places. Whatever belongs to a trial is computed in an order that does not depend on the
others.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.kernels import formulas
from coarsefine.models.kernels.compiling import Compiled
from coarsefine.models.kernels.forward import (
    BIASED,
    BLOCK,
    IN_BLOCK,
    IN_OFFSET,
    IN_STEP,
    IN_STRIDE,
    LANES,
    N_IN,
    N_OUT,
    NEAR,
    OUT_OFFSET,
    OUT_STEP,
    OUT_STRIDE,
    PANELS,
    PANELS_A_TRIAL,
    WEIGHTS,
    Batch,
    Layers,
)
from coarsefine.models.kernels.lanes import call_at
from coarsefine.models.kernels.softmax import exponentials_of, to_deltas
from coarsefine.models.kernels.tiles import (
    multiply,
    multiply_transposed,
    prefetch,
    step_transposed,
    turn,
)

# Rows of a panel whose gradients are made at a time; a block has a whole number of them.
ROWS = 48
# Rows of what lanes are changed with. The first three may change with each update.
RATE, KEPT, OVER_CORRECTION, PENALTY, BETA1, REST1, BETA2, REST2, ZEROS, ALL_ONES = range(10)
SLOPE, LEAST = 10, 11
N_NUMBERS = 12
N_CHANGING = 3


class Learned(NamedTuple):
    """Weights with biases, and their slots, alike; empty where an optimizer has none."""

    weights: Array
    first: Array
    second: Array


class Updates(NamedTuple):
    """What is done: an update per row of ``rates``, with batches of the samples in ``order``.

    Attributes:
        rates: (n, 3, T), the numbers that change with updates.
        changed: (n,), whether they are others than before.
    """

    x: Array
    labels: Labels
    order: npt.NDArray[np.intp]
    batch_size: int
    rates: Array
    changed: npt.NDArray[np.bool_]
    n_trials: int
    squared: bool
    activation: int
    optimizer: int


class Cells(NamedTuple):
    """Arrays to work in, made by whoever calls.

    Attributes:
        values: Ones, the batch, activations.
        deltas: As long.
        gradient: (ROWS, panel).
        turned: A trial's weights of a layer, inputs side by side.
        numbers: (``N_NUMBERS``, lanes of all layers).
        trials: Whose each lane is.
    """

    values: Array
    deltas: Array
    gradient: Array
    turned: Array
    numbers: Array
    trials: npt.NDArray[np.int64]


# One function, flat arrays, as few places as can be from which tiles are called: each takes numba
# and LLVM longer than the loops around it.
@Compiled
def descend(  # noqa: PLR0912, PLR0915
    learned: Learned,
    updates: Updates,
    cells: Cells,
    table: npt.NDArray[np.int64],
    panel: int,
    scores_at: int,
) -> None:
    """Make updates.

    Args:
        learned: Changed in place.
        updates: What is done.
        cells: Zeros in values (after the ones) and in deltas.
        table: (layers, ``N_COLUMNS``).
        panel: Lanes of a panel.
        scores_at: ``scores_address``.
    """
    weights, slots, more_slots = learned
    x, labels, order, batch_size, rates, changed, n_trials = updates[:7]
    squared, activation, optimizer = updates[7:]
    values, deltas, gradient, turned, numbers, trials = cells
    n_lanes = trials.shape[0]
    n_layers = table.shape[0]
    n_features = table[0, N_IN]
    start = 0
    for update in range(rates.shape[0]):
        size = min(batch_size, order.shape[0] - start)
        if changed[update]:
            for c in range(N_CHANGING):
                for j in range(n_lanes):
                    numbers[c * n_lanes + j] = rates[update, c, trials[j]]
        layers = Layers(values, deltas, numbers, SLOPE * n_lanes, activation)
        call_at(scores_at, (weights, Batch(x, order, start, size), layers, table, panel))
        row = table[n_layers - 1]
        n_classes, step = row[N_OUT], row[OUT_STEP]
        for i in range(size):
            s = row[OUT_OFFSET] + i * row[OUT_STRIDE]
            label = labels[order[start + i]]
            for t in range(n_trials):
                first = s + t * step
                if squared:
                    deltas[first + label] -= 1
                    for j in range(first, first + n_classes):
                        deltas[j] /= size
                    continue
                exponentials_of(deltas, (first, n_classes))
                total = deltas[first]
                for j in range(first + 1, first + n_classes):
                    total += deltas[j]
                to_deltas(deltas, (first, n_classes), total, label, size)
        for layer in range(n_layers - 1, -1, -1):
            row = table[layer]
            n_in, n_out, stride, step = row[N_IN], row[N_OUT], row[IN_STRIDE], row[IN_STEP]
            if layer > 0:
                below = table[layer - 1]
                padded = -(-n_in // panel) * panel
                for t in range(n_trials):
                    w = row[WEIGHTS] + t * row[PANELS_A_TRIAL] * (n_in + 1) * panel
                    for p in range(row[PANELS_A_TRIAL]):
                        lanes = (weights, w + p * (n_in + 1) * panel, panel)
                        turn((turned, p * panel * padded, padded), lanes, n_in)
                    for p in range(0, padded, panel):
                        # What lies beyond a trial's own lanes is the next one's, and comes next.
                        multiply(
                            (deltas, row[OUT_OFFSET] + t * row[OUT_STEP], row[OUT_STRIDE]),
                            (turned, p, padded),
                            (deltas, row[IN_OFFSET] + t * step + p, stride),
                            (size, n_out, 0),
                        )
                vectors = below[PANELS]
                delta = (deltas, row[IN_OFFSET], stride)
                a = (values, row[IN_OFFSET], stride)
                slope = (numbers, SLOPE * n_lanes, 0)
                if activation == 0:
                    formulas.relu_backward((delta, a), (size, vectors))
                elif activation == 1:
                    slope = (numbers, SLOPE * n_lanes + below[LANES], 0)
                    formulas.leaky_relu_backward((delta, a, slope), (size, vectors))
                elif activation == 2:
                    formulas.sigmoid_backward((delta, a), (size, vectors))
                elif activation == 3:
                    formulas.tanh_backward((delta, a), (size, vectors))
                else:
                    formulas.improved_sigmoid_backward((delta, a), (size, vectors))
            # A gradient of one sample is made where it is used.
            most = ROWS
            if size == 1:
                # Whole panels, where inputs lie side by side.
                most = n_in if row[IN_BLOCK] == BLOCK else BLOCK
            n_blocks, n_panels = -(-n_in // most), row[PANELS]
            n_parts = n_blocks + row[BIASED]
            near = n_in * size <= NEAR
            for piece in range(n_parts * n_panels):
                block, q = piece // n_panels, piece % n_panels
                if near:
                    q, block = piece // n_parts, piece % n_parts
                of_biases = block == n_blocks
                d = n_in if of_biases else block * most
                n_rows = 1 if of_biases else min(most, n_in - d)
                if layer == 0 and not of_biases:
                    # A part of the next batch, which is scattered over the memory.
                    n_next = min(batch_size, order.shape[0] - start - size)
                    for i in range(n_next * q // row[PANELS], n_next * (q + 1) // row[PANELS]):
                        source = order[start + size + i] * n_features + d
                        prefetch((x, source, panel), -(-n_rows // panel))
                trial = q // row[PANELS_A_TRIAL]
                at = row[WEIGHTS] + (q * (n_in + 1) + d) * panel
                left = row[IN_OFFSET] + d // BLOCK * row[IN_BLOCK] + d % BLOCK + trial * step
                right = row[OUT_OFFSET] + q * panel
                lane = row[LANES] + q * panel
                rate = (numbers, RATE * n_lanes + lane, 0)
                kept = (numbers, (ALL_ONES if of_biases else KEPT) * n_lanes + lane, 0)
                if optimizer == 0 and 1 < size <= BLOCK:
                    # The gradient need not leave the registers.
                    step_transposed(
                        (values, 0 if of_biases else left, 0 if of_biases else stride),
                        (deltas, right, row[OUT_STRIDE]),
                        (weights, at, panel),
                        rate,
                        kept,
                        (n_rows, size),
                    )
                    continue
                for i in range(0, 0 if size == 1 else size, BLOCK):
                    multiply_transposed(
                        (
                            values,
                            0 if of_biases else left + i * stride,
                            0 if of_biases else stride,
                        ),
                        (deltas, right + i * row[OUT_STRIDE], row[OUT_STRIDE]),
                        (gradient, 0, panel),
                        (n_rows, min(BLOCK, size - i), 1 if i > 0 else 0),
                    )
                # Rows are multiplied with ones, or the row of deltas with the input.
                ones, g = (values, 0, 0), (gradient, 0, panel)
                if size == 1:
                    ones, g = (values, 0 if of_biases else left, 1), (deltas, right, 0)
                w, v = (weights, at, panel), (slots, at, panel)
                penalty = (numbers, (ZEROS if of_biases else PENALTY) * n_lanes + lane, 0)
                mu = (numbers, BETA1 * n_lanes + lane, 0)
                least = (numbers, LEAST * n_lanes + lane, 0)
                if optimizer == 0:
                    formulas.sgd((w, ones, g, rate, kept), (n_rows, 1))
                elif optimizer == 1:
                    formulas.momentum((w, v, ones, g, rate, penalty, mu), (n_rows, 1))
                elif optimizer == 2:
                    formulas.nesterov((w, v, ones, g, rate, penalty, mu), (n_rows, 1))
                elif optimizer == 3:
                    formulas.rmsprop((w, v, ones, g, rate, penalty, least), (n_rows, 1))
                else:
                    formulas.adam(
                        (
                            w,
                            v,
                            (more_slots, at, panel),
                            ones,
                            g,
                            penalty,
                            rate,
                            kept,
                            (numbers, OVER_CORRECTION * n_lanes + lane, 0),
                            mu,
                            (numbers, REST1 * n_lanes + lane, 0),
                            (numbers, BETA2 * n_lanes + lane, 0),
                            (numbers, REST2 * n_lanes + lane, 0),
                            least,
                        ),
                        (n_rows, 1),
                    )
        start += size
