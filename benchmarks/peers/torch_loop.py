"""A trial at a time in PyTorch, tuned: an Optuna objective over tensors that are indexed."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from benchmarks.peers.shared import (
    AMPLITUDE,
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
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

    def activation(z: Any) -> Any:
        return (
            functional.relu(z) if task.activation == "relu" else AMPLITUDE * torch.tanh(SLOPE * z)
        )

    def forward(parameters: list[Any], batch: Any) -> Any:
        layer = batch
        for i in range(0, len(parameters), 2):
            layer = functional.linear(layer, parameters[i], parameters[i + 1])
            if i + 2 < len(parameters):
                layer = activation(layer)
        return layer

    def in_place(parameters: list[Any], rows: Any, eta: float, l2_strength: float) -> list[Any]:
        loss = functional.cross_entropy(forward(parameters, x[rows]), y[rows])
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if parameter.ndim == 2:
                    parameter.mul_(1 - 2 * eta * l2_strength)
                parameter.add_(gradient, alpha=-eta)
        return parameters

    def stepped(parameters: list[Any], rows: Any, optimizer: Any) -> list[Any]:
        optimizer.zero_grad()
        functional.cross_entropy(forward(parameters, x[rows]), y[rows]).backward()
        optimizer.step()
        return parameters

    def optimizer_of(parameters: list[Any], l2_strength: float) -> Any:
        groups = [
            {"params": parameters[0::2], "weight_decay": 2 * l2_strength},
            {"params": parameters[1::2], "weight_decay": 0.0},
        ]
        if task.optimizer == "momentum":
            return torch.optim.SGD(groups, lr=task.eta_max, momentum=MOMENTUM, fused=True)
        return torch.optim.Adam(groups, lr=task.eta_max, fused=True)

    # Gradients compiled, with the optimizer's own fused step behind them.
    @torch.compile(disable=not compiled)
    def gradients_of(parameters: list[Any], batch: Any, labels: Any) -> Any:
        def loss(of: list[Any]) -> Any:
            return functional.cross_entropy(forward(of, batch), labels)

        return torch.func.grad(loss)(parameters)

    def pure(parameters: list[Any], batch: Any, labels: Any, eta: Any, decay: Any) -> list[Any]:
        def loss(of: list[Any]) -> Any:
            return functional.cross_entropy(forward(of, batch), labels)

        return [
            (p * decay if p.ndim == 2 else p) - eta * g
            for p, g in zip(parameters, torch.func.grad(loss)(parameters), strict=True)
        ]

    fast = torch.compile(pure) if compiled else None

    def measured(parameters: list[Any], x: Any, y: Any) -> float:
        right, loss = 0, 0.0
        with torch.no_grad():
            for block in blocks(len(y)):
                scores = forward(parameters, x[block])
                loss += float(functional.cross_entropy(scores, y[block], reduction="sum"))
                right += int((scores.argmax(1) == y[block]).sum())
        return right / len(y)

    def objective(trial: optuna.Trial, n_epochs: int) -> float:
        l2_strength = trial.suggest_float("lambda", 1e-6, 1.0, log=True)
        parameters = [torch.from_numpy(a.copy()) for layer in first_weights(task) for a in layer]
        slotted = task.optimizer != "sgd"
        if slotted or fast is None:
            for parameter in parameters:
                parameter.requires_grad_()
        optimizer = optimizer_of(parameters, l2_strength) if slotted else None
        accuracy = 0.0
        for epoch in range(n_epochs):
            etas = learning_rates(task, epoch)
            decays = torch.from_numpy(1 - 2 * etas * l2_strength)
            order = torch.from_numpy(batches(task, epoch))
            if optimizer is not None:
                for rows in order:
                    if not compiled:
                        stepped(parameters, rows, optimizer)
                        continue
                    plain = [p.detach() for p in parameters]
                    for p, g in zip(parameters, gradients_of(plain, x[rows], y[rows]), strict=True):
                        p.grad = g
                    optimizer.step()
            elif fast is None:
                for rows, eta in zip(order, etas.tolist(), strict=True):
                    in_place(parameters, rows, eta, l2_strength)
            else:
                for rows, eta, decay in zip(order, torch.from_numpy(etas), decays, strict=True):
                    parameters = fast(parameters, x[rows], y[rows], eta, decay)
            measured(parameters, x_watched, y_watched)
            accuracy = measured(parameters, x_validation, y_validation)
            trial.report(accuracy, epoch)
        return accuracy

    def train(l2_strengths: list[float], n_epochs: int) -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            study = optuna.create_study(
                storage=f"sqlite:///{Path(folder) / 'study.db'}", direction="maximize"
            )
            for value in l2_strengths:
                study.enqueue_trial({"lambda": value})
            study.optimize(lambda trial: objective(trial, n_epochs), n_trials=len(l2_strengths))
            return [float(trial.value or 0) for trial in study.trials]

    return train
