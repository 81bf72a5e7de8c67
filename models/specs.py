"""What a training run is made of, as plain values that check themselves."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from coarsefine.models.errors import ModelError

ActivationName = Literal["relu", "leaky-relu", "sigmoid", "improved-sigmoid", "tanh"]
InitialisationName = Literal[
    "he", "xavier", "hidden-width", "glorot-uniform", "normal", "uniform", "zero"
]
BiasName = Literal["all", "input", "none"]
LossName = Literal["cross-entropy", "squared-error", "hinge", "binary-cross-entropy"]
OptimizerName = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
ScheduleName = Literal[
    "constant", "step", "exponential", "inverse-time", "cyclical", "geometric", "cosine"
]
StopRuleName = Literal["best", "window"]
ScoreName = Literal["final", "best", "lowest"]
PrecisionName = Literal["float32", "float64"]
VALUE_BYTES: Mapping[str, int] = {"float32": 4, "float64": 8}
SplitMethod = Literal["random", "ordered", "canonical", "folds"]
NormalisationName = Literal[
    "none", "scale", "symmetric", "shifted", "centre", "standardise", "standardise-all"
]
TestName = Literal["own", "none"]
CategoricalName = Literal["one-hot"]
MissingName = Literal["median", "indicator", "drop"]
DecimalName = Literal[".", ","]
# Stored in plans. A kernel whose bits change gets a new name.
KernelName = Literal["numpy", "sparse-1", "dense-1", "sparse-2", "dense-2", "sparse-3", "dense-3"]

ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)
INITIALISATIONS: tuple[str, ...] = get_args(InitialisationName)
# Those whose spread is ``sigma``.
SPREAD_INITIALISATIONS = ("normal", "uniform")
BIASES: tuple[str, ...] = get_args(BiasName)
LOSSES: tuple[str, ...] = get_args(LossName)
LOSS_WORDS: dict[str, str] = {
    "cross-entropy": "mean cross-entropy",
    "squared-error": "mean ½ ‖scores − one-hot‖²",
    "hinge": "mean multi-class hinge",
    "binary-cross-entropy": "mean binary cross-entropy of K sigmoids",
}
# What a trial counts with, in words that follow "the" or "its".
SCORE_WORDS: dict[str, str] = {
    "final": "last epoch",
    "best": "best epoch",
    "lowest": "evaluation with the lowest loss",
}
OPTIMIZERS: tuple[str, ...] = get_args(OptimizerName)
SCHEDULES: tuple[str, ...] = get_args(ScheduleName)
# Those that go once from one η to another, over the whole training.
WHOLE_SCHEDULES = ("geometric", "cosine")
# Of images that are this much larger in each direction, few pixels would be left.
MOST_SHIFTS = 16
# On so many training samples curves are measured; where a training ends, on all.
TRAIN_SAMPLES = 2000
STOP_RULES: tuple[str, ...] = get_args(StopRuleName)
PRECISIONS: tuple[str, ...] = get_args(PrecisionName)
SPLIT_METHODS: tuple[str, ...] = get_args(SplitMethod)
NORMALISATIONS: tuple[str, ...] = get_args(NormalisationName)
KERNELS: tuple[str, ...] = get_args(KernelName)
SPARSE_KERNELS: tuple[KernelName, ...] = ("sparse-1", "sparse-2", "sparse-3")


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """What recipes and checks must know of an optimizer before it is loaded.

    Attributes:
        usual_eta: The learning rate where none is stated.
        stable_factor: Given μ, its largest stable η on a quadratic as a multiple of that of plain
            descent; ``None`` where it is no such multiple.
        uses_momentum: Whether μ plays a part.
    """

    usual_eta: float
    stable_factor: Callable[[float], float] | None = None
    uses_momentum: bool = False


OPTIMIZER_FACTS: dict[OptimizerName, OptimizerFacts] = {
    "sgd": OptimizerFacts(0.1, lambda momentum: 1.0),
    # η has to go down when momentum comes in (NTNU's lab: from 0.1 to 0.02). Polyak (1964).
    "momentum": OptimizerFacts(0.02, lambda momentum: 1 + momentum, uses_momentum=True),
    # The root of its recurrence at -1.
    "nesterov": OptimizerFacts(
        0.02, lambda momentum: (1 + momentum) / (1 + 2 * momentum), uses_momentum=True
    ),
    "rmsprop": OptimizerFacts(0.001),
    "adam": OptimizerFacts(0.001),
    "adamw": OptimizerFacts(0.001),
}
MOMENTUM_OPTIMIZERS: tuple[str, ...] = tuple(
    name for name, facts in OPTIMIZER_FACTS.items() if facts.uses_momentum
)


def named_bias(value: object) -> object:
    """Return what ``True`` and ``False`` stand for, as plans and recipes of old have them.

    Anything else is returned as it is.
    """
    return ("all" if value else "none") if isinstance(value, bool) else value


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A fully connected network: ``n_features``, hidden layers, ``n_classes``.

    No hidden layers and cross-entropy is softmax regression. With ``squared-error`` the output
    layer is linear, its loss ``½ ‖scores − one_hot‖²`` averaged over the samples.

    Attributes:
        sigma: Standard deviation of the first weights where ``initialisation`` is ``normal``;
            where it is ``uniform``, they lie between ``-sigma`` and ``sigma``.
        slope: Derivative of a leaky ReLU below 0; in (0, 1).
        bias_sigma: Standard deviation of the first biases, which are normal; 0 is none.
        batch_norm: Whether hidden layers are normalised by their batch before their bias is added
            and their activation applied.
        bias: Which layers add a bias: ``all``, the first alone (``input``, which is what a constant
            1 beside the features gives: the courses' bias trick) or ``none``; ``True`` and
            ``False`` stand for all and none.
        bias_row: Whether biases are the weights of one more input, a constant 1: drawn and
            penalised as weights. Otherwise they are never penalised.
    """

    n_features: int
    hidden: tuple[int, ...]
    n_classes: int
    activation: ActivationName = "relu"
    initialisation: InitialisationName = "he"
    sigma: float = 0.01
    loss: LossName = "cross-entropy"
    bias: BiasName = "all"
    slope: float = 0.01
    bias_sigma: float = 0.0
    batch_norm: bool = False
    bias_row: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "bias", named_bias(self.bias))
        if self.bias not in BIASES:
            raise ModelError(f"bias must be one of {', '.join(BIASES)}, got {self.bias!r}")
        for width in (self.n_features, *self.hidden):
            if width < 1:
                raise ModelError(f"layer widths must be >= 1, got {width}")
        if self.n_classes < 2:
            raise ModelError(f"n_classes must be >= 2, got {self.n_classes}")
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise ModelError(f"sigma must be finite and > 0, got {self.sigma}")
        if not 0 < self.slope < 1:
            raise ModelError(f"slope must be > 0 and < 1, got {self.slope}")
        if not (math.isfinite(self.bias_sigma) and self.bias_sigma >= 0):
            raise ModelError(f"bias_sigma must be finite and >= 0, got {self.bias_sigma}")
        if self.bias_row and self.bias_sigma:
            raise ModelError(
                f"a bias row is drawn as the weights are; leave out bias_sigma {self.bias_sigma}"
            )
        if self.bias_row and self.batch_norm and self.hidden:
            raise ModelError("a bias row does not go with batch_norm, whose biases come after it")

    @property
    def widths(self) -> tuple[int, ...]:
        """Return input, hidden and output widths, in that order."""
        return (self.n_features, *self.hidden, self.n_classes)

    @property
    def n_normalised(self) -> int:
        """Return how many layers are normalised by their batch, counted from the input."""
        return len(self.hidden) if self.batch_norm else 0

    def fan_in(self, layer: int) -> int:
        """Return how many inputs a unit of a layer has, the constant of a bias row among them."""
        return self.widths[layer] + (self.bias_row and layer < self.n_biased)

    @property
    def n_biased(self) -> int:
        """Return how many layers have biases, counted from the input."""
        return {"all": len(self.hidden) + 1, "input": 1, "none": 0}[self.bias]


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """How a cohort is trained: all that its trials share.

    Attributes:
        n_updates: Length of the training in updates; the last epoch may be a part of one.
        shuffle: New batch order each epoch; otherwise batches follow the order of the data.
        schedule: How η goes; its numbers are per trial, in ``Hyperparameters``.
        drop_last: Leave out the last, smaller batch of an epoch.
        evaluations: How often an epoch the validation split is measured: every
            ``⌊updates_per_epoch / evaluations⌋`` updates (at least one), and at its end in place
            of the last. Those within an epoch have rows of their own.
        evaluate_every: In place of that, measure after update 1 and every so many updates from
            there, through all epochs; the ends of epochs have rows, and early stopping passes them
            over.
        patience: How many evaluations early stopping waits; ``None`` never stops.
        stop_rule: What it waits for: ``best`` stops after ``patience`` evaluations in a row without
            a lower validation loss than the lowest, ``window`` when the oldest of the last
            ``patience + 1`` is the lowest of them (``coarsefine.models.early_stopping``).
        diverged_at: A trial whose training cost is more than so many times what it was before the
            first update, at the end of an epoch or where it stops, has diverged; ``None``: only if
            it is not finite.
        score: Whether a trial counts with its last epoch, its best, or the evaluation with the
            ``lowest`` validation loss, which may lie within an epoch.
        train_samples: Training accuracy is re-evaluated on at most so many training samples,
            drawn once; ``None`` takes all of them.
        class_weights: What the loss of a sample counts in updates, by its class: K numbers,
            ``balanced`` (the inverse of the class's share, divided by K), or ``None`` for 1.
        flips: Mirror each image of a batch with a chance of ½.
        shifts: Shift each image of a batch by up to so many pixels in both directions.
        input_noise: Standard deviation of the normal noise that batches are blurred with.
        snapshots: Keep the network that each cycle of η ends with.
        running: Measure each batch before its update, too: what Keras prints as an epoch's training
            accuracy is the mean of these.
    """

    batch_size: int
    n_updates: int
    optimizer: OptimizerName = "sgd"
    schedule: ScheduleName = "constant"
    shuffle: bool = True
    drop_last: bool = False
    evaluations: int = 1
    patience: int | None = None
    stop_rule: StopRuleName = "best"
    diverged_at: float | None = None
    score: ScoreName = "final"
    precision: PrecisionName = "float32"
    train_samples: int | None = TRAIN_SAMPLES
    running: bool = False
    class_weights: tuple[float, ...] | Literal["balanced"] | None = None
    flips: bool = False
    shifts: int = 0
    input_noise: float = 0.0
    snapshots: bool = False
    evaluate_every: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "n_updates", "evaluations"):
            value = getattr(self, name)
            if value < 1:
                raise ModelError(f"{name} must be >= 1, got {value}")
        for name in ("patience", "train_samples", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ModelError(f"{name} must be >= 1, got {value}")
        if not 0 <= self.shifts <= MOST_SHIFTS:
            raise ModelError(f"shifts must be >= 0 and <= {MOST_SHIFTS}, got {self.shifts}")
        if not (math.isfinite(self.input_noise) and self.input_noise >= 0):
            raise ModelError(f"input_noise must be finite and >= 0, got {self.input_noise}")
        if self.stop_rule not in STOP_RULES:
            raise ModelError(
                f"stop_rule must be one of {', '.join(STOP_RULES)}, got {self.stop_rule!r}"
            )
        if self.stop_rule == "window" and self.patience == 1:
            # The first loss alone would be the lowest of those there are.
            raise ModelError("patience must be >= 2 with stop_rule window, got 1")
        if self.diverged_at is not None and not self.diverged_at > 1:
            raise ModelError(f"diverged_at must be > 1, got {self.diverged_at}")

    @property
    def changes_samples(self) -> bool:
        """Return whether batches are other samples than those of the data."""
        return bool(self.flips or self.shifts or self.input_noise)

    def evaluation_steps(self, first: int, n_train: int) -> list[int]:
        """Return the updates after which an epoch is evaluated; the last of them ends it.

        Args:
            first: Updates made before the epoch.
            n_train: Number of training samples.
        """
        per_epoch = self.updates_per_epoch(n_train)
        stop = min(first + per_epoch, self.n_updates)
        if self.evaluate_every is not None:
            return [*(s for s in range(first + 1, stop) if self.counts(s)), stop]
        interval = max(1, per_epoch // self.evaluations)
        return [*range(first + interval, stop, interval)[: self.evaluations - 1], stop]

    @property
    def within(self) -> bool:
        """Return whether the validation split is measured within epochs, too."""
        return self.evaluations > 1 or self.evaluate_every is not None

    def counts(self, step: int) -> bool:
        """Return whether early stopping counts an evaluation after so many updates."""
        return self.evaluate_every is None or (step - 1) % self.evaluate_every == 0

    def updates_per_epoch(self, n_train: int) -> int:
        """Return the number of batches that ``n_train`` samples make.

        Raises:
            ModelError: If a batch is larger than the training set.
        """
        if self.batch_size > n_train:
            raise ModelError(
                f"batch size must be <= the training set's {n_train} samples, got {self.batch_size}"
            )
        if self.drop_last:
            return n_train // self.batch_size
        return -(-n_train // self.batch_size)

    def n_epochs(self, n_train: int) -> int:
        """Return the number of epochs, the last one possibly a part."""
        return -(-self.n_updates // self.updates_per_epoch(n_train))


# name: (lowest, highest, lowest allowed itself)
_LIMITS: dict[str, tuple[float, float, bool]] = {
    "l2_strength": (0.0, math.inf, True),
    "learning_rate": (0.0, math.inf, False),
    "eta_min": (0.0, math.inf, False),
    "eta_max": (0.0, math.inf, False),
    "half_cycle": (1.0, math.inf, True),
    "step_factor": (0.0, 1.0, False),
    "step_every": (1.0, math.inf, True),
    "cycle_factor": (0.0, 1.0, False),
    "eta_decay": (0.0, math.inf, True),
    "warm_up": (0.0, math.inf, True),
    "momentum": (0.0, 1.0, True),
    "beta1": (0.0, 1.0, True),
    "beta2": (0.0, 1.0, True),
    "decoupled_decay": (0.0, math.inf, True),
    "clip_norm": (0.0, math.inf, True),
    "label_smoothing": (0.0, 1.0, True),
    "dropout": (0.0, 1.0, True),
}
_BELOW_1 = ("momentum", "beta1", "beta2", "label_smoothing", "dropout")


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """The numbers that may differ between the trials of a cohort.

    Attributes:
        l2_strength: λ of ``J = loss + λ Σ W²``; ``>= 0``.
        learning_rate: First η of the schedules without bounds; ``> 0``.
        eta_min: Lowest η of the cyclical, geometric and cosine schedules.
        eta_max: Highest η of them.
        half_cycle: n_s, updates from ``eta_min`` to ``eta_max``, or back; whole, ``>= 1``.
        step_factor: What η is multiplied with every ``step_every`` updates; in (0, 1].
        step_every: Updates between two steps; whole, ``>= 1``.
        momentum: μ of momentum and Nesterov; in [0, 1).
        cycle_factor: What the height of a cycle is multiplied with for the next; in (0, 1].
        eta_decay: k of ``exp(−k t)`` and ``1 / (1 + k t)``, t in epochs; ``>= 0``.
        warm_up: Updates before the schedule, while η rises linearly to its first; whole.
        beta1: Share of the mean gradient that Adam keeps; in [0, 1).
        beta2: Share of the mean square that Adam keeps; in [0, 1).
        decoupled_decay: Of ``w ← (1 − η · decay) w``, beside λ; ``>= 0``.
        clip_norm: Largest norm of a gradient, longer ones are shortened to it; 0 for none.
        label_smoothing: Share of each label that is spread evenly over the classes; in [0, 1).
        dropout: Share of the hidden units that each sample of a batch leaves out; in [0, 1).
    """

    l2_strength: float = 0.0
    learning_rate: float = 0.1
    eta_min: float = 1e-5
    eta_max: float = 1e-1
    half_cycle: int = 500
    step_factor: float = 0.1
    step_every: int = 1000
    momentum: float = 0.9
    cycle_factor: float = 1.0
    eta_decay: float = 0.05
    warm_up: int = 0
    beta1: float = 0.9
    beta2: float = 0.999
    decoupled_decay: float = 0.0
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high, closed) in _LIMITS.items():
            value = getattr(self, name)
            above = value >= low if closed else value > low
            if not (math.isfinite(value) and above and value <= high):
                sign = ">=" if closed else ">"
                upper = "" if math.isinf(high) else f" and <= {high:g}"
                raise ModelError(f"{name} must be finite and {sign} {low:g}{upper}, got {value}")
        for name in _BELOW_1:
            if getattr(self, name) >= 1.0:
                raise ModelError(f"{name} must be < 1, got {getattr(self, name)}")
        if self.eta_min > self.eta_max:
            raise ModelError(f"eta_min must be <= eta_max, got {self.eta_min} > {self.eta_max}")
