"""All trials as one in JAX: ``vmap`` over stacked parameters, ``scan`` over an epoch's batches."""

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.peers.shared import (
    AMPLITUDE,
    BETA1,
    BETA2,
    BLOCK,
    EPSILON,
    MOMENTUM,
    SLOPE,
    arrays,
    batches,
    first_weights,
    learning_rates,
    watched,
)
from benchmarks.work import Task


def make(task: Task) -> Callable[[list[float], int], list[float]]:  # noqa: PLR0915
    """Return the trainer."""
    import jax
    import jax.numpy as jnp

    x, y, x_validation, y_validation = map(jnp.asarray, arrays(task))
    looked_at = watched(task)
    x_watched, y_watched = x[looked_at], y[looked_at]

    def activation(z: Any) -> Any:
        return jax.nn.relu(z) if task.activation == "relu" else AMPLITUDE * jnp.tanh(SLOPE * z)

    def forward(parameters: list[Any], batch: Any) -> Any:
        layer = batch
        for i in range(0, len(parameters), 2):
            layer = layer @ parameters[i].T + parameters[i + 1]
            if i + 2 < len(parameters):
                layer = activation(layer)
        return layer

    def losses(parameters: list[Any], batch: Any, labels: Any) -> Any:
        scores = jax.nn.log_softmax(forward(parameters, batch))
        return -jnp.take_along_axis(scores, labels[:, None], 1)

    def loss(parameters: list[Any], batch: Any, labels: Any) -> Any:
        return losses(parameters, batch, labels).mean()

    gradient = jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    def changed(state: Any, gradients: list[Any], eta: Any, strengths: Any) -> Any:
        parameters, firsts, seconds, n_done = state
        if task.optimizer == "sgd":
            decay = 1 - 2 * eta * strengths
            parameters = [
                (p * decay if p.ndim == 3 else p) - eta * g
                for p, g in zip(parameters, gradients, strict=True)
            ]
            return parameters, firsts, seconds, n_done
        gradients = [
            g + 2 * strengths * p if p.ndim == 3 else g
            for p, g in zip(parameters, gradients, strict=True)
        ]
        if task.optimizer == "momentum":
            firsts = [MOMENTUM * v + g for v, g in zip(firsts, gradients, strict=True)]
            parameters = [p - eta * v for p, v in zip(parameters, firsts, strict=True)]
            return parameters, firsts, seconds, n_done
        n_done = n_done + 1
        firsts = [BETA1 * m + (1 - BETA1) * g for m, g in zip(firsts, gradients, strict=True)]
        seconds = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(seconds, gradients, strict=True)]
        rate, over = eta / (1 - BETA1**n_done), 1 / (1 - BETA2**n_done)
        parameters = [
            p - rate * m / (jnp.sqrt(v * over) + EPSILON)
            for p, m, v in zip(parameters, firsts, seconds, strict=True)
        ]
        return parameters, firsts, seconds, n_done

    # The samples are arguments: as constants, they would be compiled into the program.
    @partial(jax.jit, donate_argnums=0)
    def epoch_of(state: Any, x: Any, y: Any, rows: Any, etas: Any, strengths: Any) -> Any:
        def update(state: Any, inputs: Any) -> Any:
            rows, eta = inputs
            return changed(state, gradient(state[0], x[rows], y[rows]), eta, strengths), None

        return jax.lax.scan(update, state, (rows, etas))[0]

    @jax.jit
    def of_block(parameters: list[Any], x: Any, y: Any) -> Any:
        def one(parameters: list[Any]) -> Any:
            scores = forward(parameters, x)
            logs = jax.nn.log_softmax(scores)
            loss = -jnp.take_along_axis(logs, y[:, None], 1).sum()
            return loss, (scores.argmax(1) == y).sum()

        return jax.vmap(one)(parameters)

    def measured(parameters: list[Any], x: Any, y: Any) -> list[float]:
        parts = [
            of_block(parameters, x[start : start + BLOCK], y[start : start + BLOCK])
            for start in range(0, len(y), BLOCK)
        ]
        return [float(n) / len(y) for n in sum(right for _, right in parts)]

    def train(l2_strengths: list[float], n_epochs: int) -> list[float]:
        n_trials = len(l2_strengths)
        parameters = [
            jnp.broadcast_to(jnp.asarray(a), (n_trials, *a.shape)).copy()
            for layer in first_weights(task)
            for a in layer
        ]
        n_slots = {"sgd": 0, "momentum": 1, "adam": 2}[task.optimizer]
        slots = [[jnp.zeros_like(p) for p in parameters] if n_slots > i else [] for i in range(2)]
        state = (parameters, *slots, jnp.zeros((), jnp.float32))
        strengths = jnp.asarray(l2_strengths, jnp.float32)[:, None, None]
        accuracies: list[float] = []
        for epoch in range(n_epochs):
            rows = jnp.asarray(batches(task, epoch).astype("int32"))
            etas = jnp.asarray(learning_rates(task, epoch))
            state = epoch_of(state, x, y, rows, etas, strengths)
            parameters = state[0]
            measured(parameters, x_watched, y_watched)
            accuracies = measured(parameters, x_validation, y_validation)
        return accuracies

    return train
