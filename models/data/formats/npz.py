"""Reader of people's own .npz files."""

import math
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.features import checked_features
from coarsefine.models.data.formats.files import (
    DAMAGED_ZIP,
    MAX_BYTES,
    bytes_allowed,
    looks_like,
    reading,
)
from coarsefine.models.data.labels import Classes, check_whole, checked_labels, flattened, numbered
from coarsefine.models.data.raw import RawData, Samples
from coarsefine.models.errors import DataError

_SPELLINGS = {
    "x_train": ("x_train",),
    "y_train": ("y_train",),
    "x_validation": ("x_validation", "x_val"),
    "y_validation": ("y_validation", "y_val"),
    "x_test": ("x_test",),
    "y_test": ("y_test",),
}
_NAMES = "x_train, y_train and possibly x_validation, y_validation, x_test, y_test"


def read_npz(path: Path) -> RawData:
    """Return the data set in an .npz file of arrays ``x_train``, ``y_train`` and so on.

    A validation part joins the training part: its samples follow, ``canonical`` tells them apart.

    Raises:
        DataError: If arrays are missing, do not fit each other or hold what no data set holds.
    """
    arrays, left_out = _read_arrays(path)
    parts = [part for part in ("train", "validation", "test") if f"x_{part}" in arrays]
    shapes = {part: arrays[f"x_{part}"].shape for part in parts}
    labels = {part: flattened(arrays[f"y_{part}"]) for part in parts}
    for part in parts:
        _check_shapes(path, part, shapes[part], shapes["train"], labels[part].shape)

    bytes_only = all(arrays[f"x_{part}"].dtype == np.uint8 for part in parts)
    x = {part: _features(path, part, arrays[f"x_{part}"], bytes_only) for part in parts}
    classes = _classes(path, labels)
    one_hot = [f"y_{part}" for part in parts if arrays[f"y_{part}"].shape[1:] > (1,)]
    ends = np.cumsum([shapes[part][0] for part in parts])
    y = dict(zip(parts, np.split(classes.y, ends[:-1]), strict=True))

    canonical = None
    if "validation" in parts:
        canonical = (len(y["train"]), len(y["validation"]))
        x["train"] = np.concatenate([x["train"], x["validation"]])
        y["train"] = np.concatenate([y["train"], y["validation"]])
    return RawData(
        x=x["train"],
        y=y["train"],
        x_test=x.get("test"),
        y_test=y.get("test"),
        sample_shape=tuple(int(n) for n in shapes["train"][1:]),
        class_names=classes.names,
        value_range=(0.0, 255.0) if bytes_only else None,
        canonical=canonical,
        warnings=(*_about_left_out(path, left_out), *classes.notes, *_about_one_hot(path, one_hot)),
    )


def _classes(path: Path, labels: dict[str, NDArray[np.generic]]) -> Classes:
    """Return the classes of all parts, of which each need not have all.

    Raises:
        DataError: If the labels are no classes.
    """
    for part, values in labels.items():
        check_whole(f"{path}: y_{part}", values)
    try:
        return numbered(str(path), np.concatenate([labels[part] for part in labels]))
    except DataError:
        for part, values in labels.items():
            checked_labels(f"{path}: y_{part}", values, n_classes=np.iinfo(np.int32).max)
        raise


def _features(path: Path, part: str, values: NDArray[np.generic], bytes_only: bool) -> Samples:
    flat = values.reshape(len(values), -1)
    if bytes_only:
        return np.ascontiguousarray(flat, dtype=np.uint8)
    return checked_features(f"{path}: x_{part}", flat)


def _check_shapes(
    path: Path,
    part: str,
    shape: tuple[int, ...],
    train_shape: tuple[int, ...],
    label_shape: tuple[int, ...],
) -> None:
    where = f"{path}: x_{part}"
    if len(shape) < 2:
        raise DataError(f"{where}: must be samples × features, got shape {shape}")
    if 0 in shape:
        raise DataError(f"{where}: must hold samples and features, got shape {shape}")
    if shape[1:] != train_shape[1:]:
        raise DataError(
            f"{where}: samples must have the shape of x_train's, {train_shape[1:]}, got {shape[1:]}"
        )
    if len(label_shape) == 1 and label_shape[0] != shape[0]:
        raise DataError(
            f"{path}: x_{part} and y_{part} must have as many samples, "
            f"got {shape[0]:,} and {label_shape[0]:,}"
        )


def _about_left_out(path: Path, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    what = "an array of another name is" if len(names) == 1 else "arrays of other names are"
    return (f"{path}: {what} left out: {', '.join(names)}; read are {_NAMES}",)


def _about_one_hot(path: Path, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"{path}: {', '.join(names)} one-hot: the place of the 1 is the class",)


def _read_arrays(path: Path) -> tuple[dict[str, NDArray[np.generic]], list[str]]:
    with reading(path), path.open("rb") as file:
        head = file.read(64)
    if not head.startswith(b"PK"):
        raise DataError(f"{path}: must be an .npz file, got {looks_like(head)}")
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            return _chosen_arrays(path, archive)
    except DAMAGED_ZIP as error:
        raise DataError(f"{path}: damaged or no .npz file: {error}") from error


def _chosen_arrays(
    path: Path, archive: zipfile.ZipFile
) -> tuple[dict[str, NDArray[np.generic]], list[str]]:
    """Return the arrays that are read, and the names of those that are not."""
    members = {
        member.filename.removesuffix(".npy"): member
        for member in archive.infolist()
        if member.filename.endswith(".npy")
    }
    chosen: dict[str, zipfile.ZipInfo] = {}
    for name, spellings in _SPELLINGS.items():
        there = [spelling for spelling in spellings if spelling in members]
        if len(there) > 1:
            raise DataError(f"{path}: must have one of {' and '.join(there)}, got both")
        if there:
            chosen[name] = members[there[0]]
    for name, other in (
        ("x_train", None),
        ("y_train", None),
        ("x_validation", "y_validation"),
        ("y_validation", "x_validation"),
        ("x_test", "y_test"),
        ("y_test", "x_test"),
    ):
        if name not in chosen and (other is None or other in chosen):
            raise DataError(
                f"{path}: must hold arrays {_NAMES}; {name} is missing, "
                f"got {', '.join(sorted(members)) or 'no arrays'}"
            )
    n_bytes = sum(member.file_size for member in chosen.values())
    if n_bytes > bytes_allowed(path):
        raise DataError(
            f"{path}: must unpack to at most {bytes_allowed(path):,} bytes, got {n_bytes:,}",
            "; write it with np.savez, not compressed" if n_bytes <= MAX_BYTES else "",
        )
    arrays = {name: _read_array(path, archive, member) for name, member in chosen.items()}
    return arrays, sorted(set(members) - {each for names in _SPELLINGS.values() for each in names})


def _read_array(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> NDArray[np.generic]:
    """Return one array, whose header is checked before memory is asked for."""
    with archive.open(member) as file:
        name = member.filename.removesuffix(".npy")
        return array_in(f"{path}: {name}", cast(BinaryIO, file), member.file_size)


def read_array(path: Path) -> NDArray[np.generic]:
    """Return the array of an .npy file, or of an .npz file the one called ``x`` or the only one.

    Raises:
        DataError: If there is none, or it holds no numbers.
    """
    with reading(path), path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            file.seek(0)
            return array_in(str(path), file, path.stat().st_size)
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            members = {m.filename: m for m in archive.infolist() if m.filename.endswith(".npy")}
            chosen = members.get("x.npy", next(iter(members.values()), None))
            if chosen is None or (len(members) > 1 and "x.npy" not in members):
                names = ", ".join(name.removesuffix(".npy") for name in sorted(members)[:8])
                raise DataError(
                    f"{path}: must hold the samples in an array x, got {names or 'no arrays'}"
                )
            if chosen.file_size > bytes_allowed(path):
                raise DataError(
                    f"{path}: must unpack to at most {bytes_allowed(path):,} bytes, "
                    f"got {chosen.file_size:,}"
                )
            return _read_array(path, archive, chosen)
    except DAMAGED_ZIP as error:
        raise DataError(f"{path}: damaged or no .npz file: {error}") from error


def array_in(where: str, file: BinaryIO, n_available: int) -> NDArray[np.generic]:
    """Return the array that a file holds in ``n_available`` bytes from here, header included."""
    try:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(file)
    except ValueError as error:
        raise DataError(f"{where}: no NumPy array: {' '.join(str(error).split())}") from error
    if dtype.hasobject or dtype.kind not in "buif":
        words = "; number the words: np.unique(y, return_inverse=True)[1]"
        advice = words if dtype.kind in "US" and "y_" in where else ""
        raise DataError(f"{where}: must hold numbers, got {dtype}{advice}")
    n_bytes = math.prod(shape) * dtype.itemsize
    left = n_available - file.tell()
    if n_bytes != left or min(shape, default=0) < 0:
        raise DataError(
            f"{where}: damaged: shape {shape} of {dtype} needs {n_bytes:,} bytes, got {left:,}"
        )
    contents = file.read(n_bytes)
    if len(contents) != n_bytes:
        raise DataError(f"{where}: damaged or incomplete; get it again")
    return np.frombuffer(contents, dtype=dtype).reshape(shape, order="F" if fortran else "C")
