"""From samples as decoded to what a network sees: words and gaps encoded, then normalised."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.columns import Column, Encoder, fitted_encoder
from coarsefine.models.data.decoded import Decoded
from coarsefine.models.data.normalise import Normalisation, fitted
from coarsefine.models.data.spec import DataSpec

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


def fitted_transform(
    decoded: Decoded, spec: DataSpec, x: NDArray[np.generic], rows: NDArray[np.int64]
) -> tuple[Transform, NDArray[np.generic]]:
    """Return the transform with the statistics of ``x[rows]``, and ``x`` with words encoded.

    Raises:
        DataError: If the rows do not tell what they should.
    """
    encoder = None
    if decoded.columns is not None:
        encoder = fitted_encoder(x, rows, decoded.columns, spec.missing)
        x = encoder.encoded(x, decoded.columns)
    return Transform(fitted(spec.normalisation, x, rows, decoded.value_range), encoder), x
