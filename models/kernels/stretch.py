"""A stretch of updates: what a kernel is asked to carry out, between two evaluations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.cohort import CohortPlan, CohortState
from coarsefine.models.perturbations import Perturbations
from coarsefine.models.specs import Hyperparameters


class Running:
    """Sums over the batches of an epoch, each measured before its update.

    Attributes:
        batches: (T,) each, the mean losses of the batches since the last evaluation.
    """

    def __init__(self, n_trials: int) -> None:
        self.n_samples = 0
        self.loss = np.zeros(n_trials)
        self.n_right = np.zeros(n_trials)
        self.batches: list[npt.NDArray[np.float64]] = []

    def add(
        self, n_samples: int, n_right: npt.NDArray[np.float64], loss: npt.NDArray[np.float64]
    ) -> None:
        """Count a batch in: how many samples, and of each trial how many right, and their loss."""
        self.n_samples += n_samples
        self.n_right += n_right
        self.loss += loss
        self.batches.append(loss / n_samples)

    def since_evaluation(self) -> npt.NDArray[np.float64]:
        """Return mean and standard deviation of the batches since the last call, (2, T)."""
        batches, self.batches = np.stack(self.batches), []
        return np.stack([batches.mean(axis=0), batches.std(axis=0)])

    def means(self, trial: int) -> dict[str, float]:
        """Return a trial's means, by the names of ``EpochRow``."""
        return {
            "running_loss": float(self.loss[trial] / self.n_samples),
            "running_accuracy": float(self.n_right[trial] / self.n_samples),
        }

    def keep(self, trials: Sequence[int]) -> None:
        """Go on with some of the trials."""
        self.loss, self.n_right = self.loss[trials], self.n_right[trials]


@dataclass(frozen=True, eq=False, slots=True)
class Stretch:
    """Updates of the trials that a cohort still has.

    Attributes:
        plan: What is trained.
        state: Its parameters and optimizer's slots are changed in place; ``step`` is not.
        x: (N, D), all training samples.
        labels: (N,).
        order: The samples of the batches, one batch after another; there may be more.
        etas: (n, T), the learning rates of n updates.
        trials: Their hyperparameters, T of them.
        running: Added to, if batches are to be measured.
        perturbations: Of the epoch, if batches are to be changed.
    """

    plan: CohortPlan
    state: CohortState
    x: Array
    labels: Labels
    order: npt.NDArray[np.intp]
    etas: npt.NDArray[np.float64]
    trials: Sequence[Hyperparameters]
    running: Running | None
    perturbations: Perturbations | None = None


class MakesUpdates(Protocol):
    """A kernel."""

    def __call__(self, stretch: Stretch) -> None:
        """Make the updates."""
