"""The compiled kernel of networks of any depth, between NumPy arrays and numba."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, column
from coarsefine.models.kernels.codes import ACTIVATION_CODES, OPTIMIZER_CODES
from coarsefine.models.kernels.stretch import Stretch
from coarsefine.models.optimizers import n_slots
from coarsefine.models.specs import Hyperparameters, KernelName, NetworkSpec

# Weights and slots that stay near a core between two updates, in bytes; and up to which batch size
# that matters more than a batch that is fetched once for all trials.
_NEAR_BYTES = 2**20
_SMALL_BATCH = 16
# Means of gradients that are smaller count as 0. Where no sample moves a weight, they fall until
# they are denormal numbers, which take a core several times as long to divide.
_LEAST = {"float32": 2.0**-55, "float64": 2.0**-400}
_KEEPING_ALL: tuple[KernelName, ...] = ("dense-1", "dense-2")


def make_updates(stretch: Stretch) -> None:
    """Make one update per row of the learning rates."""
    parameters, spec = stretch.state.parameters, stretch.plan.training
    count = n_slots(spec.optimizer)
    # By parameter, weights before biases.
    slots = [stretch.state.optimizer[i::count] for i in range(count)]
    kept = [[*parameters.weights, *parameters.biases], *slots]
    n_trials = parameters.n_trials
    width = n_trials
    if spec.batch_size <= _SMALL_BATCH:
        # A trial has the same bits with any others, so they can be trained one after another.
        n_bytes = sum(array[0].nbytes for arrays in kept for array in arrays)
        width = max(1, min(n_trials, _NEAR_BYTES // n_bytes))
    if width == n_trials:
        _descend(stretch, kept)
        return
    for first in range(0, n_trials, width):
        these = slice(first, first + width)
        _descend(
            replace(stretch, trials=stretch.trials[these], etas=stretch.etas[:, these]),
            [[array[these] for array in arrays] for arrays in kept],
        )


def _descend(stretch: Stretch, kept: list[list[Array]]) -> None:
    """Make the updates of trials that are trained as one.

    Args:
        stretch: Theirs.
        kept: Weights and biases, and slots alike, changed in place.
    """
    from coarsefine.models.kernels import layered
    from coarsefine.models.kernels.forward import ONES, scores_address
    from coarsefine.models.kernels.lanes import PANEL_BYTES

    plan, n_trials = stretch.plan, len(stretch.trials)
    spec, network, dtype = plan.training, plan.network, plan.dtype
    panel = PANEL_BYTES // np.dtype(dtype).itemsize
    n_layers = len(network.widths) - 1
    table, n_cells = layout(network, n_trials, spec.batch_size, panel)
    packed = [in_panels(arrays, n_layers, panel) for arrays in kept]
    empty = np.empty(0, dtype)
    values, deltas = np.zeros((2, n_cells), dtype)
    values[:ONES] = 1
    numbers, trials = _numbers(stretch, table, panel)
    rates = _rates(stretch)
    layered.descend(
        layered.Learned(*packed, *[empty] * (3 - len(packed))),
        layered.Updates(
            x=flat_samples(stretch.x),
            # Copies, whose layout is always the same: numba compiles for each layout anew.
            labels=np.array(stretch.labels, np.int64, order="C"),
            order=np.array(stretch.order, np.int64, order="C"),
            batch_size=spec.batch_size,
            rates=rates,
            changed=np.concatenate(([True], (rates[1:] != rates[:-1]).any(axis=(1, 2)))),
            n_trials=n_trials,
            squared=network.loss == "squared-error",
            activation=ACTIVATION_CODES[network.activation],
            optimizer=OPTIMIZER_CODES[spec.optimizer],
        ),
        layered.Cells(
            values=values,
            deltas=deltas,
            gradient=np.empty(layered.ROWS * panel, dtype),
            turned=np.empty(_most_turned(network, panel), dtype),
            numbers=numbers.ravel(),
            trials=trials,
        ),
        table,
        panel,
        scores_address(spec.precision),
    )
    for flat, arrays in zip(packed, kept, strict=True):
        _unpack(flat, arrays, n_layers, panel)


def flat_samples(x: Array) -> Array:
    """Return samples, too many to be copied, in one layout: read-only, one after another."""
    made = x.reshape(-1).view(np.ndarray)
    made.flags.writeable = False
    return made


@lru_cache(maxsize=64)
def layout(
    network: NetworkSpec, n_trials: int, batch_size: int, panel: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Return where everything is, (layers, ``N_COLUMNS``), and how many cells there are."""
    from coarsefine.models.kernels import forward as of

    widths = network.widths
    table = np.zeros((len(widths) - 1, of.N_COLUMNS), np.int64)
    stride = _stride(min(widths[0], of.BLOCK), panel)
    offset, step, block = of.ONES, 0, batch_size * stride
    n_blocks = -(-widths[0] // of.BLOCK)
    weights = lanes = 0
    for layer, row in enumerate(table):
        n_in, n_out = widths[layer : layer + 2]
        row[of.N_IN], row[of.IN_OFFSET], row[of.IN_BLOCK] = n_in, offset, block
        row[of.IN_STRIDE], row[of.IN_STEP] = stride, step
        offset += batch_size * stride * n_blocks
        n_blocks, block = 1, of.BLOCK
        step = n_out if layer == 0 else _whole(n_out, panel)
        n_panels = _whole(n_trials * step, panel) // panel
        # Room for a last trial whose lanes are written as whole panels.
        stride = _stride((n_trials - 1) * step + _whole(n_out, panel), panel)
        stride = max(stride, _stride(n_panels * panel, panel))
        row[of.N_OUT], row[of.OUT_OFFSET] = n_out, offset
        row[of.OUT_STRIDE], row[of.OUT_STEP] = stride, step
        row[of.PANELS] = n_panels
        # All panels of the first layer have one input.
        row[of.PANELS_A_TRIAL] = n_panels if layer == 0 else step // panel
        row[of.WEIGHTS], row[of.LANES] = weights, lanes
        row[of.BIASED] = layer < network.n_biased
        weights += n_panels * (n_in + 1) * panel
        lanes += n_panels * panel
    return table, offset + batch_size * stride


def _whole(n: int, panel: int) -> int:
    return -(-n // panel) * panel


def _stride(width: int, panel: int) -> int:
    """Return how far rows are apart: an odd number of cache lines, so that all sets are used."""
    return (-(-width // panel) | 1) * panel


def _most_turned(network: NetworkSpec, panel: int) -> int:
    pairs = pairwise(network.widths[1:])
    return max((_whole(n_out, panel) * _whole(n_in, panel) for n_in, n_out in pairs), default=0)


def _numbers(
    stretch: Stretch, table: npt.NDArray[np.int64], panel: int
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return what lanes are changed with, by number and lane, and whose each lane is."""
    from coarsefine.models.kernels import layered as of
    from coarsefine.models.kernels.forward import OUT_STEP, PANELS

    plan, trials = stretch.plan, stretch.trials
    owners = []
    for row in table:
        lanes = np.arange(row[PANELS] * panel) // row[OUT_STEP]
        owners.append(np.minimum(lanes, len(trials) - 1))
    owner = np.concatenate(owners)
    values = np.zeros((of.N_NUMBERS, len(trials)))
    values[of.PENALTY] = 2 * column(trials, "l2_strength")
    values[of.ALL_ONES] = 1
    values[of.SLOPE] = plan.network.slope
    values[of.LEAST] = 0.0 if plan.kernel in _KEEPING_ALL else _LEAST[plan.training.precision]
    if plan.training.optimizer in ("adam", "adamw"):
        values[of.BETA1], values[of.BETA2] = column(trials, "beta1"), column(trials, "beta2")
        values[of.REST1], values[of.REST2] = 1 - values[of.BETA1], 1 - values[of.BETA2]
    else:
        values[of.BETA1] = column(trials, "momentum")
    return values.astype(plan.dtype)[:, owner], owner


def _rates(stretch: Stretch) -> Array:
    """Return the numbers that change with updates, (n, 3, T)."""
    optimizer, trials, etas = stretch.plan.training.optimizer, stretch.trials, stretch.etas
    rates = np.ones((len(etas), 3, len(trials)))
    rates[:, 0] = etas
    if optimizer == "sgd":
        rates[:, 1] = 1 - 2 * etas * column(trials, "l2_strength")
    if optimizer == "adamw":
        rates[:, 1] = 1 - etas * column(trials, "decoupled_decay")
    if optimizer in ("adam", "adamw"):
        first, second = (
            _corrections(trials, name, stretch.state.step, len(etas)) for name in ("beta1", "beta2")
        )
        rates[:, 0] /= first
        rates[:, 2] = 1 / second
    return rates.astype(stretch.plan.dtype)


def _corrections(
    trials: Sequence[Hyperparameters], name: str, n_done: int, n: int
) -> npt.NDArray[np.float64]:
    """Return how far Adam's means are from what they estimate, (n, T)."""
    betas = column(trials, name).tolist()
    # The powers are Python's, as in the reference.
    steps = range(n_done + 1, n_done + n + 1)
    return np.array([[1 - beta**step for beta in betas] for step in steps])


def in_panels(arrays: Sequence[Array], n_layers: int, panel: int) -> Array:
    """Return parameters, or their slots, as panels one after another, their biases last."""
    parts = []
    for layer, weights in enumerate(arrays[:n_layers]):
        n_trials, n_out, n_in = weights.shape
        rows = np.zeros((n_trials, n_out, n_in + 1), weights.dtype)
        rows[:, :, :n_in] = weights
        if n_layers + layer < len(arrays):
            rows[:, :, n_in] = arrays[n_layers + layer]
        lanes = _lanes(rows, layer, panel)
        parts.append(lanes.reshape(-1, panel, n_in + 1).transpose(0, 2, 1).ravel())
    return np.concatenate(parts)


def _lanes(rows: Array, layer: int, panel: int) -> Array:
    """Return (T, out, in + 1) as (lanes, in + 1), with zeros where a lane is nobody's."""
    n_trials, n_out, n_in = rows.shape
    if layer == 0:
        rows = rows.reshape(1, n_trials * n_out, n_in)
    n = rows.shape[1]
    whole = np.zeros((len(rows), _whole(n, panel), n_in), rows.dtype)
    whole[:, :n] = rows
    return whole.reshape(-1, n_in)


def _unpack(flat: Array, arrays: Sequence[Array], n_layers: int, panel: int) -> None:
    """Set parameters, or their slots, to what ``in_panels`` made of them."""
    start = 0
    for layer, weights in enumerate(arrays[:n_layers]):
        n_trials, n_out, n_in = weights.shape
        groups, n = (1, n_trials * n_out) if layer == 0 else (n_trials, n_out)
        width = _whole(n, panel)
        stop = start + groups * width * (n_in + 1)
        panels = flat[start:stop].reshape(-1, n_in + 1, panel)
        lanes = panels.transpose(0, 2, 1).reshape(groups, width, n_in + 1)[:, :n]
        rows = lanes.reshape(n_trials, n_out, n_in + 1)
        weights[...] = rows[:, :, :n_in]
        if n_layers + layer < len(arrays):
            arrays[n_layers + layer][...] = rows[:, :, n_in]
        start = stop
