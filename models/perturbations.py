"""What becomes of batches on their way: other images of the same things, noise, units left out.

All of it is drawn from streams of seed, replicate and epoch, in the order of the batches. So the
trials of a cohort share it, a trial alone sees the same, and the data itself stays as it is.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, column
from coarsefine.models.cohort import AUGMENTATION, DROPOUT, NOISE, CohortPlan
from coarsefine.models.data.images import channels_first, is_image
from coarsefine.models.errors import ModelError
from coarsefine.models.specs import Hyperparameters, TrainingSpec


def check_images(training: TrainingSpec, shape: tuple[int, ...]) -> None:
    """Raise a ModelError if images are to be changed and samples of this shape are none."""
    if (training.flips or training.shifts) and not is_image(shape):
        words = f"of shape {'×'.join(map(str, shape))}" if shape else "of unknown shape"
        raise ModelError(f"flips and shifts need samples that are images, these are {words}")


class Perturbations:
    """Those of the batches of one epoch, which have to be asked for in their order."""

    def __init__(self, plan: CohortPlan, epoch: int, shape: tuple[int, ...]) -> None:
        """Begin an epoch.

        Args:
            plan: How batches are changed.
            epoch: From 0.
            shape: Of a sample, before it was made a row.
        """
        training = plan.training
        check_images(training, shape)
        self._training = training
        self._width = plan.network.n_features
        self._hidden = plan.network.hidden
        self._dtype = plan.dtype
        self._places: npt.NDArray[np.int64] | None = None
        if training.flips or training.shifts:
            self._places = _variants(shape, training.shifts)
        self._augmentation, self._noise, self._dropout = (
            plan.generator(stream, epoch) for stream in (AUGMENTATION, NOISE, DROPOUT)
        )

    def change(self, x: Array) -> None:
        """Flip, shift and blur a batch (B, D) in place."""
        if self._places is not None:
            variants = self._drawn_variants(len(x))
            x[...] = np.take_along_axis(x, self._places[variants], axis=1)
        if self._training.input_noise:
            drawn = self._noise.standard_normal(x.shape, dtype=np.float32)
            x += x.dtype.type(self._training.input_noise) * drawn

    def _drawn_variants(self, n: int) -> npt.NDArray[np.int64]:
        """Return which of the variants each of n images becomes."""
        rng, reach = self._augmentation, self._training.shifts
        flipped = rng.integers(0, 2, n) if self._training.flips else np.zeros(n, np.int64)
        down, right = rng.integers(0, 2 * reach + 1, (2, n)) if reach else np.zeros((2, n), int)
        return (flipped * (2 * reach + 1) + down) * (2 * reach + 1) + right

    def masks(self, trials: Sequence[Hyperparameters], n_samples: int) -> list[Array] | None:
        """Return what the units of each hidden layer are multiplied with; ``None`` is 1 for all.

        Inverted dropout, Srivastava et al. (2014): a unit is left out with the trial's rate p, else
        it counts ``1 / (1 − p)``. Which units these are follows from numbers that trials share.

        Returns:
            An array a hidden layer, (T or 1, units, B).
        """
        rates = column(trials, "dropout")
        if not np.any(rates):
            return None
        if np.all(rates == rates[0]):
            rates = rates[:1]
        rates = rates[:, None, None]
        counts = (1 / (1 - rates)).astype(self._dtype)
        limits = rates.astype(np.float32)
        drawn = (self._dropout.random((w, n_samples), dtype=np.float32) for w in self._hidden)
        return [np.multiply(numbers >= limits, counts, dtype=self._dtype) for numbers in drawn]


def perturbations_of(plan: CohortPlan, epoch: int, shape: tuple[int, ...]) -> Perturbations | None:
    """Return the perturbations of an epoch; ``None`` if its batches are left as they are."""
    if plan.training.changes_samples or any(trial.dropout for trial in plan.trials):
        return Perturbations(plan, epoch, shape)
    return None


def _variants(shape: tuple[int, ...], reach: int) -> npt.NDArray[np.int64]:
    """Return where each number of a changed image comes from, (variants, D).

    What is shifted in from outside is what lies at the edge. Variants are numbered by whether they
    are flipped, how far they are shifted down, and how far to the right, from the least.
    """
    places = channels_first(shape)
    _, height, width = places.shape
    rows, columns = np.arange(height), np.arange(width)
    found = []
    for flipped in (False, True):
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                from_rows = np.clip(rows - down, 0, height - 1)
                from_columns = np.clip(columns - right, 0, width - 1)
                if flipped:
                    from_columns = width - 1 - from_columns
                variant = np.empty(places.size, np.int64)
                variant[places.ravel()] = places[:, from_rows[:, None], from_columns].ravel()
                found.append(variant)
    return np.stack(found)
