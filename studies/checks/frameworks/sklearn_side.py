"""A training in scikit-learn: a network of its own that is handed one batch at a time.

Gradients and optimizers are scikit-learn's. Two things it has no words for go through attributes
that it does not document: the first weights, and a learning rate that changes.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_softmax

from coarsefine.hints import Message, option
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.specs import MOMENTUM_OPTIMIZERS
from coarsefine.studies.checks.frameworks.side import (
    FOLLOWED,
    FrameworkMissingError,
    NotComparableError,
    Task,
)

_SOLVERS = {"sgd": "sgd", "momentum": "sgd", "nesterov": "sgd", "adam": "adam"}
_ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}


class SklearnSide:
    """``MLPClassifier``, or ``MLPRegressor`` on one-hot targets where the loss is squared."""

    followed: ClassVar = FOLLOWED

    def __init__(self, task: Task) -> None:
        try:
            import sklearn
            from sklearn.neural_network import MLPClassifier, MLPRegressor
        except ImportError as error:
            raise FrameworkMissingError(
                "a cross-check against sklearn needs scikit-learn, which cannot be imported here "
                f"({error}); get it with: pip install scikit-learn"
            ) from None
        _check(task)
        self.version = f"scikit-learn {sklearn.__version__}"
        training, numbers = task.training, task.hyperparameters
        self._n_classes = task.network.n_classes
        self._l2_strength = numbers.l2_strength
        self._squared = task.network.loss == "squared-error"
        self._n_updates = 0
        self._beta2 = numbers.beta2
        kind = MLPRegressor if self._squared else MLPClassifier
        momentum = 0.0 if training.optimizer == "sgd" else numbers.momentum
        self._model: Any = kind(
            hidden_layer_sizes=task.network.hidden,
            activation=_ACTIVATIONS.get(task.network.activation, "identity"),
            solver=_SOLVERS[training.optimizer],
            learning_rate_init=numbers.learning_rate,
            momentum=momentum,
            nesterovs_momentum=training.optimizer == "nesterov",
            beta_1=numbers.beta1,
            beta_2=numbers.beta2,
            shuffle=False,
        )
        first = zip(task.first.weights, task.first.biases, strict=True)
        layers = [(np.array(w[0].T), np.array(b[0])) for w, b in first]
        drawn = iter(layers)
        # There is no public way to begin with weights of one's own and an optimizer that has not
        # made a step. This is what draws a layer's first weights, from the input to the output.
        self._model._init_coef = lambda *_: next(drawn)
        self._first = layers
        # Shows the scores themselves, which a classifier does not.
        self._reader: Any = MLPRegressor(
            hidden_layer_sizes=task.network.hidden, activation=self._model.activation
        )
        self.notes = tuple(_notes(task, kind.__name__))

    def update(self, x: Array, labels: Labels, eta: float, masks: Sequence[Array] | None) -> None:
        """Make one update at the learning rate ``eta``."""
        model = self._model
        # Its penalty is divided by the samples of the batch; the last one may be smaller.
        model.set_params(alpha=2 * self._l2_strength * len(labels), batch_size=len(labels))
        self._n_updates += 1
        epsilon = 1e-8 * math.sqrt(1 - self._beta2**self._n_updates)
        if self._n_updates == 1:
            model.set_params(learning_rate_init=eta, epsilon=epsilon)
        else:
            optimizer = model._optimizer
            optimizer.learning_rate = optimizer.learning_rate_init = eta
            optimizer.epsilon = epsilon
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._squared:
                    targets = np.eye(self._n_classes, dtype=x.dtype)[labels]
                    model.partial_fit(x, targets)
                else:
                    model.partial_fit(x, labels, classes=np.arange(self._n_classes))
        except ValueError as error:
            # It refuses weights that are not finite, after it has stored them: they are compared.
            if "non-finite" not in str(error):
                raise

    def _layers(self) -> list[tuple[Array, Array]]:
        if self._n_updates == 0:
            return self._first
        return list(zip(self._model.coefs_, self._model.intercepts_, strict=True))

    def parameters(self) -> dict[str, Array]:
        """Return copies of the weights, as (out, in), and of the biases."""
        found: dict[str, Array] = {}
        for i, (weights, biases) in enumerate(self._layers(), start=1):
            found[f"W{i}"], found[f"b{i}"] = np.array(weights.T), np.array(biases)
        return found

    def measured(self, x: Array, labels: Labels) -> tuple[float, int]:
        """Return the summed loss and how many samples are right."""
        reader = self._reader
        if not hasattr(reader, "coefs_"):
            # Makes what a prediction needs but the weights, which are replaced at once.
            reader.partial_fit(x[:1], np.zeros((1, self._n_classes), x.dtype))
        reader.coefs_ = [weights for weights, _ in self._layers()]
        reader.intercepts_ = [biases for _, biases in self._layers()]
        scores = reader.predict(x)
        n_right = int(np.count_nonzero(scores.argmax(axis=1) == labels))
        if self._squared:
            targets = np.eye(self._n_classes, dtype=x.dtype)[labels]
            return float(0.5 * ((scores - targets) ** 2).sum(dtype=np.float64)), n_right
        of_label = log_softmax(scores, axis=1)[np.arange(len(labels)), labels]
        return -float(of_label.sum(dtype=np.float64)), n_right

    def squared_weights(self) -> float:
        """Return the sum of the squared weights."""
        return float(sum(np.sum(np.square(w), dtype=np.float64) for w, _ in self._layers()))

    def end(self) -> None:
        """Nothing was taken."""


def _check(task: Task) -> None:
    """Refuse what scikit-learn does otherwise."""
    network, training = task.network, task.training
    kind = "MLPRegressor" if network.loss == "squared-error" else "MLPClassifier"
    reason: Message | str | None = None
    if network.bias != "all":
        reason = f"{kind} has biases in all layers, and this network has not"
    elif network.loss not in {"cross-entropy", "squared-error"}:
        reason = f"{kind} has no {network.loss} averaged over the classes"
    elif network.n_normalised:
        reason = f"{kind} has no batch normalisation"
    elif network.bias_row and task.hyperparameters.l2_strength:
        reason = f"{kind} penalises no biases"
    elif training.class_weights is not None:
        reason = f"{kind} has no class weights"
    elif network.hidden and network.activation not in _ACTIVATIONS:
        reason = f"{kind} has no {network.activation}, only {', '.join(_ACTIVATIONS)}"
    elif network.loss == "cross-entropy" and network.n_classes == 2:
        reason = f"{kind} has one logistic output for two classes where this network has two scores"
    elif training.optimizer not in _SOLVERS:
        reason = f"{kind} has no {training.optimizer}, only {', '.join(_SOLVERS)}"
    elif training.optimizer in MOMENTUM_OPTIMIZERS and training.schedule != "constant":
        reason = Message(
            f"{kind} multiplies η into the velocity (v ← μ v − η g), which is another training "
            f"as soon as η changes, and the schedule is {training.schedule}; ",
            option("training.schedule", "constant"),
            " is comparable",
        )
    if reason is not None:
        raise NotComparableError(
            "scikit-learn has no counterpart: ", reason, ". Check against torch, which can"
        )


def _notes(task: Task, name: str) -> list[str]:
    """Return how our conventions are said in scikit-learn's words."""
    batch, strength = task.training.batch_size, task.hyperparameters.l2_strength
    penalty = (
        f"J = mean loss + λ Σ W² is alpha = 2 λ B: {name} adds ½ alpha Σ W² / B, B being the "
        f"samples of the batch; with λ = {strength:g} and B = {batch} alpha is "
        f"{2 * strength * batch:g} (and follows a smaller last batch)"
    )
    notes = [penalty, f"{name}.partial_fit gets one batch a call, with shuffle=False"]
    if task.network.loss == "squared-error":
        notes.append(
            "its gradient is that of ½ ‖scores − one_hot‖² averaged over the samples, although "
            "the loss it prints is divided by the classes, too; the loss here is worked out "
            "from its scores"
        )
    if task.training.schedule != "constant":
        notes.append(
            f"{name} has no {task.training.schedule} schedule: its optimizer is given η before "
            "each update"
        )
    if task.training.optimizer == "adam":
        notes.append(
            "its Adam adds ε to the uncorrected root, which after t updates is ε / √(1 − β₂ᵗ) "
            "in the algorithm as published: it is given ε √(1 − β₂ᵗ)"
        )
    return notes
