"""From numbers of any type to features: float32, or float64 where float32 would lose digits."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.errors import DataError

Features = NDArray[np.float32] | NDArray[np.float64]

# A feature loses digits if float32 moves a value by more than this share of its deviation.
_TOLERANCE = 1e-4
# Values that differ by less, relative to themselves, differ by the rounding of float64 sums.
_NOISE = 1e-12
# Distinct values are counted on so many rows at first.
_N_SAMPLED = 10_000
_BLOCK_BYTES = 16 << 20


def checked_features(where: str, values: NDArray[np.generic]) -> Features:
    """Return ``values``, ``(N, D)`` or ``(N,)`` numbers of any type, as float32 or float64.

    Most are float32. Where a column would lose digits that tell its values apart, the array is
    float64, and that column keeps them; the others hold what they would have held in float32.

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
    if np.can_cast(values.dtype, np.float32):
        return result
    table, narrow = values.reshape(len(values), -1), result.reshape(len(values), -1)
    lossy = [j for block in _blocks(table) for j in _lossy(table, narrow, block)]
    if not lossy:
        return result
    exact = narrow.astype(np.float64)
    exact[:, lossy] = table[:, lossy]
    return exact.reshape(values.shape)


def n_distinct(values: NDArray[np.generic]) -> int:
    """Return how many different values there are, those that differ by rounding counted once."""
    ordered = np.unique(values.astype(np.float64))
    steps = np.diff(ordered) > _NOISE * np.abs(ordered[1:])
    return min(1, ordered.size) + int(np.count_nonzero(steps))


def collapsed(before: NDArray[np.generic], after: NDArray[np.generic]) -> tuple[int, int] | None:
    """Return how many values a column had and has, if values that differed became equal.

    Single ones do among millions; then the result is ``None``.

    Args:
        before: ``(N,)``.
        after: The same samples, computed from ``before``.
    """
    step = sampling_step(len(before))
    if not _fewer(before[::step], after[::step]):
        return None
    return n_distinct(before), int(np.unique(after).size)


def sampling_step(n: int) -> int:
    """Return the step at which ``collapsed`` first looks at ``n`` samples."""
    return max(1, n // _N_SAMPLED)


def _fewer(before: NDArray[np.generic], after: NDArray[np.generic]) -> bool:
    # First the cheap count: rounding noise only ever makes it larger.
    n_after = np.unique(after).size
    if n_after >= 0.99 * np.unique(before).size:
        return False
    return bool(n_after < 0.99 * n_distinct(before))


def _blocks(table: NDArray[np.generic]) -> Iterator[slice]:
    width = max(1, _BLOCK_BYTES // (8 * max(1, len(table))))
    for start in range(0, table.shape[1], width):
        yield slice(start, start + width)


def _lossy(table: NDArray[np.generic], narrow: NDArray[np.float32], block: slice) -> Iterator[int]:
    """Yield the columns of a block that float32 takes digits from."""
    wide = table[:, block].astype(np.float64)
    error = np.abs(wide - narrow[:, block]).max(axis=0)
    deviation = wide.std(axis=0)
    rounded = error > 0
    # A column of rounding noise around one number is constant, whatever its digits say.
    varies = deviation > _NOISE * np.abs(wide).max(axis=0)
    lost = rounded & varies & (error > _TOLERANCE * deviation)
    for i in np.flatnonzero(rounded & varies):
        column = block.start + int(i)
        if lost[i] or collapsed(wide[:, i], narrow[:, column]) is not None:
            yield column
