"""Reader of MNIST's idx files."""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.catalogue import CATALOGUE, DatasetInfo
from coarsefine.models.data.files import looks_like, opened
from coarsefine.models.data.labels import checked_labels
from coarsefine.models.data.raw import RawData, differing_files
from coarsefine.models.errors import DataError

_UNSIGNED_BYTES = 8


def read_idx_dataset(info: DatasetInfo, files: Mapping[str, Path]) -> RawData:
    """Return the data set whose four files are named by ``files``.

    Args:
        info: What the files must hold.
        files: Paths by their plain names, such as ``train-images-idx3-ubyte``.

    Raises:
        DataError: If a file is damaged, or another data set's.
    """
    height, width = info.sample_shape
    arrays: dict[str, NDArray[np.uint8]] = {}
    differing: list[str] = []
    for part, n_samples in (("train", info.n_train), ("t10k", info.n_test)):
        shapes = {
            f"{part}-images-idx3-ubyte": (n_samples, height, width),
            f"{part}-labels-idx1-ubyte": (n_samples,),
        }
        for name, shape in shapes.items():
            arrays[name], md5 = read_idx(files[name], shape)
            if md5 != info.contents.get(name, md5):
                _refuse_files_of_another_data_set(files[name], md5)
                differing.append(files[name].name)

    def labels(name: str) -> NDArray[np.int64]:
        return checked_labels(str(files[name]), arrays[name], info.n_classes)

    return RawData(
        x=arrays["train-images-idx3-ubyte"].reshape(info.n_train, -1),
        y=labels("train-labels-idx1-ubyte"),
        x_test=arrays["t10k-images-idx3-ubyte"].reshape(info.n_test, -1),
        y_test=labels("t10k-labels-idx1-ubyte"),
        sample_shape=info.sample_shape,
        class_names=info.class_names,
        value_range=info.value_range,
        canonical=info.canonical,
        warnings=differing_files(info.name, differing, files[name].parent),
    )


def read_idx(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str]:
    """Return the bytes of an idx file, packed or not, and the MD5 of its unpacked contents.

    Raises:
        DataError: If it is not an idx file of unsigned bytes of that shape.
    """
    header_size = 4 + 4 * len(shape)
    n_values = math.prod(shape)
    with opened(path, limit=header_size + n_values) as file:
        header = file.read(header_size)
        magic = bytes([0, 0, _UNSIGNED_BYTES, len(shape)])
        if header[:4] != magic:
            raise DataError(
                f"{path}: must be an idx file of {len(shape)} dimensions (starts with "
                f"{magic.hex(' ')}), got {looks_like(header)}"
            )
        if len(header) < header_size:
            raise DataError(f"{path}: damaged or incomplete: its header ends early; get it again")
        got = tuple(int(n) for n in np.frombuffer(header, dtype=">u4", offset=4))
        if got != shape:
            raise DataError(f"{path}: must hold {_times(shape)} values, got {_times(got)}")
        parts = [header]
        while part := file.read(1 << 24):
            parts.append(part)
    contents = b"".join(parts)
    if len(contents) < header_size + n_values:
        raise DataError(
            f"{path}: damaged or incomplete: must hold {n_values:,} values, "
            f"got {len(contents) - header_size:,}; get it again"
        )
    md5 = hashlib.md5(contents, usedforsecurity=False).hexdigest()
    return np.frombuffer(contents, dtype=np.uint8, offset=header_size).reshape(shape), md5


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(f"{n:,}" for n in shape)


def _refuse_files_of_another_data_set(path: Path, md5: str) -> None:
    # MNIST and Fashion-MNIST have the same file names, counts and shapes.
    for other in CATALOGUE.values():
        if md5 in other.contents.values():
            raise DataError(
                f"{path}: is a file of {other.name}; put each data set in a folder of its name"
            )
