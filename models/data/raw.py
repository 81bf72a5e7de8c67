"""A decoded data set in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.columns import Column

Samples = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]


class SideBySide:
    """The columns of a table as an array ``(N, D)`` that is never held as a whole.

    NumPy's functions make an array of it, best of a few rows at a time.
    """

    def __init__(
        self,
        columns: Sequence[NDArray[np.generic]],
        dtype: np.dtype[Any],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        """Make it.

        Args:
            columns: ``(M,)`` each.
            dtype: Of the array.
            rows: ``(N,)``, those of the columns that are in it; ``None`` for all, in order.
        """
        self._columns = columns
        self._rows = rows
        self.dtype = dtype
        self.shape = (len(columns[0]) if rows is None else len(rows), len(columns))

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.int64] | NDArray[np.bool_]) -> "SideBySide":
        """Return some rows; nothing is copied but their numbers."""
        if isinstance(rows, slice):
            places = np.arange(*rows.indices(len(self)))
        else:
            places = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return SideBySide(
            self._columns, self.dtype, places if self._rows is None else self._rows[places]
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return a new array, C-contiguous."""
        array = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for i, column in enumerate(self._columns):
            array[:, i] = column if self._rows is None else column[self._rows]
        return array


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set as read: nothing split off, nothing normalised.

    Attributes:
        x: ``(N, D)``, uint8 or float32, or float64 where float32 would lose digits; all samples
            outside the test set. Of tables, columns side by side.
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

    x: Samples | SideBySide
    y: NDArray[np.int64]
    x_test: Samples | SideBySide | None
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
