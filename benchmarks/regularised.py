"""What dropout and batch normalisation cost: cohorts with and without, beside PyTorch and JAX.

Updates of 3072-50-50-10 at batch size 100, eight trials and one, on one core, in processor time:
the machine may be busy. Batches are gathered by everyone; nothing is measured in between. Each peer
trains its trials as one: PyTorch by ``torch.func`` (as it is, and compiled), JAX by ``vmap`` in a
``scan`` over the updates.
"""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Any, Final

import numpy as np

from benchmarks.common import Options, Spread, Table, interleaved, log, main, verdict
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.models.training import train

WIDTHS: Final = (3072, 50, 50, 10)
BATCH: Final = 100
UPDATES: Final = 100
RATE: Final = 0.2
ETA: Final = 0.01
TARGET: Final = 1.3

Step = Callable[[], float]
Array = np.ndarray[Any, Any]


class Samples:
    """Made-up samples: what an update costs does not depend on what is learnt."""

    sample_shape = (3, 32, 32)

    def __init__(self, n_train: int) -> None:
        rng = np.random.default_rng(0)
        self.x_train = rng.standard_normal((n_train, WIDTHS[0])).astype(np.float32)
        self.y_train = rng.integers(0, WIDTHS[-1], n_train)
        self.x_validation, self.y_validation = self.x_train[:100], self.y_train[:100]

    def open(self) -> "Samples":
        """Return itself."""
        return self


def run(options: Options) -> list[Table]:
    """Return the table."""
    data = Samples(UPDATES * BATCH)
    table = Table(
        f"{'-'.join(map(str, WIDTHS))}, batch {BATCH}: µs of processor time a trial and update",
        ("trials", "how", "without", f"batch normalisation, dropout {RATE}", "ratio"),
    )
    for n_trials in (8, 1):
        sides = {"ours": (ours(data, n_trials, False), ours(data, n_trials, True))}
        sides |= _peers(data, n_trials)
        log(f"regularised: warming up {n_trials}")
        steps = {f"{name} {i}": step for name, pair in sides.items() for i, step in enumerate(pair)}
        interleaved(steps, 1)
        seconds = interleaved(steps, options.rounds or 7)
        scale = 1e6 / (n_trials * UPDATES)
        own = median(seconds["ours 1"])
        for name in sides:
            plain, both = seconds[f"{name} 0"], seconds[f"{name} 1"]
            ratio = Spread(tuple(b / a for a, b in zip(plain, both, strict=True)))
            shown = [str(Spread(tuple(scale * s for s in each))) for each in (plain, both)]
            table.rows.append((str(n_trials), name, *shown, str(ratio)))
            if name == "ours":
                table.notes.append(
                    f"{n_trials} trials: {ratio.median:.2f} times an update without "
                    f"(target ≤ {TARGET}: {verdict(ratio.median, at_most=TARGET)})"
                )
            else:
                table.notes.append(
                    f"{n_trials} trials: {name} takes {median(both) / own:.2f} times as long"
                )
    return [table]


def ours(data: Samples, n_trials: int, both: bool) -> Step:
    """Return the updates of a cohort, as the trainer times them without what it measures."""
    network = NetworkSpec(WIDTHS[0], WIDTHS[1:-1], WIDTHS[-1], batch_norm=both)
    trial = Hyperparameters(learning_rate=ETA, dropout=RATE if both else 0.0)
    trials = tuple(replace(trial, l2_strength=1e-4 * (i + 1)) for i in range(n_trials))
    # The epoch is not the last, at whose end all samples would be looked at.
    spec = TrainingSpec(BATCH, 2 * UPDATES, schedule="constant", train_samples=BATCH)
    plan = CohortPlan(network, spec, trials, seed=0)
    state = initial_state(plan)

    def step() -> float:
        with limited_blas(1):
            started = time.process_time()
            train(plan, state, data, 1)
            return time.process_time() - started

    return step


def _peers(data: Samples, n_trials: int) -> dict[str, tuple[Step, Step]]:
    sides: dict[str, tuple[Step, Step]] = {}
    if importlib.util.find_spec("torch"):
        for compiled, name in ((False, "torch.func vmap"), (True, "torch.func vmap, compiled")):
            sides[name] = (
                torch_vmap(data, n_trials, False, compiled),
                torch_vmap(data, n_trials, True, compiled),
            )
    if importlib.util.find_spec("jax"):
        sides["JAX vmap and scan"] = (
            jax_scan(data, n_trials, False),
            jax_scan(data, n_trials, True),
        )
    return sides


def first_parameters(n_trials: int, both: bool) -> list[Array]:
    """Return W, b and where normalised γ, β of each layer, with a trial each."""
    rng = np.random.default_rng(0)
    found: list[Array] = []
    for layer, (fan_in, fan_out) in enumerate(pairwise(WIDTHS)):
        weights = rng.standard_normal((fan_out, fan_in)) / np.sqrt(fan_in)
        each = [weights, np.zeros(fan_out)]
        if both and layer < len(WIDTHS) - 2:
            each += [np.ones(fan_out), np.zeros(fan_out)]
        found += [np.repeat(a[None].astype(np.float32), n_trials, axis=0) for a in each]
    return found


def torch_vmap(data: Samples, n_trials: int, both: bool, compiled: bool) -> Step:
    """Return the same updates by ``torch.func``."""
    import torch

    functional = torch.nn.functional
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    strengths = torch.arange(1, n_trials + 1)[:, None, None] * 1e-4
    n = 4 if both else 2

    def loss(parameters: list[Any], batch: Any, labels: Any, masks: list[Any]) -> Any:
        layer = batch
        for i in range(len(WIDTHS) - 1):
            weights, bias, *norm = parameters[n * i : n * (i + 1)]
            layer = (weights @ layer.T).T + bias
            if i == len(WIDTHS) - 2:
                break
            if norm:
                mean, variance = layer.mean(0), layer.var(0, unbiased=False)
                layer = (layer - mean) * torch.rsqrt(variance + 1e-5) * norm[0] + norm[1]
            layer = torch.relu(layer)
            if both:
                layer = layer * masks[i]
        return functional.cross_entropy(layer, labels)

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None, None))

    def update(parameters: list[Any], batch: Any, labels: Any, masks: list[Any]) -> list[Any]:
        gradients = gradient(parameters, batch, labels, masks)
        decay = 1 - 2 * ETA * strengths
        return [
            (p * decay if p.ndim == 3 else p) - ETA * g
            for p, g in zip(parameters, gradients, strict=True)
        ]

    fast = torch.compile(update) if compiled else update
    first = [torch.from_numpy(a) for a in first_parameters(n_trials, both)]

    def step() -> float:
        torch.set_num_threads(1)
        started = time.process_time()
        parameters = first
        order = torch.randperm(len(y))
        for rows in order.split(BATCH):
            masks = [
                (torch.rand(BATCH, width) >= RATE) / (1 - RATE)
                for width in (WIDTHS[1:-1] if both else ())
            ]
            parameters = fast(parameters, x[rows], y[rows], masks)
        return time.process_time() - started

    return step


def jax_scan(data: Samples, n_trials: int, both: bool) -> Step:
    """Return the same updates in one ``scan``."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(data.x_train), jnp.asarray(data.y_train)
    strengths = jnp.arange(1, n_trials + 1)[:, None, None] * 1e-4
    n = 4 if both else 2

    def loss(parameters: list[Any], batch: Any, labels: Any, masks: list[Any]) -> Any:
        layer = batch
        for i in range(len(WIDTHS) - 1):
            weights, bias, *norm = parameters[n * i : n * (i + 1)]
            layer = layer @ weights.T + bias
            if i == len(WIDTHS) - 2:
                break
            if norm:
                mean, variance = layer.mean(0), layer.var(0)
                layer = (layer - mean) * jax.lax.rsqrt(variance + 1e-5) * norm[0] + norm[1]
            layer = jax.nn.relu(layer)
            if both:
                layer = layer * masks[i]
        scores = jax.nn.log_softmax(layer)
        return -jnp.take_along_axis(scores, labels[:, None], 1).mean()

    gradient = jax.vmap(jax.grad(loss), in_axes=(0, None, None, None))

    @jax.jit
    def epoch(parameters: list[Any], x: Any, y: Any, order: Any, key: Any) -> Any:
        def update(carried: Any, rows: Any) -> Any:
            parameters, key = carried
            key, *keys = jax.random.split(key, len(WIDTHS) - 1)
            masks = [
                (jax.random.uniform(own, (BATCH, width)) >= RATE) / (1 - RATE)
                for own, width in zip(keys, WIDTHS[1:-1], strict=True)
            ]
            gradients = gradient(parameters, x[rows], y[rows], masks if both else [])
            decay = 1 - 2 * ETA * strengths
            changed = [
                (p * decay if p.ndim == 3 else p) - ETA * g
                for p, g in zip(parameters, gradients, strict=True)
            ]
            return (changed, key), None

        return jax.lax.scan(update, (parameters, key), order)[0][0]

    first = [jnp.asarray(a) for a in first_parameters(n_trials, both)]
    rng = np.random.default_rng(0)

    def step() -> float:
        order = jnp.asarray(rng.permutation(len(data.y_train)).reshape(-1, BATCH))
        started = time.process_time()
        jax.block_until_ready(epoch(first, x, y, order, jax.random.key(0)))
        return time.process_time() - started

    return step


if __name__ == "__main__":
    main(run, __doc__)
