"""A decoded data set in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.columns import Column

Samples = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set as read: nothing split off, nothing normalised.

    Attributes:
        x: ``(N, D)``, uint8 or float32, or float64 where float32 would lose digits; all samples
            outside the test set.
        y: ``(N,)``, int64, 0 … K-1.
        x_test: Samples of the test set; ``None`` where the data set has none of its own.
        y_test: Their labels.
        value_range: Lowest and highest value a feature can have, where that is known.
        canonical: Sizes of the data set's own training and validation parts: the first samples
            of ``x`` and those that follow.
        warnings: What the user should know, a line each.
        feature_names: Of the columns of a table; empty where they have none.
        columns: What the columns of ``x`` hold, where words or gaps are among them.
    """

    x: Samples
    y: NDArray[np.int64]
    x_test: Samples | None
    y_test: NDArray[np.int64] | None
    sample_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    value_range: tuple[float, float] | None = None
    canonical: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] | None = None


def differing_files(name: str, files: Sequence[str], place: Path) -> tuple[str, ...]:
    """Return the warning, if there is one to give, that files are not the published ones."""
    if not files:
        return ()
    verb = "differs" if len(files) == 1 else "differ"
    listed = ", ".join(files)
    return (f"{name}: {listed} in {place} {verb} from what was published; used as found",)
