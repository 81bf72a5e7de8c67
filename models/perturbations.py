"""What becomes of batches on their way: other images of the same things, noise, units left out.

All of it is drawn from streams of seed, replicate and epoch, in the order of the batches. So the
trials of a cohort share it, a trial alone sees the same, and the data itself stays as it is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

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
        self._hidden = plan.network.hidden
        self._dtype = plan.dtype
        self._shape = shape
        self._augmentation, self._noise, self._dropout = (
            plan.generator(stream, epoch) for stream in (AUGMENTATION, NOISE, DROPOUT)
        )

    def change(self, x: Array) -> None:
        """Flip, shift and blur a batch (B, D) in place."""
        training = self._training
        if training.flips or training.shifts:
            images = channels_first(x.reshape(len(x), *self._shape))
            if training.flips:
                flipped = self._augmentation.integers(0, 2, len(x)).astype(np.bool_)
                images[flipped] = images[flipped][..., ::-1]
            if training.shifts:
                self._shift(images, training.shifts)
        if training.input_noise:
            drawn = self._noise.standard_normal(x.shape, dtype=np.float32)
            x += x.dtype.type(training.input_noise) * drawn

    def _shift(self, images: Array, reach: int) -> None:
        """Shift images (B, colours, height, width) in place; what comes in is the edge again."""
        n, *_, height, width = images.shape
        down, right = self._augmentation.integers(0, 2 * reach + 1, (2, n))
        sides = ((0, 0), (0, 0), (reach, reach), (reach, reach))
        wide = np.pad(images, sides, mode="edge")
        windows = sliding_window_view(wide, (height, width), axis=(2, 3))
        images[...] = windows[np.arange(n), :, 2 * reach - down, 2 * reach - right]

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
