"""A training in PyTorch, as someone who has never seen this program would write it.

Layers, losses, gradients, optimizers and schedules are PyTorch's own; nothing of ours is used but
the numbers. This is the only module that imports it.
"""

from collections.abc import Callable
from typing import Any, ClassVar, assert_never

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.specs import Hyperparameters
from coarsefine.studies.checks.frameworks.side import FOLLOWED, FrameworkMissingError, Task


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise FrameworkMissingError(
            "a cross-check against torch needs PyTorch, which cannot be imported here "
            f"({error}); get it with: pip install torch"
        ) from None
    return torch


class TorchSide:
    """The network as ``torch.nn`` layers, trained by ``torch.optim``."""

    followed: ClassVar = FOLLOWED

    def __init__(self, task: Task) -> None:
        torch = _torch()
        self._torch = torch
        # Small networks are several times slower on several threads that wait for each other.
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self.version = f"torch {torch.__version__}"
        self._activation: Callable[[Any], Any] = _activations(torch)[task.network.activation]
        self._loss: Callable[[Any, Any], Any] = _losses(torch)[task.network.loss]
        self._layers = [self._layer(task.first, i) for i in range(len(task.first.weights))]
        self._optimizer = self._made_optimizer(task)
        self._schedule = self._made_schedule(task.training.schedule, task.hyperparameters)
        self.notes: tuple[str, ...] = _notes(task)

    def _layer(self, first: Any, i: int) -> Any:
        torch, weights = self._torch, first.weights[i][0]
        biased = i < len(first.biases)
        n_out, n_in = weights.shape
        kind = getattr(torch, weights.dtype.name)
        layer = torch.nn.Linear(n_in, n_out, bias=biased, dtype=kind)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weights))
            if biased:
                layer.bias.copy_(torch.tensor(first.biases[i][0]))
        return layer

    def _made_optimizer(self, task: Task) -> Any:
        numbers = task.hyperparameters
        weights = [layer.weight for layer in self._layers]
        biases = [layer.bias for layer in self._layers if layer.bias is not None]
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": 2 * numbers.l2_strength}
        ]
        if biases:
            groups.append({"params": biases, "weight_decay": 0.0})
        rises = task.training.schedule in {"cyclical", "geometric"}
        eta = numbers.eta_min if rises else numbers.learning_rate
        optimizers = self._torch.optim
        kind = task.training.optimizer
        if kind == "adam":
            return optimizers.Adam(groups, lr=eta, betas=(0.9, 0.999), eps=1e-8)
        if kind == "sgd":
            return optimizers.SGD(groups, lr=eta)
        if kind == "momentum" or kind == "nesterov":  # noqa: PLR1714  # mypy follows this
            momentum = numbers.momentum
            # PyTorch refuses Nesterov's without momentum, where it is plain descent.
            nesterov = kind == "nesterov" and momentum > 0
            return optimizers.SGD(groups, lr=eta, momentum=momentum, nesterov=nesterov)
        assert_never(kind)

    def _made_schedule(self, schedule: str, numbers: Hyperparameters) -> Any:
        schedules = self._torch.optim.lr_scheduler
        if schedule == "step":
            return schedules.StepLR(
                self._optimizer, step_size=numbers.step_every, gamma=numbers.step_factor
            )
        if schedule == "cyclical":
            return schedules.CyclicLR(
                self._optimizer,
                base_lr=numbers.eta_min,
                max_lr=numbers.eta_max,
                step_size_up=numbers.half_cycle,
                mode="triangular",
                cycle_momentum=False,
            )
        if schedule == "geometric":
            ratio = numbers.eta_max / numbers.eta_min
            return schedules.LambdaLR(
                self._optimizer, lambda t: ratio ** min(t / numbers.half_cycle, 1.0)
            )
        return schedules.ConstantLR(self._optimizer, factor=1.0, total_iters=0)

    def _scores(self, x: Any) -> Any:
        for layer in self._layers[:-1]:
            x = self._activation(layer(x))
        return self._layers[-1](x)

    def update(self, x: Array, labels: Labels, eta: float) -> None:
        """Make one update, at PyTorch's own learning rate."""
        torch = self._torch
        self._optimizer.zero_grad()
        self._loss(self._scores(torch.tensor(x)), torch.tensor(labels)).backward()
        self._optimizer.step()
        self._schedule.step()

    def parameters(self) -> dict[str, Array]:
        """Return copies of the weights and biases."""
        found: dict[str, Array] = {}
        for i, layer in enumerate(self._layers, start=1):
            found[f"W{i}"] = layer.weight.detach().numpy().copy()
            if layer.bias is not None:
                found[f"b{i}"] = layer.bias.detach().numpy().copy()
        return found

    def measured(self, x: Array, labels: Labels) -> tuple[float, int]:
        """Return the summed loss and how many samples are right."""
        torch = self._torch
        with torch.no_grad():
            scores, y = self._scores(torch.tensor(x)), torch.tensor(labels)
            n_right = int((scores.argmax(dim=1) == y).sum())
            return float(self._loss(scores, y)) * len(labels), n_right

    def squared_weights(self) -> float:
        """Return the sum of the squared weights."""
        with self._torch.no_grad():
            return float(sum((layer.weight.double() ** 2).sum() for layer in self._layers))

    def end(self) -> None:
        """Give PyTorch its threads back."""
        self._torch.set_num_threads(self._threads)


def _activations(torch: Any) -> dict[str, Callable[[Any], Any]]:
    return {
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "improved-sigmoid": lambda z: 1.7159 * torch.tanh(2 / 3 * z),
    }


def _losses(torch: Any) -> dict[str, Callable[[Any, Any], Any]]:
    functional = torch.nn.functional

    def squared_error(scores: Any, labels: Any) -> Any:
        targets = functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        return 0.5 * ((scores - targets) ** 2).sum(dim=1).mean()

    return {"cross-entropy": functional.cross_entropy, "squared-error": squared_error}


_SCHEDULES = {
    "constant": "the one η of the optimizer",
    "step": "StepLR, stepped after each update",
    "cyclical": "CyclicLR (triangular), stepped after each update",
    "geometric": "LambdaLR, stepped after each update",
}


def _notes(task: Task) -> tuple[str, ...]:
    """Return how our conventions are said in PyTorch's words."""
    strength = task.hyperparameters.l2_strength
    if task.network.loss == "cross-entropy":
        loss = "loss: cross_entropy of the scores, the mean over the batch"
    else:
        loss = (
            "loss: ½ ‖scores − one_hot‖², the mean over the batch's samples; MSELoss divides by "
            "samples × classes and has no ½, which makes it 2 / classes of this"
        )
    penalty = (
        f"J = mean loss + λ Σ W² with λ = {strength:g} is weight_decay = 2 λ = {2 * strength:g} on "
        "the weights and 0 on the biases"
    )
    return loss, penalty, f"learning rates are PyTorch's own: {_SCHEDULES[task.training.schedule]}"
