"""All trials as one in PyTorch: ``torch.func.vmap`` over stacked parameters."""

from collections.abc import Callable
from typing import Any

from benchmarks.peers.shared import (
    arrays,
    batches,
    blocks,
    first_weights,
    learning_rates,
    torch_settings,
    watched,
)
from benchmarks.work import Task


def make(
    task: Task, threads: int | None, compiled: bool = False
) -> Callable[[list[float], int], list[float]]:
    """Return the trainer."""
    torch = torch_settings(threads)
    functional = torch.nn.functional
    x, y, x_validation, y_validation = map(torch.from_numpy, arrays(task))
    looked_at = torch.from_numpy(watched(task))
    x_watched, y_watched = x[looked_at], y[looked_at]

    def forward(parameters: list[Any], batch: Any) -> Any:
        layer = batch
        for i in range(0, len(parameters), 2):
            # Written so, vmap makes one product of all trials' first layers; of linear(), it
            # makes a batch of products, a tenth slower.
            layer = (parameters[i] @ layer.T).T + parameters[i + 1]
            if i + 2 < len(parameters):
                layer = torch.relu(layer)
        return layer

    def loss(parameters: list[Any], batch: Any, labels: Any) -> Any:
        return functional.cross_entropy(forward(parameters, batch), labels)

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None))
    scores_of = torch.func.vmap(forward, in_dims=(0, None))

    def update(parameters: list[Any], batch: Any, labels: Any, eta: Any, decay: Any) -> list[Any]:
        gradients = gradient(parameters, batch, labels)
        return [
            (p * decay if p.ndim == 3 else p) - eta * g
            for p, g in zip(parameters, gradients, strict=True)
        ]

    def update_in_place(
        parameters: list[Any], batch: Any, labels: Any, eta: Any, decay: Any
    ) -> list[Any]:
        for p, g in zip(parameters, gradient(parameters, batch, labels), strict=True):
            if p.ndim == 3:
                p.mul_(decay)
            p.add_(g, alpha=-eta)
        return parameters

    fast = torch.compile(update) if compiled else update_in_place

    def measured(parameters: list[Any], x: Any, y: Any) -> list[float]:
        right, losses = 0, 0.0
        with torch.no_grad():
            for block in blocks(len(y)):
                scores = scores_of(parameters, x[block])
                flat = scores.flatten(0, 1)
                labels = y[block].repeat(len(scores))
                each = functional.cross_entropy(flat, labels, reduction="none")
                losses = losses + each.view(len(scores), -1).sum(1)
                right = right + (scores.argmax(2) == y[block]).sum(1)
        return [float(share) for share in right / len(y)]

    def train(l2_strengths: list[float], n_epochs: int) -> list[float]:
        n_trials = len(l2_strengths)
        parameters = [
            torch.from_numpy(a).expand(n_trials, *a.shape).contiguous()
            for layer in first_weights(task)
            for a in layer
        ]
        strengths = torch.tensor(l2_strengths)[:, None, None]
        accuracies: list[float] = []
        for epoch in range(n_epochs):
            etas = torch.from_numpy(learning_rates(task, epoch))
            decays = 1 - 2 * etas[:, None, None, None] * strengths
            rates = etas if compiled else etas.tolist()
            order = torch.from_numpy(batches(task, epoch))
            for rows, eta, decay in zip(order, rates, decays, strict=True):
                parameters = fast(parameters, x[rows], y[rows], eta, decay)
            measured(parameters, x_watched, y_watched)
            accuracies = measured(parameters, x_validation, y_validation)
        return accuracies

    return train
