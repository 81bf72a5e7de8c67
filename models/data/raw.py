"""A decoded data set in memory, and the checks that hold for every one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set as read: nothing split off, nothing normalised.

    Attributes:
        x: ``(N, D)``, uint8 or float32; all samples outside the test set.
        y: ``(N,)``, int64, 0 … K-1.
        x_test: Samples of the test set; ``None`` where the data set has none of its own.
        y_test: Their labels.
        value_range: Lowest and highest value a feature can have, where that is known.
        canonical: Sizes of the data set's own training and validation parts: the first samples
            of ``x`` and those that follow.
        warnings: What the user should know, a line each.
    """

    x: NDArray[np.uint8] | NDArray[np.float32]
    y: NDArray[np.int64]
    x_test: NDArray[np.uint8] | NDArray[np.float32] | None
    y_test: NDArray[np.int64] | None
    sample_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    value_range: tuple[float, float] | None = None
    canonical: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()


def differing_files(name: str, files: Sequence[str], place: Path) -> tuple[str, ...]:
    """Return the warning, if there is one to give, that files are not the published ones."""
    if not files:
        return ()
    verb = "differs" if len(files) == 1 else "differ"
    listed = ", ".join(files)
    return (f"{name}: {listed} in {place} {verb} from what was published; used as found",)


def checked_labels(
    where: str, values: NDArray[np.generic], n_classes: int | None = None
) -> NDArray[np.int64]:
    """Return ``values`` as int64 labels.

    Args:
        where: The file, and the array in it, for messages.
        values: ``(N,)``, any numbers.
        n_classes: Labels must be below it; ``None`` asks for 0 … K-1, each at least once.

    Raises:
        DataError: If they are not whole numbers in 0 … K-1.
    """
    if values.ndim != 1:
        raise DataError(
            f"{where}: labels must be one whole number per sample, shape (N,), "
            f"got shape {values.shape}"
        )
    if values.dtype.kind not in "buif":
        raise DataError(f"{where}: labels must be whole numbers, got {values.dtype}")
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.floor(values))
        if not whole.all():
            row = int(np.argmin(whole))
            raise DataError(
                f"{where}: labels must be whole numbers, got {values[row]} in row {row}"
            )
    if values.size == 0:
        raise DataError(f"{where}: must hold samples, got none")
    lowest, highest = values.min(), values.max()
    if n_classes is None:
        n_classes = np.unique(values).size
    if lowest < 0 or highest >= n_classes:
        wrong = lowest if lowest < 0 else highest
        here = "" if lowest < 0 else f", here 0 … {n_classes - 1} for {n_classes} classes"
        raise DataError(f"{where}: labels must be 0 … K-1{here}, got {wrong:g}")
    return values.astype(np.int64)


def checked_features(where: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return ``values``, numbers of any type, as float32.

    Raises:
        DataError: If some are not numbers, or not finite, or too large for float32.
    """
    if values.dtype.kind not in "buif":
        raise DataError(f"{where}: features must be numbers, got {values.dtype}")
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(values, dtype=np.float32)
    finite = np.isfinite(result)
    if not finite.all():
        place = np.unravel_index(int(np.argmin(finite)), finite.shape)
        n_wrong = finite.size - int(np.count_nonzero(finite))
        raise DataError(
            f"{where}: features must be finite float32 numbers, got {n_wrong} that are not, "
            f"the first {values[place]} at {', '.join(str(int(i)) for i in place)}"
        )
    return result
