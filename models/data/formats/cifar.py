"""Reader of CIFAR-10: the python and the binary version, unpacked or in an archive."""

import hashlib
import io
import math
import pickle
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.catalogue import DatasetInfo
from coarsefine.models.data.formats.files import looks_like, opened, reading
from coarsefine.models.data.labels import checked_labels
from coarsefine.models.data.progress import Progress
from coarsefine.models.data.raw import RawData, differing_files
from coarsefine.models.errors import DataError

TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
BATCHES = (*TRAIN_BATCHES, "test_batch")

# A batch's labels, file names and pickle overhead: the published ones take 290 kB of 10,000 images.
_OVERHEAD_PER_IMAGE = 100
_OVERHEAD = 100_000
# Beyond its six batches the published archive holds 7 kB.
_ARCHIVE_SLACK = 10_000_000


def read_cifar(info: DatasetInfo, path: Path, progress: Progress) -> RawData:
    """Return CIFAR-10 from a folder of batches or from an archive of one.

    Raises:
        DataError: If a batch is missing, damaged or not what it should be.
    """
    n_batch = info.n_train // len(TRAIN_BATCHES)
    sizes = dict.fromkeys(TRAIN_BATCHES, n_batch) | {"test_batch": info.n_test}
    n_features = math.prod(info.sample_shape)
    x = np.empty((info.n_train, n_features), dtype=np.uint8)
    y = np.empty(info.n_train, dtype=np.int64)
    x_test = np.empty((info.n_test, n_features), dtype=np.uint8)
    y_test = np.empty(info.n_test, dtype=np.int64)

    seen: set[str] = set()
    differing: list[str] = []
    task = f"unpacking {path.name}, once"
    for file_name, contents in read_batches(info, path, progress, task):
        where = f"{path}: {file_name}"
        name = file_name.removesuffix(".bin")
        if name in seen:
            raise DataError(f"{where}: must be there once, got it twice")
        seen.add(name)
        if file_name.endswith(".bin"):
            data, labels = _binary_batch(where, contents, n_features)
        else:
            data, labels = _pickled_batch(where, contents, n_features)
            md5 = hashlib.md5(contents, usedforsecurity=False).hexdigest()
            if md5 != info.contents.get(name, md5):
                differing.append(name)
        if len(data) != sizes[name] or len(labels) != sizes[name]:
            raise DataError(
                f"{where}: must hold {sizes[name]:,} images and labels, "
                f"got {len(data):,} and {len(labels):,}"
            )
        labels = checked_labels(where, labels, info.n_classes)
        if name == "test_batch":
            x_test[:], y_test[:] = data, labels
        else:
            start = TRAIN_BATCHES.index(name) * n_batch
            x[start : start + n_batch], y[start : start + n_batch] = data, labels

    missing = [name for name in BATCHES if name not in seen]
    if missing:
        raise DataError(f"{path}: must hold {', '.join(BATCHES)}, got none of {', '.join(missing)}")
    return RawData(
        x=x,
        y=y,
        x_test=x_test,
        y_test=y_test,
        sample_shape=info.sample_shape,
        class_names=info.class_names,
        value_range=info.value_range,
        canonical=info.canonical,
        warnings=differing_files(info.name, sorted(differing), path),
    )


def read_batches(
    info: DatasetInfo, path: Path, progress: Progress, task: str
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and contents of each batch in a folder or an archive, as they come.

    Args:
        info: The sizes that bound what is read.
        path: The folder or the archive.
        progress: Told the bytes read.
        task: What they are read for, in words.

    Raises:
        DataError: If the archive is damaged, or a batch larger than any can be.
    """
    n_images = max(info.n_train // len(TRAIN_BATCHES), info.n_test)
    limit = n_images * (math.prod(info.sample_shape) + _OVERHEAD_PER_IMAGE) + _OVERHEAD
    batches = _folder_batches if path.is_dir() else _archive_batches
    progress.start(task, path.stat().st_size if path.is_file() else None)
    try:
        yield from batches(path, limit, progress)
    finally:
        progress.finish()


def batch_files(folder: Path) -> dict[str, Path] | None:
    """Return the six batch files of a folder, python or binary version; None if some miss."""
    for ending in ("", ".bin"):
        files = {name: folder / f"{name}{ending}" for name in BATCHES}
        if all(file.is_file() for file in files.values()):
            return files
    return None


def _folder_batches(folder: Path, limit: int, progress: Progress) -> Iterator[tuple[str, bytes]]:
    for file in (batch_files(folder) or {}).values():
        with reading(file), file.open("rb") as stream:
            contents = stream.read(limit + 1)
        progress.advance(len(contents))
        if len(contents) > limit:
            raise DataError(f"{file}: must have at most {limit:,} bytes, got more")
        yield file.name, contents


def _archive_batches(path: Path, limit: int, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """Yield the batches of an archive as a stream: nothing of it is ever written anywhere."""
    wanted = {f"{name}{ending}" for name in BATCHES for ending in ("", ".bin")}
    total = len(BATCHES) * limit + _ARCHIVE_SLACK
    with (
        opened(path, total, progress) as stream,
        # bufsize: the default reads in steps of 10 kB, which costs seconds.
        tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as archive,  # type: ignore[call-overload]
    ):
        for member in archive:
            place = PurePosixPath(member.name)
            # Links, devices, and names that point out of the archive are no batches.
            if place.name not in wanted or not member.isreg():
                continue
            if place.is_absolute() or ".." in place.parts:
                continue
            if member.size > limit:
                raise DataError(
                    f"{path}: {place.name}: must have at most {limit:,} bytes, got {member.size:,}"
                )
            file = archive.extractfile(member)
            if file is not None:
                yield place.name, file.read()


def _binary_batch(
    where: str, contents: bytes, n_features: int
) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
    n_images, rest = divmod(len(contents), n_features + 1)
    if rest:
        raise DataError(
            f"{where}: must be records of 1 + {n_features} bytes, got {n_images:,} and {rest} bytes"
        )
    records = np.frombuffer(contents, dtype=np.uint8).reshape(n_images, n_features + 1)
    return records[:, 1:], records[:, 0]


def _pickled_batch(
    where: str, contents: bytes, n_features: int
) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
    if not contents.startswith(b"\x80"):
        raise DataError(f"{where}: must be a pickle, got {looks_like(contents[:64])}")
    try:
        batch = _BatchUnpickler(contents).load()
    except Exception as error:  # a pickle is a program: bytes made to harm can raise anything
        raise DataError(f"{where}: no CIFAR batch: {' '.join(str(error).split())}") from error
    if not isinstance(batch, dict):
        raise DataError(f"{where}: must be a dictionary, got {type(batch).__name__}")
    # The published files come from Python 2: their keys are byte strings.
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: batch[key] for key in batch}
    data, labels = named.get("data"), named.get("labels")
    if not isinstance(data, _PickledArray) or not isinstance(labels, list):
        raise DataError(
            f"{where}: must have an array 'data' and a list 'labels', "
            f"got {', '.join(sorted(str(key) for key in named)) or 'nothing'}"
        )
    if not all(type(label) is int for label in labels):
        raise DataError(f"{where}: labels must be whole numbers")
    if any(abs(label) > 1_000_000 for label in labels):
        raise DataError(f"{where}: labels must be 0 … K-1, got {max(labels, key=abs)}")
    return data.values(where, n_features), np.array(labels, dtype=np.int64)


class _PickledArray:
    """What a pickled array says of itself; nothing of NumPy runs while reading it."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state: Any = None

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def values(self, where: str, n_features: int) -> NDArray[np.uint8]:
        match self._state:
            case (_, (int(n_images), int(width)), _PickledType(code="u1"), fortran, bytes(raw)):
                if width == n_features and n_images >= 0 and len(raw) == n_images * width:
                    flat = np.frombuffer(raw, dtype=np.uint8)
                    return flat.reshape((n_images, width), order="F" if fortran else "C")
        raise DataError(f"{where}: data must be N×{n_features} unsigned bytes")


class _PickledType:
    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Take no notice of byte order and alignment: a byte has neither."""


class _Admitted:
    """One of the few functions a batch may call; of a class of its own so that none can be set."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any) -> Any:
        if self._name == "_reconstruct":
            return _PickledArray()
        if self._name == "dtype" and args and args[0] in ("u1", b"u1", "|u1", b"|u1"):
            return _PickledType("u1")
        if self._name == "encode" and len(args) == 2 and args[1] in ("latin1", b"latin1"):
            return args[0].encode("latin-1")
        raise pickle.UnpicklingError(f"calls {self._name} in a way that no batch needs")


class _BatchUnpickler(pickle.Unpickler):
    """Reads what a CIFAR batch is made of: plain containers and one array of bytes."""

    _ADMITTED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def __init__(self, contents: bytes) -> None:
        super().__init__(io.BytesIO(contents), encoding="bytes")

    def find_class(self, module: str, name: str) -> _Admitted:
        if (module, name) not in self._ADMITTED:
            raise pickle.UnpicklingError(f"asks for {module}.{name}, which no batch needs")
        return _Admitted(name)

    def persistent_load(self, pid: object) -> None:
        raise pickle.UnpicklingError("refers to something outside of itself")
