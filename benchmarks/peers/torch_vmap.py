"""All trials as one in PyTorch: ``torch.func.vmap`` over stacked parameters."""

from collections.abc import Callable
from typing import Any

from benchmarks.peers.shared import (
    AMPLITUDE,
    BETA1,
    BETA2,
    EPSILON,
    MOMENTUM,
    SLOPE,
    arrays,
    batches,
    blocks,
    first_weights,
    learning_rates,
    torch_settings,
    watched,
)
from benchmarks.work import Task


def make(  # noqa: PLR0915
    task: Task, threads: int | None, compiled: bool = False
) -> Callable[[list[float], int], list[float]]:
    """Return the trainer."""
    torch = torch_settings(threads)
    functional = torch.nn.functional
    x, y, x_validation, y_validation = map(torch.from_numpy, arrays(task))
    looked_at = torch.from_numpy(watched(task))
    x_watched, y_watched = x[looked_at], y[looked_at]

    def activation(z: Any) -> Any:
        return torch.relu(z) if task.activation == "relu" else AMPLITUDE * torch.tanh(SLOPE * z)

    def forward(parameters: list[Any], batch: Any) -> Any:
        layer = batch
        for i in range(0, len(parameters), 2):
            # Written so, vmap makes one product of all trials' first layers; of linear(), it
            # makes a batch of products, a tenth slower.
            layer = (parameters[i] @ layer.T).T + parameters[i + 1]
            if i + 2 < len(parameters):
                layer = activation(layer)
        return layer

    def loss(parameters: list[Any], batch: Any, labels: Any) -> Any:
        return functional.cross_entropy(forward(parameters, batch), labels)

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None))
    scores_of = torch.func.vmap(forward, in_dims=(0, None))

    def update(
        state: Any, batch: Any, labels: Any, eta: Any, strengths: Any, over: Any
    ) -> tuple[list[Any], list[Any], list[Any]]:
        parameters, firsts, seconds = state
        gradients = gradient(parameters, batch, labels)
        if task.optimizer == "sgd":
            decay = 1 - 2 * eta * strengths
            parameters = [
                (p * decay if p.ndim == 3 else p) - eta * g
                for p, g in zip(parameters, gradients, strict=True)
            ]
            return parameters, firsts, seconds
        gradients = [
            g + 2 * strengths * p if p.ndim == 3 else g
            for p, g in zip(parameters, gradients, strict=True)
        ]
        if task.optimizer == "momentum":
            firsts = [MOMENTUM * v + g for v, g in zip(firsts, gradients, strict=True)]
            parameters = [p - eta * v for p, v in zip(parameters, firsts, strict=True)]
            return parameters, firsts, seconds
        firsts = [BETA1 * m + (1 - BETA1) * g for m, g in zip(firsts, gradients, strict=True)]
        seconds = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(seconds, gradients, strict=True)]
        parameters = [
            p - eta * over[0] * m / ((v * over[1]).sqrt() + EPSILON)
            for p, m, v in zip(parameters, firsts, seconds, strict=True)
        ]
        return parameters, firsts, seconds

    def update_in_place(
        state: Any, batch: Any, labels: Any, eta: Any, strengths: Any, over: Any
    ) -> Any:
        parameters, firsts, seconds = state
        gradients = gradient(parameters, batch, labels)
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            if task.optimizer == "sgd":
                if p.ndim == 3:
                    p.mul_(1 - 2 * eta * strengths)
                p.add_(g, alpha=-eta)
                continue
            step = g.addcmul(p, 2 * strengths) if p.ndim == 3 else g
            if task.optimizer == "momentum":
                p.add_(firsts[i].mul_(MOMENTUM).add_(step), alpha=-eta)
                continue
            firsts[i].lerp_(step, 1 - BETA1)
            seconds[i].mul_(BETA2).addcmul_(step, step, value=1 - BETA2)
            root = (seconds[i] * over[1]).sqrt_().add_(EPSILON)
            p.addcdiv_(firsts[i], root, value=-eta * float(over[0]))
        return state

    fast = torch.compile(update) if compiled else update_in_place

    def measured(parameters: list[Any], x: Any, y: Any) -> list[float]:
        right, losses = torch.zeros(()), torch.zeros(())
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
        n_slots = {"sgd": 0, "momentum": 1, "adam": 2}[task.optimizer]
        slots = [[torch.zeros_like(p) for p in parameters] if n_slots > i else [] for i in range(2)]
        state = (parameters, *slots)
        strengths = torch.tensor(l2_strengths)[:, None, None]
        accuracies: list[float] = []
        for epoch in range(n_epochs):
            etas = torch.from_numpy(learning_rates(task, epoch))
            rates = etas if compiled else etas.tolist()
            steps = torch.arange(1, len(etas) + 1, dtype=torch.float64) + epoch * len(etas)
            overs = torch.stack([1 / (1 - beta**steps) for beta in (BETA1, BETA2)], 1).float()
            order = torch.from_numpy(batches(task, epoch))
            for rows, eta, over in zip(order, rates, overs, strict=True):
                state = fast(state, x[rows], y[rows], eta, strengths, over)
            parameters = state[0]
            measured(parameters, x_watched, y_watched)
            accuracies = measured(parameters, x_validation, y_validation)
        return accuracies

    return train
