"""From samples as decoded to what a network sees: words and gaps encoded, then normalised."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.columns import Column, EncodedSamples, Encoder, fitted_encoder
from coarsefine.models.data.decoded import Decoded, mapped
from coarsefine.models.data.features import collapsed, sampling_step
from coarsefine.models.data.normalise import Normalisation, fitted, pieces
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.data.wording import named

STATISTICS = "statistics.npz"
_ENCODER = "encoder"


@dataclass(frozen=True, eq=False, slots=True)
class Transform:
    """What was fitted on a training split, to be applied to any sample.

    Attributes:
        normalisation: Shift and divisor of each feature.
        encoder: How columns of words and gaps become features; ``None`` where there are none.
    """

    normalisation: Normalisation
    encoder: Encoder | None = None

    def applied(
        self, x: NDArray[np.generic], columns: Sequence[Column] | None, precision: str
    ) -> NDArray[np.floating]:
        """Return rows as a network sees them.

        Args:
            x: Rows as decoded.
            columns: What they hold, if words or gaps may be among them.
            precision: Floating-point type of the result.
        """
        if self.encoder is not None:
            x = self.encoder.encoded(x, columns or ())
        return self.normalisation.applied(x, precision)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the statistics to a folder; return what its notes must hold beside them."""
        self.normalisation.save(folder / STATISTICS)
        return {} if self.encoder is None else {_ENCODER: self.encoder.to_json()}

    @staticmethod
    def load(folder: Path, notes: dict[str, Any]) -> "Transform":
        """Return the transform that ``save`` wrote."""
        stored = notes.get(_ENCODER)
        encoder = None if stored is None else Encoder.from_json(stored)
        return Transform(Normalisation.load(folder / STATISTICS), encoder)


def fitted_transform(decoded: Decoded, spec: DataSpec, rows: NDArray[np.int64]) -> Transform:
    """Return the transform with the statistics of some samples.

    Raises:
        DataError: If they do not tell what they should.
    """
    encoder = None
    if decoded.columns is not None:
        encoder = fitted_encoder(decoded.x(), rows, decoded.columns, spec.missing)
    x = encoded_samples(decoded, encoder)
    return Transform(fitted(spec.normalisation, x, rows, decoded.value_range), encoder)


def encoded_samples(
    decoded: Decoded, encoder: Encoder | None
) -> NDArray[np.generic] | EncodedSamples:
    """Return the samples, not yet normalised, mapped into memory for as long as they are used."""
    if encoder is None:
        return decoded.x()
    return encoder.view(decoded.x(), decoded.columns or ())


def collapse_notes(
    decoded: Decoded,
    encoder: Encoder | None,
    rows: NDArray[np.int64],
    path: Path,
    feature_names: Sequence[str],
) -> list[str]:
    """Return the note, if there is one to give, that values that differed became equal.

    Args:
        decoded: The data set.
        encoder: Of its words and gaps.
        rows: The training samples.
        path: Their file, normalised.
        feature_names: Of the columns of both; empty where they have none.
    """
    step = sampling_step(len(rows))
    sampled = _gathered(decoded, encoder, rows[::step])
    if sampled is None:
        return []
    # Rows are copied, so that of both files only one is mapped at a time.
    after = mapped(path)[::step].copy()
    lost = []
    for i in range(after.shape[1]):
        if collapsed(sampled[:, i], after[:, i]) is None:
            continue
        x = encoded_samples(decoded, encoder)
        before = np.concatenate([piece[:, i] for piece in pieces(x, rows)])
        if (counts := collapsed(before, mapped(path)[:, i])) is not None:
            label = named(feature_names[i]) if feature_names else str(i)
            lost.append(f"{label} ({counts[0]:,} different values became {counts[1]:,})")
    if not lost:
        return []
    what = "feature" if len(lost) == 1 else "features"
    note = (
        f"{decoded.name}: {what} {', '.join(lost[:4])}{', …' if len(lost) > 4 else ''} lost "
        f"digits: the values are too close to each other for {after.dtype} as normalised"
    )
    return [note]


def _gathered(
    decoded: Decoded, encoder: Encoder | None, rows: NDArray[np.int64]
) -> NDArray[np.generic] | None:
    """Return samples as encoded; ``None`` where they are bytes, which never become equal."""
    x = encoded_samples(decoded, encoder)
    if x.dtype == np.uint8:
        return None
    gathered = np.empty((len(rows), x.shape[1]), x.dtype)
    start = 0
    for piece in pieces(x, rows):
        gathered[start : start + len(piece)] = piece
        start += len(piece)
    return gathered
