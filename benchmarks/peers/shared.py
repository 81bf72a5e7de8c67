"""What the peers have in common: arrays, first weights, η, batch orders."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.work import Task

# How many training samples the training accuracy is measured on.
TRAIN_SAMPLES = 5000
# Samples a block in evaluations.
BLOCK = 2048

# Of the improved sigmoid, momentum and Adam.
AMPLITUDE, SLOPE = 1.7159, 2 / 3
MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Floats = NDArray[np.float32]
Labels = NDArray[np.integer]


def arrays(task: Task) -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Return the samples in memory of one's own: training x and y, validation x and y."""
    data = task.data.open()
    return (
        np.array(data.x_train),
        np.array(data.y_train),
        np.array(data.x_validation),
        np.array(data.y_validation),
    )


def first_weights(task: Task) -> list[tuple[Floats, Floats]]:
    """Return (W, b) of each layer, W (out, in): Xavier's, as in ours."""
    rng = np.random.default_rng(task.seed)
    return [
        (
            (rng.standard_normal((fan_out, fan_in)) * fan_in**-0.5).astype(np.float32),
            np.zeros(fan_out, np.float32),
        )
        for fan_in, fan_out in pairwise(task.widths)
    ]


def learning_rates(task: Task, epoch: int) -> Floats:
    """Return η of the updates of an epoch, counted from 0."""
    n = task.updates_per_epoch
    position = np.arange(epoch * n, (epoch + 1) * n) / task.half_cycle
    height = 1 - np.abs(position % 2 - 1)
    return (task.eta_min + height * (task.eta_max - task.eta_min)).astype(np.float32)


def batches(task: Task, epoch: int) -> NDArray[np.int64]:
    """Return the samples of each batch of an epoch, (updates, batch size)."""
    order = np.random.default_rng((task.seed, epoch)).permutation(task.data.n_train)
    n = task.updates_per_epoch * task.batch_size
    return order[:n].reshape(-1, task.batch_size)


def watched(task: Task) -> NDArray[np.intp]:
    """Return the training samples that are measured."""
    n = task.data.n_train
    return np.linspace(0, n - 1, min(TRAIN_SAMPLES, n)).astype(np.intp)


def blocks(n_samples: int) -> Iterator[slice]:
    """Yield the parts that samples are measured in."""
    for start in range(0, n_samples, BLOCK):
        yield slice(start, min(start + BLOCK, n_samples))


def torch_settings(threads: int | None) -> Any:
    """Return PyTorch, with so many threads; ``None`` for one a core."""
    import torch

    from benchmarks.common import n_cores

    torch.set_num_threads(threads or n_cores())
    # Denormals slow a core down; JAX and OpenBLAS users get what they get, PyTorch can flush them.
    torch.set_flush_denormal(True)
    return torch
