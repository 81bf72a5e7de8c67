"""A trial at a time in PyTorch as the tutorials have it: DataLoader, Module, SGD, scheduler."""

import tempfile
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna

from benchmarks.peers.shared import arrays, torch_settings, watched
from benchmarks.work import Task


def make(task: Task, threads: int | None) -> Callable[[list[float], int], list[float]]:
    """Return the trainer."""
    torch = torch_settings(threads)
    nn = torch.nn
    x, y, x_validation, y_validation = map(torch.from_numpy, arrays(task))
    looked_at = watched(task)
    dataset = torch.utils.data.TensorDataset
    loader_of = torch.utils.data.DataLoader
    train_loader = loader_of(dataset(x, y), batch_size=task.batch_size, shuffle=True)
    watched_loader = loader_of(dataset(x[looked_at], y[looked_at]), batch_size=1000)
    validation_loader = loader_of(dataset(x_validation, y_validation), batch_size=1000)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

    def measured(model: Any, loader: Any, criterion: Any) -> float:
        right, loss, total = 0, 0.0, 0
        with torch.no_grad():
            for batch, labels in loader:
                scores = model(batch)
                loss += criterion(scores, labels).item() * len(labels)
                right += (scores.argmax(1) == labels).sum().item()
                total += len(labels)
        return float(right / total)

    def objective(trial: optuna.Trial, n_epochs: int) -> float:
        l2_strength = trial.suggest_float("lambda", 1e-6, 1.0, log=True)
        layers: list[Any] = []
        for fan_in, fan_out in pairwise(task.widths):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.normal_(layer.weight, std=fan_in**-0.5)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        criterion = nn.CrossEntropyLoss()
        weights = [p for p in model.parameters() if p.ndim == 2]
        biases = [p for p in model.parameters() if p.ndim == 1]
        optimizer = torch.optim.SGD(
            [
                {"params": weights, "weight_decay": 2 * l2_strength},
                {"params": biases, "weight_decay": 0.0},
            ],
            lr=task.eta_min,
        )
        scheduler = torch.optim.lr_scheduler.CyclicLR(
            optimizer,
            task.eta_min,
            task.eta_max,
            step_size_up=task.half_cycle,
            cycle_momentum=False,
        )
        accuracy = 0.0
        for epoch in range(n_epochs):
            for batch, labels in train_loader:
                optimizer.zero_grad()
                criterion(model(batch), labels).backward()
                optimizer.step()
                scheduler.step()
            measured(model, watched_loader, criterion)
            accuracy = measured(model, validation_loader, criterion)
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
