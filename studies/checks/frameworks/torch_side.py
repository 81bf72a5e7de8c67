"""A training in PyTorch, as someone who has never seen this program would write it.

Layers, losses, gradients, optimizers and schedules are PyTorch's own; nothing of ours is used but
the numbers. This is the only module that imports it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, assert_never

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.specs import NetworkSpec
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

    followed: ClassVar = FOLLOWED | {"decoupled_decay", "clip_norm", "label_smoothing", "dropout"}

    def __init__(self, task: Task) -> None:
        torch = _torch()
        self._torch = torch
        # Small networks are several times slower on several threads that wait for each other.
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self.version = f"torch {torch.__version__}"
        self._activation: Callable[[Any], Any] = _activations(torch, task.network)[
            task.network.activation
        ]
        numbers = task.hyperparameters
        losses = _losses(torch, numbers.label_smoothing)
        self._loss: Callable[[Any, Any], Any] = losses[task.network.loss]
        self._measured: Callable[[Any, Any], Any] = _losses(torch, 0.0)[task.network.loss]
        self._weights = None if task.class_weights is None else torch.tensor(task.class_weights)
        self._clip_norm = numbers.clip_norm
        self._bias_row = task.network.bias_row
        # In the loss where weight_decay is another thing or comes too late to be clipped.
        in_loss = task.training.optimizer == "adamw" or numbers.clip_norm > 0
        self._l2_strength = numbers.l2_strength if in_loss else 0.0
        self._layers = [self._layer(task.first, i) for i in range(len(task.first.weights))]
        self._norms = [self._norm(task.first, i) for i in range(len(task.first.gains))]
        self._optimizer = self._made_optimizer(task)
        self._schedule = self._made_schedule(task)
        self.notes: tuple[str, ...] = _notes(task)

    def _layer(self, first: Any, i: int) -> Any:
        torch, weights = self._torch, first.weights[i][0]
        # The bias of a normalised layer is added after it.
        biased = len(first.gains) <= i < len(first.biases)
        n_out, n_in = weights.shape
        kind = getattr(torch, weights.dtype.name)
        layer = torch.nn.Linear(n_in, n_out, bias=biased, dtype=kind)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weights))
            if biased:
                layer.bias.copy_(torch.tensor(first.biases[i][0]))
        return layer

    def _norm(self, first: Any, i: int) -> Any:
        """Return what batch_norm is given: running statistics are by hand.

        BatchNorm1d begins them with 0 and 1 and follows the variance over B − 1 samples.
        """
        torch, width = self._torch, first.gains[i].shape[1]
        biased = i < len(first.biases)
        norm = torch.nn.BatchNorm1d(
            width, eps=1e-5, dtype=getattr(torch, first.gains[i].dtype.name)
        )
        with torch.no_grad():
            norm.weight.copy_(torch.tensor(first.gains[i][0]))
            norm.bias.copy_(torch.tensor(first.biases[i][0]) if biased else norm.bias * 0)
        norm.bias.requires_grad_(biased)
        return norm

    def _normalised(self, i: int, z: Any, *, training: bool) -> Any:
        norm, batch_norm = self._norms[i], self._torch.nn.functional.batch_norm
        if not training:
            running = norm.running_mean, norm.running_var
            return batch_norm(z, *running, norm.weight, norm.bias, eps=norm.eps)
        with self._torch.no_grad():
            kept = 0.9 if int(norm.num_batches_tracked) else 0.0
            norm.num_batches_tracked += 1
            norm.running_mean.lerp_(z.mean(dim=0), 1 - kept)
            norm.running_var.lerp_(z.var(dim=0, unbiased=False), 1 - kept)
        return batch_norm(z, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)

    def _made_optimizer(self, task: Task) -> Any:
        numbers = task.hyperparameters
        weights = [layer.weight for layer in self._layers]
        biases = [layer.bias for layer in self._layers if layer.bias is not None]
        for norm in self._norms:
            biases += [p for p in norm.parameters() if p.requires_grad]
        decay = 2 * (numbers.l2_strength - self._l2_strength)
        if task.training.optimizer == "adamw":
            decay = numbers.decoupled_decay
        groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": decay}]
        if biases:
            of_biases = decay if self._bias_row else 0.0
            groups.append({"params": biases, "weight_decay": of_biases})
        firsts = {"cyclical": "eta_min", "geometric": "eta_min", "cosine": "eta_max"}
        eta = getattr(numbers, firsts.get(task.training.schedule, "learning_rate"))
        optimizers = self._torch.optim
        kind = task.training.optimizer
        if kind == "adam":
            return optimizers.Adam(groups, lr=eta, betas=(numbers.beta1, numbers.beta2), eps=1e-8)
        if kind == "adamw":
            return optimizers.AdamW(groups, lr=eta, betas=(numbers.beta1, numbers.beta2), eps=1e-8)
        if kind == "rmsprop":
            return optimizers.RMSprop(groups, lr=eta, alpha=0.99, eps=1e-8)
        if kind == "sgd":
            return optimizers.SGD(groups, lr=eta)
        if kind == "momentum" or kind == "nesterov":  # noqa: PLR1714  # mypy follows this
            momentum = numbers.momentum
            # PyTorch refuses Nesterov's without momentum, where it is plain descent.
            nesterov = kind == "nesterov" and momentum > 0
            return optimizers.SGD(groups, lr=eta, momentum=momentum, nesterov=nesterov)
        assert_never(kind)

    def _made_schedule(self, task: Task) -> Any:
        wait = task.hyperparameters.warm_up
        after = _schedules(self._torch, self._optimizer, task)[task.training.schedule]
        if not wait:
            return after()
        schedules = self._torch.optim.lr_scheduler
        rise = schedules.LambdaLR(self._optimizer, lambda t: min((t + 1) / wait, 1.0))
        return schedules.SequentialLR(self._optimizer, [rise, after()], milestones=[wait])

    def _scores(
        self, x: Any, masks: Sequence[Array] | None = None, *, training: bool = False
    ) -> Any:
        for i, layer in enumerate(self._layers[:-1]):
            z = layer(x)
            if self._norms:
                z = self._normalised(i, z, training=training)
            x = self._activation(z)
            if masks is not None:
                x = x * self._torch.tensor(masks[i][0].T)
        return self._layers[-1](x)

    def update(self, x: Array, labels: Labels, eta: float, masks: Sequence[Array] | None) -> None:
        """Make one update, at PyTorch's own learning rate."""
        torch = self._torch
        self._optimizer.zero_grad()
        y = torch.tensor(labels)
        losses = self._loss(self._scores(torch.tensor(x), masks, training=True), y)
        loss = losses.mean() if self._weights is None else (self._weights[y] * losses).mean()
        if self._l2_strength:
            loss = loss + self._l2_strength * sum((p**2).sum() for p in self._penalised())
        loss.backward()
        if self._clip_norm:
            torch.nn.utils.clip_grad_norm_(
                [p for group in self._optimizer.param_groups for p in group["params"]],
                self._clip_norm,
            )
        self._optimizer.step()
        self._schedule.step()

    def parameters(self) -> dict[str, Array]:
        """Return copies of the weights and biases."""
        found: dict[str, Array] = {}
        for i, layer in enumerate(self._layers, start=1):
            found[f"W{i}"] = layer.weight.detach().numpy().copy()
            if layer.bias is not None:
                found[f"b{i}"] = layer.bias.detach().numpy().copy()
        for i, norm in enumerate(self._norms, start=1):
            found[f"g{i}"] = norm.weight.detach().numpy().copy()
            if norm.bias.requires_grad:
                found[f"b{i}"] = norm.bias.detach().numpy().copy()
        return found

    def measured(self, x: Array, labels: Labels) -> tuple[float, int]:
        """Return the summed loss and how many samples are right."""
        torch = self._torch
        with torch.no_grad():
            scores, y = self._scores(torch.tensor(x)), torch.tensor(labels)
            n_right = int((scores.argmax(dim=1) == y).sum())
            return float(self._measured(scores, y).sum()), n_right

    def squared_weights(self) -> float:
        """Return the sum of the squared weights."""
        with self._torch.no_grad():
            return float(sum((p.double() ** 2).sum() for p in self._penalised()))

    def _penalised(self) -> list[Any]:
        """Return the weights of all layers, with the biases where they are a row of these."""
        weights = [layer.weight for layer in self._layers]
        biases = [layer.bias for layer in self._layers if layer.bias is not None]
        return weights + biases if self._bias_row else weights

    def end(self) -> None:
        """Give PyTorch its threads back."""
        self._torch.set_num_threads(self._threads)


def _activations(torch: Any, network: NetworkSpec) -> dict[str, Callable[[Any], Any]]:
    return {
        "relu": torch.relu,
        "leaky-relu": lambda z: torch.nn.functional.leaky_relu(z, network.slope),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "improved-sigmoid": lambda z: 1.7159 * torch.tanh(2 / 3 * z),
    }


def _losses(torch: Any, smoothing: float) -> dict[str, Callable[[Any, Any], Any]]:
    functional = torch.nn.functional

    def squared_error(scores: Any, labels: Any) -> Any:
        targets = functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        return 0.5 * ((scores - targets) ** 2).sum(dim=1)

    def cross_entropy(scores: Any, labels: Any) -> Any:
        return functional.cross_entropy(scores, labels, label_smoothing=smoothing, reduction="none")

    def hinge(scores: Any, labels: Any) -> Any:
        # It divides by the classes.
        return scores.shape[1] * functional.multi_margin_loss(scores, labels, reduction="none")

    def sigmoids(scores: Any, labels: Any) -> Any:
        targets = functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        with_logits = functional.binary_cross_entropy_with_logits
        return with_logits(scores, targets, reduction="none").mean(dim=1)

    return {
        "cross-entropy": cross_entropy,
        "squared-error": squared_error,
        "hinge": hinge,
        "binary-cross-entropy": sigmoids,
    }


def _schedules(torch: Any, optimizer: Any, task: Task) -> dict[str, Callable[[], Any]]:
    numbers, schedules = task.hyperparameters, torch.optim.lr_scheduler
    k, ratio = numbers.eta_decay / task.per_epoch, numbers.eta_max / numbers.eta_min
    half = numbers.half_cycle
    return {
        "constant": lambda: schedules.ConstantLR(optimizer, factor=1.0, total_iters=0),
        "step": lambda: schedules.StepLR(
            optimizer, step_size=numbers.step_every, gamma=numbers.step_factor
        ),
        "exponential": lambda: schedules.ExponentialLR(optimizer, gamma=math.exp(-k)),
        "inverse-time": lambda: schedules.LambdaLR(optimizer, lambda t: 1 / (1 + k * t)),
        "cyclical": lambda: schedules.CyclicLR(
            optimizer,
            base_lr=numbers.eta_min,
            max_lr=numbers.eta_max,
            step_size_up=half,
            scale_fn=lambda cycle: numbers.cycle_factor ** (cycle - 1),
            scale_mode="cycle",
            cycle_momentum=False,
        ),
        "geometric": lambda: schedules.LambdaLR(optimizer, lambda t: ratio ** min(t / half, 1.0)),
        "cosine": lambda: schedules.CosineAnnealingLR(
            optimizer, T_max=half, eta_min=numbers.eta_min
        ),
    }


_SCHEDULES = {
    "constant": "the one η of the optimizer",
    "step": "StepLR, stepped after each update",
    "exponential": "ExponentialLR, stepped after each update",
    "inverse-time": "LambdaLR, stepped after each update",
    "cyclical": "CyclicLR (triangular), stepped after each update",
    "cosine": "CosineAnnealingLR, stepped after each update",
    "geometric": "LambdaLR, stepped after each update",
}


def _notes(task: Task) -> tuple[str, ...]:
    """Return how our conventions are said in PyTorch's words."""
    strength = task.hyperparameters.l2_strength
    loss = {
        "cross-entropy": "loss: cross_entropy of the scores, the mean over the batch",
        "squared-error": (
            "loss: ½ ‖scores − one_hot‖², the mean over the batch's samples; MSELoss divides by "
            "samples × classes and has no ½, which makes it 2 / classes of this"
        ),
        "hinge": "loss: multi_margin_loss times the classes, by which it divides, averaged",
        "binary-cross-entropy": "loss: binary_cross_entropy_with_logits, the mean over all",
    }[task.network.loss]
    if task.class_weights is not None:
        loss += "; samples are weighted before the mean, which is over their number"
    penalty = (
        f"J = mean loss + λ Σ W² with λ = {strength:g} is weight_decay = 2 λ = {2 * strength:g} on "
        "the weights and 0 on the biases"
    )
    if task.training.optimizer == "adamw" or task.hyperparameters.clip_norm:
        penalty = f"J = mean loss + λ Σ W² with λ = {strength:g}: the penalty is added to the loss"
    return loss, penalty, f"learning rates are PyTorch's own: {_SCHEDULES[task.training.schedule]}"
