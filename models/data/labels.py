"""From labels as people write them to classes 0 … K-1."""

import unicodedata
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.wording import shown
from coarsefine.models.errors import DataError

_LONGEST_NAME = 1000
# What pandas, R and databases write where a value is missing.
MISSING_WORDS = frozenset(
    [
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ]
)


class Classes(NamedTuple):
    """Labels as classes.

    Attributes:
        y: ``(N,)``, int64, 0 … K-1.
        names: Of the classes.
        notes: What the user should know, a line each.
    """

    y: NDArray[np.int64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def numbered(where: str, values: NDArray[np.generic]) -> Classes:
    """Return labels that are whole numbers as classes.

    Numbers 0 … K-1 are the classes. Numbers 1 … K, and -1 and 1, are their names.

    Args:
        where: The file, and the array or column in it, for messages.
        values: ``(N,)``, any numbers.

    Raises:
        DataError: If they are other numbers.
    """
    check_whole(where, values)
    distinct = np.unique(values)
    n_classes = distinct.size
    if n_classes > 1 and (
        np.array_equal(distinct, np.arange(1, n_classes + 1)) or np.array_equal(distinct, [-1, 1])
    ):
        names = tuple(str(int(value)) for value in distinct)
        said = f"1 … {n_classes}" if names[0] == "1" else "-1 and 1"
        note = f"{where}: labels are {said}; these are the names of classes 0 … {n_classes - 1}"
        return Classes(np.searchsorted(distinct, values).astype(np.int64), names, (note,))
    y = checked_labels(where, values)
    return Classes(y, tuple(str(i) for i in range(int(y.max()) + 1)))


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
    check_whole(where, values)
    lowest, highest = values.min(), values.max()
    all_there = n_classes is None
    if n_classes is None:
        n_classes = np.unique(values).size
    if lowest < 0 or highest >= n_classes:
        wrong = lowest if lowest < 0 else highest
        here = "" if lowest < 0 else f", here 0 … {n_classes - 1} for {n_classes} classes"
        advice = "; number the classes so, or write them as words" if all_there else ""
        raise DataError(f"{where}: labels must be 0 … K-1{here}, got {wrong:g}", advice)
    return values.astype(np.int64)


def check_whole(where: str, values: NDArray[np.generic]) -> None:
    """Raise a ``DataError`` unless labels are whole numbers, one per sample."""
    if values.ndim != 1:
        raise DataError(
            f"{where}: labels must be one whole number per sample, shape (N,), or one-hot, "
            f"got shape {values.shape}",
            "; if they are probabilities, take their argmax(axis=1)" if values.ndim == 2 else "",
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


def flattened(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return labels of shape (N, 1), and one-hot ones of shape (N, K), in shape (N,).

    Others stay as they are.
    """
    if values.ndim != 2 or values.dtype.kind not in "buif":
        return values
    if values.shape[1] == 1:
        return values[:, 0]
    ones = values == 1
    one_hot = ones.sum(axis=1) == 1
    if one_hot.all() and not values[~ones].any():
        classes: NDArray[np.generic] = np.argmax(ones, axis=1)
        return classes
    return values


def worded(where: str, words: NDArray[np.object_]) -> Classes:
    """Return labels that are words as classes, in sorted order.

    Raises:
        DataError: If a word is too long to be one.
    """
    import pandas as pd

    codes, distinct = pd.factorize(words, sort=False)
    names = [str(name) for name in distinct]
    longest = max(names, key=len)
    if len(longest) > _LONGEST_NAME:
        raise DataError(
            f"{where}: names of classes must have at most {_LONGEST_NAME:,} characters, "
            f"got one of {len(longest):,}"
        )
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    notes = [*_alike(where, names), *_like_missing(where, names, np.bincount(codes))]
    return Classes(rank[codes], tuple(names[i] for i in order), tuple(notes))


def _alike(where: str, names: list[str]) -> list[str]:
    """Return the note, if there is one to give, that names of classes are nearly the same."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_as_read(name)].append(name)
    alike = [sorted(group) for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    pairs = "; ".join(" and ".join(shown(name) for name in group) for group in sorted(alike)[:3])
    more = ", …" if len(alike) > 3 else ""
    what = "blanks or capital letters"
    if any(len({" ".join(name.split()).casefold() for name in group}) > 1 for group in alike):
        what = "blanks, capital letters or how letters are encoded"
    note = f"{where}: some classes differ only in {what} and count as different"
    return [f"{note}: {pairs}{more}"]


def _as_read(name: str) -> str:
    """Return a name as people read it: without what is not seen, however accents are encoded."""
    seen = "".join(
        c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf"
    )
    return " ".join(seen.split()).casefold()


def _like_missing(where: str, names: list[str], counts: NDArray[np.int64]) -> list[str]:
    listed = [
        f"{shown(name)} ({count:,} samples)"
        for name, count in zip(names, counts.tolist(), strict=True)
        if name in MISSING_WORDS
    ]
    if not listed:
        return []
    what = "counts as a class, not as a missing label"
    if len(listed) > 1:
        what = "count as classes, not as missing labels"
    return [f"{where}: {', '.join(listed)} {what}"]
