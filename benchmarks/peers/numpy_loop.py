"""A trial at a time in NumPy: what one writes for the lab."""

from collections.abc import Callable

import numpy as np

from benchmarks.peers.shared import (
    Floats,
    Labels,
    arrays,
    batches,
    blocks,
    first_weights,
    learning_rates,
    watched,
)
from benchmarks.work import Task


def make(task: Task, threads: int | None) -> Callable[[list[float], int], list[float]]:
    """Return the trainer."""
    from threadpoolctl import threadpool_limits

    from benchmarks.common import n_cores

    x, y, x_validation, y_validation = arrays(task)
    looked_at = watched(task)
    x_watched, y_watched = x[looked_at], y[looked_at]
    one_hot = np.eye(task.data.n_classes, dtype=np.float32)

    def forward(layers: list[list[Floats]], batch: Floats) -> list[Floats]:
        inputs = [batch]
        for i, (weights, biases) in enumerate(layers):
            scores = inputs[-1] @ weights.T + biases
            inputs.append(np.maximum(scores, 0) if i + 1 < len(layers) else scores)
        return inputs

    def softmax(scores: Floats) -> Floats:
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))

    def measured(layers: list[list[Floats]], x: Floats, y: Labels) -> float:
        right, loss = 0, 0.0
        for block in blocks(len(y)):
            scores = forward(layers, x[block])[-1]
            chances = softmax(scores)[np.arange(len(scores)), y[block]]
            loss -= float(np.log(chances).sum())
            right += int((scores.argmax(axis=1) == y[block]).sum())
        return right / len(y)

    def one(l2_strength: float, n_epochs: int) -> float:
        layers = [list(layer) for layer in first_weights(task)]
        accuracy = 0.0
        for epoch in range(n_epochs):
            for rows, eta in zip(batches(task, epoch), learning_rates(task, epoch), strict=True):
                inputs = forward(layers, x[rows])
                delta = (softmax(inputs[-1]) - one_hot[y[rows]]) / np.float32(len(rows))
                for i in range(len(layers) - 1, -1, -1):
                    weights, biases = layers[i]
                    gradient = delta.T @ inputs[i] + np.float32(2 * l2_strength) * weights
                    bias_gradient = delta.sum(axis=0)
                    if i:
                        delta = (delta @ weights) * (inputs[i] > 0)
                    layers[i] = [weights - eta * gradient, biases - eta * bias_gradient]
            measured(layers, x_watched, y_watched)
            accuracy = measured(layers, x_validation, y_validation)
        return accuracy

    def train(l2_strengths: list[float], n_epochs: int) -> list[float]:
        with threadpool_limits(threads or n_cores()):
            return [one(value, n_epochs) for value in l2_strengths]

    return train
