"""MNIST and Fashion-MNIST as others pack them: Keras' ``mnist.npz``, and Kaggle's two tables."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.catalogue import DatasetInfo
from coarsefine.models.data.formats.npz import read_npz
from coarsefine.models.data.formats.text import Source
from coarsefine.models.errors import DataError

ARRAYS, TRAIN, TEST = "arrays", "train", "test"
_ENDINGS = ("", ".gz", ".zip")
# Rows of a table that are read at a time: 60 MB of numbers.
_ROWS = 10_000
_HIGHEST = 255
_LABEL = "label"


def find_repackaged(info: DatasetInfo, folder: Path) -> dict[str, Path] | None:
    """Return the files in a folder that hold the data set in another form, by what they hold."""
    for name in dict.fromkeys((info.name, info.name.replace("-", "_"))):
        if (arrays := folder / f"{name}.npz").is_file():
            return {ARRAYS: arrays}
        tables = {part: _table(folder, f"{name}_{part}.csv") for part in (TRAIN, TEST)}
        there = {part: path for part, path in tables.items() if path is not None}
        if len(there) == len(tables):
            return there
    return None


def _table(folder: Path, name: str) -> Path | None:
    for ending in _ENDINGS:
        file = folder / f"{name}{ending}"
        # Kaggle has files in folders of their names.
        for path in (file, file / name):
            if path.is_file():
                return path
    return None


def read_repackaged(
    info: DatasetInfo, files: Mapping[str, Path]
) -> dict[str, tuple[Path, NDArray[np.uint8]]]:
    """Return images and labels by the names of their idx files, each with where it was read.

    Args:
        info: What the files must hold.
        files: As ``find_repackaged`` returns them.

    Raises:
        DataError: If a file is damaged, or holds something else.
    """
    parts: dict[str, tuple[Path, NDArray[np.uint8]]] = {}
    n_pixels = math.prod(info.sample_shape)
    for part, n_samples in ((TRAIN, info.n_train), (TEST, info.n_test)):
        path = files[ARRAYS] if ARRAYS in files else files[part]
        x, y = _arrays(path, part) if ARRAYS in files else _read_table(path)
        if x.size != n_samples * n_pixels or len(y) != n_samples:
            raise DataError(
                f"{path}: must hold {n_samples:,} samples of {n_pixels:,} pixels for "
                f"{info.name}, got {len(y):,} of {x.size // max(len(y), 1):,}"
            )
        name = "t10k" if part == TEST else part
        parts[f"{name}-images-idx3-ubyte"] = path, x.reshape(n_samples, *info.sample_shape)
        parts[f"{name}-labels-idx1-ubyte"] = path, y
    return parts


def _arrays(path: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    raw = read_npz(path)
    x, y = (raw.x, raw.y) if part == TRAIN else (raw.x_test, raw.y_test)
    if x is None or y is None:
        raise DataError(f"{path}: must hold arrays x_test and y_test, as Keras' file does")
    return _bytes(path, np.asarray(x)), _bytes(path, y)


def _read_table(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels and labels of a table: the labels are in the column of that name, or first."""
    import pandas as pd

    source = Source(path)
    try:
        with source.opened("utf-8-sig") as file:
            names = [name.strip('" ') for name in file.readline().rstrip("\r\n").split(",")]
        header = None if names[0].isdigit() else 0
        with source.opened("utf-8-sig") as file:
            tables = pd.read_csv(file, header=header, chunksize=_ROWS)
            parts = [_bytes(path, rows.to_numpy()) for rows in tables]
    except DataError:
        raise
    except ValueError as error:  # those of the parser and of the encoding are of its kind
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: must be a table of labels and pixels: {reason}") from error
    if header is not None and _LABEL not in names:
        raise DataError(f"{path}: must have a column {_LABEL!r}, got {names[0][:60]!r} first")
    if not parts:
        raise DataError(f"{path}: must hold samples, got none")
    values = np.concatenate(parts)
    place = 0 if header is None else names.index(_LABEL)
    return np.delete(values, place, axis=1), values[:, place].copy()


def _bytes(path: Path, values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return whole numbers from 0 to 255 as bytes."""
    if values.dtype.kind not in "uif":
        raise DataError(f"{path}: must hold numbers only")
    taken: NDArray[np.uint8] = values.astype(np.uint8)
    if not np.array_equal(taken, values):
        raise DataError(f"{path}: must hold whole numbers from 0 to {_HIGHEST}, as published")
    return taken
