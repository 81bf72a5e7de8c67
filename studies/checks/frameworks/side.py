"""What a cross-check asks of another framework."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Final, Protocol

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.network import Parameters
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.studies.errors import StudyError


class FrameworkMissingError(StudyError):
    """A framework that is not installed."""


class NotComparableError(StudyError):
    """Something of a recipe that the framework does otherwise, or not at all."""


# The hyperparameters that every side follows. A side that follows more says so.
FOLLOWED: Final = frozenset(
    {"l2_strength", "learning_rate", "eta_min", "eta_max", "half_cycle", "step_factor"}
    | {"step_every", "eta_decay", "cycle_factor", "warm_up", "momentum", "beta1", "beta2"}
)


@dataclass(frozen=True, slots=True)
class Task:
    """What both sides train.

    Attributes:
        first: The weights and biases both begin with, T = 1; not to be changed.
        per_epoch: Updates an epoch.
        class_weights: (K,), in the precision of the training.
    """

    network: NetworkSpec
    training: TrainingSpec
    hyperparameters: Hyperparameters
    first: Parameters
    per_epoch: int = 1
    class_weights: Array | None = None

    def check(self, followed: Collection[str]) -> None:
        """Raise a NotComparableError if a hyperparameter counts that is not among ``followed``."""
        for field in fields(self.hyperparameters):
            value = getattr(self.hyperparameters, field.name)
            if field.name not in followed and value != field.default:
                raise NotComparableError(
                    f"the other framework is not given {field.name}, which is {value:g} here"
                )


class Side(Protocol):
    """A network in another framework, and how it is trained there.

    Attributes:
        version: Name and version of the framework.
        notes: How our conventions were said in its words, a line each.
    """

    version: str
    notes: tuple[str, ...]

    def update(self, x: Array, labels: Labels, eta: float, masks: Sequence[Array] | None) -> None:
        """Make one update.

        Args:
            x: A batch, (B, D).
            labels: (B,).
            eta: The learning rate; frameworks with schedules of their own use those instead, so
                that they are checked, too.
            masks: What the units of each hidden layer are multiplied with, (1, units, B); ``None``
                is 1 for all.
        """

    def parameters(self) -> dict[str, Array]:
        """Return copies of ``W1`` (out, in), ``b1`` (out,), ``W2``, … as they are now."""

    def measured(self, x: Array, labels: Labels) -> tuple[float, int]:
        """Return the loss summed over the samples, without penalty, and how many are right."""

    def squared_weights(self) -> float:
        """Return ``Σ W²`` over all weights, biases left out."""

    def end(self) -> None:
        """Give back what was taken from the process."""
