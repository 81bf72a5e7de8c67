"""Reader of MNIST's idx files."""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.catalogue import CATALOGUE, DatasetInfo
from coarsefine.models.data.formats.files import looks_like, opened
from coarsefine.models.data.formats.repackaged import ARRAYS, TEST, TRAIN, read_repackaged
from coarsefine.models.data.labels import checked_labels
from coarsefine.models.data.raw import RawData, differing_files
from coarsefine.models.errors import DataError

_UNSIGNED_BYTES = 8


def read_idx_dataset(info: DatasetInfo, files: Mapping[str, Path]) -> RawData:
    """Return the data set whose files are named by ``files``.

    Args:
        info: What the files must hold.
        files: Paths by their plain names, such as ``train-images-idx3-ubyte``, or as
            ``find_repackaged`` returns them.

    Raises:
        DataError: If a file is damaged, or another data set's.
    """
    if {ARRAYS, TRAIN, TEST} & set(files):
        parts = read_repackaged(info, files)
        paths = {name: path for name, (path, _) in parts.items()}
        sums = {name: idx_md5(values) for name, (_, values) in parts.items()}
        arrays = {name: values for name, (_, values) in parts.items()}
    else:
        paths = dict(files)
        read = {name: read_idx(files[name], shape) for name, shape in _shapes(info).items()}
        arrays = {name: values for name, (values, _) in read.items()}
        sums = {name: md5 for name, (_, md5) in read.items()}
    differing: list[str] = []
    for name, md5 in sums.items():
        if md5 != info.contents.get(name, md5):
            _refuse_files_of_another_data_set(paths[name], md5)
            differing.append(paths[name].name)
    differing = list(dict.fromkeys(differing))

    def labels(name: str) -> NDArray[np.int64]:
        return checked_labels(str(paths[name]), arrays[name], info.n_classes)

    return RawData(
        x=arrays["train-images-idx3-ubyte"].reshape(info.n_train, -1),
        y=labels("train-labels-idx1-ubyte"),
        x_test=arrays["t10k-images-idx3-ubyte"].reshape(info.n_test, -1),
        y_test=labels("t10k-labels-idx1-ubyte"),
        sample_shape=info.sample_shape,
        class_names=info.class_names,
        value_range=info.value_range,
        canonical=info.canonical,
        warnings=differing_files(info.name, differing, next(iter(paths.values())).parent),
    )


def _shapes(info: DatasetInfo) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for part, n_samples in (("train", info.n_train), ("t10k", info.n_test)):
        shapes[f"{part}-images-idx3-ubyte"] = (n_samples, *info.sample_shape)
        shapes[f"{part}-labels-idx1-ubyte"] = (n_samples,)
    return shapes


def idx_md5(values: NDArray[np.uint8]) -> str:
    """Return the MD5 of the idx file that would hold some values."""
    digest = hashlib.md5(_magic(values.ndim), usedforsecurity=False)
    digest.update(np.array(values.shape, dtype=">u4").tobytes())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _magic(n_dimensions: int) -> bytes:
    return bytes([0, 0, _UNSIGNED_BYTES, n_dimensions])


def read_idx(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str]:
    """Return the bytes of an idx file, packed or not, and the MD5 of its unpacked contents.

    Raises:
        DataError: If it is not an idx file of unsigned bytes of that shape.
    """
    header_size = 4 + 4 * len(shape)
    n_values = math.prod(shape)
    with opened(path, limit=header_size + n_values) as file:
        header = file.read(header_size)
        magic = _magic(len(shape))
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
