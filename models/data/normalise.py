"""Normalisation: an affine map of the features with statistics of the training split."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.columns import EncodedSamples
from coarsefine.models.specs import NormalisationName

Values = NDArray[np.float64]
# Rows are gathered, computed and written in pieces of about so many bytes in float64.
_PIECE_BYTES = 16 << 20


@dataclass(frozen=True, eq=False, slots=True)
class Normalisation:
    """``(x - shift) / divisor``; each a number or one number per feature."""

    shift: Values
    divisor: Values

    def applied(self, x: NDArray[np.generic], precision: str) -> NDArray[np.floating]:
        """Return rows normalised, computed in float64 and then rounded to ``precision``."""
        result = np.subtract(x, self.shift, dtype=np.float64)
        np.divide(result, self.divisor, out=result)
        rounded: NDArray[np.floating] = result.astype(precision)
        return rounded

    def save(self, path: Path) -> None:
        """Write the statistics to an .npz file."""
        np.savez(path, shift=self.shift, divisor=self.divisor)

    @staticmethod
    def load(path: Path) -> "Normalisation":
        """Return the statistics that ``save`` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return Normalisation(arrays["shift"], arrays["divisor"])


def fitted(
    kind: NormalisationName,
    x: NDArray[np.generic] | EncodedSamples,
    rows: NDArray[np.int64],
    value_range: tuple[float, float] | None,
) -> Normalisation:
    """Return the normalisation with the statistics of ``x[rows]``.

    A feature that is constant there is only centred, and scaled as ``scale`` does: a division by
    its standard deviation, 0, is none. Without a known ``value_range`` the lowest and highest
    value in ``x[rows]`` take its place.
    """
    zero, one = np.float64(0), np.float64(1)
    if kind == "none":
        return Normalisation(np.asarray(zero), np.asarray(one))
    statistics = _Statistics.of(x, rows)
    low, high = value_range or (float(statistics.low.min()), float(statistics.high.max()))
    span = np.float64(high - low) if high > low else one
    if kind == "scale":
        return Normalisation(np.asarray(np.float64(low)), np.asarray(span))
    if kind in {"symmetric", "shifted"}:
        middle = np.asarray(np.float64((low + high) / 2))
        return Normalisation(middle, np.asarray(span / 2 if kind == "symmetric" else span))
    if kind == "centre":
        return Normalisation(statistics.mean, np.asarray(span))
    if kind == "standardise":
        # By lowest and highest: rounding can leave a constant feature a tiny deviation.
        constant = statistics.low == statistics.high
        return Normalisation(statistics.mean, np.where(constant, span, statistics.deviation))
    mean = statistics.mean.mean()
    variance = (statistics.deviation**2 + (statistics.mean - mean) ** 2).mean()
    deviation = np.sqrt(variance) if (statistics.low.min() < statistics.high.max()) else span
    return Normalisation(np.asarray(mean), np.asarray(deviation))


def pieces(
    x: NDArray[np.generic] | EncodedSamples, rows: NDArray[np.int64]
) -> Iterator[NDArray[np.generic]]:
    """Yield ``x[rows]`` in pieces small enough to compute on."""
    step = max(1, _PIECE_BYTES // (8 * x.shape[1]))
    for start in range(0, len(rows), step):
        yield x[rows[start : start + step]]


@dataclass(frozen=True, eq=False, slots=True)
class _Statistics:
    """Of each feature over the training rows."""

    mean: Values
    deviation: Values
    low: Values
    high: Values

    @staticmethod
    def of(x: NDArray[np.generic] | EncodedSamples, rows: NDArray[np.int64]) -> "_Statistics":
        n_features = x.shape[1]
        n = 0
        mean, squares = np.zeros(n_features), np.zeros(n_features)
        low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
        for piece in pieces(x, rows):
            np.minimum(low, piece.min(axis=0), out=low)
            np.maximum(high, piece.max(axis=0), out=high)
            # Chan's formula joins the pieces' means and sums of squares without cancellation.
            values = piece.astype(np.float64)
            piece_mean = values.mean(axis=0)
            values -= piece_mean
            piece_squares = np.einsum("ij,ij->j", values, values)
            delta = piece_mean - mean
            total = n + len(piece)
            mean += delta * (len(piece) / total)
            squares += piece_squares + delta**2 * (n * len(piece) / total)
            n = total
        return _Statistics(mean, np.sqrt(squares / n), low, high)
