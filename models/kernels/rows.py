"""Samples as sparse rows: what each has beside the values that its columns usually have.

``x = c + p``, with the usual values c (D,) and few numbers in p. Pixels that are mostly black,
one-hot columns and bags of words are as sparse standardised as they are raw: c is then not 0.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array

# Rows from which the usual values and the density are taken, spread over all.
_LOOKED_AT = 256
# A value is usual if one row of so many has it: each that does saves a number.
_ONE_OF = 8
# Columns are stored in two bytes.
MOST_FEATURES = 2**16 - 1
# Training and validation samples of two data sets.
_MOST_KEPT = 4
# Rows that are looked through at a time.
_BLOCK = 1024


class SparseRows(NamedTuple):
    """N samples; a tuple, because numba takes it apart for nothing.

    Attributes:
        pointers: (N + 1,), where each row starts in the two that follow, and the last stops.
        columns: Of the numbers in p.
        values: These numbers.
        usual: c, (D,).
        crosses: (N,), ``c · p`` of each row.
        square: ``c · c``.
        centred: Whether all usual values are 0.
    """

    pointers: npt.NDArray[np.int64]
    columns: npt.NDArray[np.uint16]
    values: Array
    usual: Array
    crosses: Array
    square: np.floating[Any]
    centred: bool


def usual_values(x: Array, *, of_half: bool = False) -> tuple[Array, float]:
    """Return c, (D,), and the share of numbers that differ from it, as some rows have them.

    The usual value of a column is the most frequent one of these rows; 0 where none is in an eighth
    of them.

    Args:
        x: (N, D).
        of_half: Whether half of the rows must have it, as the first kernels ask.
    """
    some = np.sort(x[np.linspace(0, len(x) - 1, min(len(x), _LOOKED_AT)).astype(np.intp)], axis=0)
    # In a sorted column, a value that half of it has is in the middle.
    likely = some[len(some) // 2] if of_half else _most_frequent(some)
    counts = (some == likely).sum(axis=0)
    usual = np.where((2 if of_half else _ONE_OF) * counts >= len(some), likely, 0).astype(x.dtype)
    return usual, float((some != usual).mean())


def _most_frequent(ordered: Array) -> Array:
    """Return the most frequent value of each sorted column, the least of several."""
    places = np.arange(len(ordered))[:, None]
    begins = np.ones(ordered.shape, np.bool_)
    begins[1:] = ordered[1:] != ordered[:-1]
    run = places - np.maximum.accumulate(np.where(begins, places, 0), axis=0)
    return np.asarray(ordered[run.argmax(axis=0), np.arange(ordered.shape[1])])


_kept: "OrderedDict[tuple[int, bool], tuple[Any, SparseRows]]" = OrderedDict()


def sparse_rows(x: Array, *, of_half: bool = False) -> SparseRows:
    """Return the samples as sparse rows, made once per array and process.

    Args:
        x: (N, D), read-only: it is known by its identity.
        of_half: As for ``usual_values``.
    """
    key = id(x), of_half
    known = _kept.get(key)
    if known is None:
        # The array is held as well, so that its identity stays its own.
        _kept[key] = known = x, _made(x, usual_values(x, of_half=of_half)[0])
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return known[1]


def _made(x: Array, usual: Array) -> SparseRows:
    n_samples = len(x)
    pointers = np.zeros(n_samples + 1, np.int64)
    crosses = np.empty(n_samples, x.dtype)
    exact = usual.astype(np.float64)
    columns: list[npt.NDArray[np.uint16]] = []
    values: list[Array] = []
    for start in range(0, n_samples, _BLOCK):
        beside = x[start : start + _BLOCK] - usual
        mask = beside != 0
        stop = start + len(beside)
        np.cumsum(mask.sum(axis=1), out=pointers[start + 1 : stop + 1])
        pointers[start + 1 : stop + 1] += pointers[start]
        columns.append(np.nonzero(mask)[1].astype(np.uint16))
        values.append(beside[mask])
        crosses[start:stop] = beside.astype(np.float64) @ exact
    return SparseRows(
        pointers,
        np.concatenate(columns),
        np.concatenate(values),
        usual,
        crosses,
        x.dtype.type(exact @ exact),
        not usual.any(),
    )
