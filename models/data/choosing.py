"""Which samples of a data set there are: some classes of it, with or without a test set."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.raw import RawData
from coarsefine.models.data.splits import set_aside_test
from coarsefine.models.errors import DataError


def of_classes(where: str, raw: RawData, classes: Sequence[Sequence[str]]) -> RawData:
    """Return the samples of some classes, several of which may be taken for one.

    Raises:
        DataError: If a class is not there, is named twice, or there are fewer than two.
    """
    named = [name for group in classes for name in group]
    if len(classes) < 2 or not all(classes):
        raise DataError(f"{where}: classes must be two or more, got {len(classes)}")
    unknown = [name for name in named if name not in raw.class_names]
    if unknown:
        known = ", ".join(raw.class_names[:20]) + (", …" if len(raw.class_names) > 20 else "")
        raise DataError(f"{where}: has no class {unknown[0]!r}; its classes are {known}")
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise DataError(f"{where}: each class must be named once, got {twice!r} twice")
    new = np.full(len(raw.class_names), -1, np.int64)
    for label, group in enumerate(classes):
        for name in group:
            new[raw.class_names.index(name)] = label
    kept = new[raw.y] >= 0
    canonical = raw.canonical
    if canonical is not None:
        n_train = int(np.count_nonzero(kept[: canonical[0]]))
        canonical = n_train, int(np.count_nonzero(kept)) - n_train
    x_test, y_test = raw.x_test, raw.y_test
    if x_test is not None and y_test is not None:
        kept_test = new[y_test] >= 0
        x_test, y_test = x_test[kept_test], new[y_test[kept_test]]
    return dataclasses.replace(
        raw,
        x=raw.x[kept],
        y=new[raw.y[kept]],
        x_test=x_test,
        y_test=y_test,
        class_names=tuple("+".join(group) for group in classes),
        canonical=canonical,
    )


def without_test(raw: RawData) -> RawData:
    """Return all samples outside a test set of none; test samples become a canonical validation."""
    if raw.x_test is None or raw.y_test is None:
        return dataclasses.replace(raw, x_test=raw.x[:0], y_test=raw.y[:0])
    return dataclasses.replace(
        raw,
        x=np.concatenate([raw.x, raw.x_test]),
        y=np.concatenate([raw.y, raw.y_test]),
        x_test=raw.x_test[:0],
        y_test=raw.y_test[:0],
        canonical=(len(raw.y), len(raw.y_test)),
    )


def with_test(where: str, raw: RawData) -> RawData:
    """Return the samples with a test set, set aside if there is none.

    Raises:
        DataError: If there are too few samples for one.
    """
    if raw.x_test is not None and raw.y_test is not None:
        return raw
    if len(raw.y) < 5:
        raise DataError(f"{where}: must have at least 5 samples, got {len(raw.y)}")
    rest, test = set_aside_test(raw.y)
    return dataclasses.replace(
        raw,
        x=raw.x[rest],
        y=raw.y[rest],
        x_test=raw.x[test],
        y_test=raw.y[test],
        canonical=_less_test(raw.canonical, rest),
    )


def _less_test(
    canonical: tuple[int, int] | None, rest: NDArray[np.int64]
) -> tuple[int, int] | None:
    if canonical is None:
        return None
    n_train = int(np.searchsorted(rest, canonical[0]))
    return n_train, len(rest) - n_train
