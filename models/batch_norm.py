"""Batch normalisation of one layer of T networks: Ioffe & Szegedy (2015), algorithms 1 and 2."""

from typing import Final

import numpy as np

from coarsefine.models.arrays import Array

# As PyTorch has it: added to variances, so that units that never change are not divided by 0.
EPSILON: Final = 1e-5
# Share of the running statistics that an update keeps.
KEPT: Final = 0.9


class BatchNorm:
    """A layer's normalisation before its activation; ``backward`` is right under ``train``.

    Attributes:
        gain_gradient: (T, units), of γ, after ``backward``.
        shift_gradient: (T, units), of the bias that is added afterwards.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: type[np.floating]) -> None:
        """Make the arrays of a layer of a shape, (T, units, B)."""
        self._normalised: Array = np.empty(shape, dtype)
        self._inverse = self.gain_gradient = self.shift_gradient = np.empty(shape[:2], dtype)

    def train(self, z: Array, gain: Array, mean: Array, variance: Array, kept: float) -> None:
        """Normalise ``z`` (T, units, B) in place by its own batch, times γ.

        Args:
            z: Of one layer.
            gain: γ, (T, units).
            mean: Running mean, (T, units); moved towards the batch's in place.
            variance: Running variance, likewise; that of the batch divides by B.
            kept: Share of both that stays; 0 at the first batch, which they begin with.
        """
        n_samples = z.shape[2]
        batch_mean = np.add.reduce(z, axis=2)
        batch_mean /= n_samples
        z -= batch_mean[:, :, None]
        batch_variance = np.einsum("tub,tub->tu", z, z)
        batch_variance /= n_samples
        self._inverse = 1 / np.sqrt(batch_variance + z.dtype.type(EPSILON))
        np.multiply(z, self._inverse[:, :, None], out=self._normalised)
        np.multiply(self._normalised, gain[:, :, None], out=z)
        share = z.dtype.type(1 - kept)
        mean += share * (batch_mean - mean)
        variance += share * (batch_variance - variance)

    def backward(self, delta: Array, gain: Array) -> None:
        """Turn ``delta``, by what ``train`` made, into that by what it was given, in place."""
        n_samples = delta.shape[2]
        self.shift_gradient = np.add.reduce(delta, axis=2)
        self.gain_gradient = np.einsum("tub,tub->tu", delta, self._normalised)
        self._normalised *= (self.gain_gradient / n_samples)[:, :, None]
        delta -= self._normalised
        delta -= (self.shift_gradient / n_samples)[:, :, None]
        delta *= (gain * self._inverse)[:, :, None]


def normalise(z: Array, gain: Array, mean: Array, variance: Array) -> None:
    """Normalise ``z`` (T, units, B) in place by running statistics, times γ."""
    z -= mean[:, :, None]
    z *= (gain / np.sqrt(variance + z.dtype.type(EPSILON)))[:, :, None]
