"""Data sets decoded once: arrays in the cache, to be mapped into memory."""

import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from coarsefine.models.data import cache
from coarsefine.models.data.catalogue import DatasetInfo, meaning
from coarsefine.models.data.choosing import of_classes, with_test, without_test
from coarsefine.models.data.columns import Column
from coarsefine.models.data.download import find_or_download, require
from coarsefine.models.data.formats.cifar import read_cifar
from coarsefine.models.data.formats.digits import read_digits
from coarsefine.models.data.formats.idx import read_idx_dataset
from coarsefine.models.data.formats.npz import read_npz
from coarsefine.models.data.formats.tabular import read_table
from coarsefine.models.data.locate import checked_data_dir
from coarsefine.models.data.progress import Progress
from coarsefine.models.data.raw import RawData, Samples, SideBySide
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.errors import DataError

# Part of every key: raise it when what is written changes.
_FORMAT = 2
# Arrays are written in blocks of about so many bytes.
_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Decoded:
    """A data set in the cache.

    Attributes:
        fingerprint: SHA-256 of its arrays, however its files are packed.
        n: Number of samples outside the test set.
        n_test: Number of samples of the test set.
        value_range: Lowest and highest value a feature can have, where that is known.
        canonical: Sizes of the data set's own training and validation parts.
        feature_names: Of the columns of a table; empty where they have none.
        columns: What the columns of ``x`` hold, where words or gaps are among them.
    """

    folder: Path
    name: str
    fingerprint: str
    n: int
    n_test: int
    sample_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    value_range: tuple[float, float] | None
    canonical: tuple[int, int] | None
    warnings: tuple[str, ...]
    feature_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] | None = None

    def x(self) -> Samples:
        """Return the samples outside the test set, ``(N, D)``, mapped into memory."""
        samples: Samples = mapped(self.folder / "x.npy")
        return samples

    def y(self) -> NDArray[np.int64]:
        """Return their labels."""
        labels: NDArray[np.int64] = np.load(self.folder / "y.npy", allow_pickle=False)
        return labels


def mapped(path: Path) -> NDArray[Any]:
    """Return a stored array as a read-only view of its file."""
    array: NDArray[Any] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return array


def write_npy(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[NDArray[Any]]
) -> None:
    """Write rows that come in blocks as one .npy file, without holding them all."""
    with path.open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)


def decode(
    spec: DataSpec,
    data_dir: Path | None,
    *,
    download: bool,
    progress: Progress,
    needed: Sequence[str] = (),
) -> Decoded:
    """Return the data set that ``spec`` names, decoded into the cache if it is not there yet.

    Args:
        spec: The data set.
        data_dir: Folder to look for its files in first.
        download: Whether to download files that are nowhere.
        progress: Told of downloads and of archives being unpacked.
        needed: Arrays that the caller is going to read; if they are damaged in the cache, the
            data set is decoded again.

    Raises:
        DataError: If it is unknown, nowhere, or damaged.
    """
    data_dir = checked_data_dir(data_dir)
    source = meaning(spec.name, data_dir)
    is_table = isinstance(source, Path) and source.suffix.lower() != ".npz"
    if spec.of_tables and not is_table:
        if spec.label is not None:
            what = "a label column is"
        else:
            what = f"{', '.join(spec.of_tables)}: such options are"
        name = source if isinstance(source, Path) else source.name
        raise DataError(f"{what} for .csv and .parquet files, got {name}")
    if isinstance(source, Path):
        identity = _identity({source.name: source})
        if is_table:
            identity |= {"label": spec.label} | spec.of_tables
        origin = _Origin(source.stem, str(source), identity, lambda: _read_own(source, spec))
    else:
        origin = _named(source, data_dir, download, progress)
    return _decoded(origin, spec, needed)


class _Origin(NamedTuple):
    """Where a data set is read from.

    Attributes:
        where: For messages.
        identity: What tells its files from themselves after a change.
        read: Returns all of it.
    """

    name: str
    where: str
    identity: dict[str, Any]
    read: Callable[[], RawData]


def _read_own(path: Path, spec: DataSpec) -> RawData:
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    return read_table(
        path,
        spec.label,
        header=spec.header,
        decimal=spec.decimal,
        categorical=spec.categorical,
        missing=spec.missing,
    )


def _named(
    info: DatasetInfo,
    data_dir: Path | None,
    download: bool,
    progress: Progress,
) -> _Origin:
    if info.layout == "embedded":
        from importlib.metadata import version

        own = {"scikit-learn": version("scikit-learn")}
        return _Origin(info.name, info.name, own, lambda: read_digits(info))
    found = find_or_download(info, data_dir, progress) if download else require(info, data_dir)

    def read() -> RawData:
        if info.layout == "idx":
            return read_idx_dataset(info, found.files)
        return read_cifar(info, found.place, progress)

    return _Origin(info.name, info.name, _identity(found.files), read)


def _identity(files: dict[str, Path]) -> dict[str, Any]:
    """Return what tells a file from itself after a change."""
    identity = {}
    for name, path in files.items():
        stat = path.stat()
        # Tools that copy times (cp -p, rsync -t, unzip) copy neither of the last two.
        identity[name] = [
            str(path.resolve()),
            stat.st_size,
            stat.st_mtime_ns,
            stat.st_ctime_ns,
            stat.st_ino,
        ]
    return identity


def _decoded(origin: _Origin, spec: DataSpec, needed: Sequence[str]) -> Decoded:
    name, identity = origin.name, dict(origin.identity)
    if spec.test != "own":
        identity["test"] = spec.test
    if spec.classes is not None:
        identity["classes"] = spec.classes
    text = repr((_FORMAT, name, sorted(identity.items())))
    key = f"{_plain(name)}-{hashlib.sha256(os.fsencode(text)).hexdigest()[:16]}"
    folder = cache.cache_dir() / "decoded" / key
    meta = cache.read_meta(folder)
    damaged = [] if meta is None else cache.damaged(folder, [f"{one}.npy" for one in needed])
    if damaged:
        cache.discard(folder)
        meta = None
    if meta is None:
        folder = _stored(origin, spec, key)
        _give_back_memory()
        meta = cache.read_meta(folder)
        if meta is None:
            raise DataError(f"the cache folder {folder} changed while it was written; try again")
    cache.touch(folder)
    return Decoded(
        folder=folder,
        name=meta["name"],
        fingerprint=meta["fingerprint"],
        n=meta["n"],
        n_test=meta["n_test"],
        sample_shape=tuple(meta["sample_shape"]),
        class_names=tuple(meta["class_names"]),
        value_range=_pair(meta["value_range"]),
        canonical=_pair(meta["canonical"]),
        warnings=(*meta["warnings"], *damaged_warnings(name, damaged)),
        feature_names=tuple(meta["feature_names"]),
        columns=_columns(meta["columns"]),
    )


def _stored(origin: _Origin, spec: DataSpec, key: str) -> Path:
    raw = _as_asked(origin.where, origin.read(), spec)
    return cache.store("decoded", key, lambda into: _write(raw, origin.name, into))


def _give_back_memory() -> None:
    """Give back what pyarrow keeps for tables that it may read later: few searches read two."""
    if (pyarrow := sys.modules.get("pyarrow")) is not None:
        pyarrow.default_memory_pool().release_unused()


def damaged_warnings(name: str, files: Sequence[str]) -> tuple[str, ...]:
    """Return the note, if there is one to give, that files in the cache were damaged."""
    if not files:
        return ()
    what = "a file in the cache was" if len(files) == 1 else "files in the cache were"
    return (f"{name}: {what} damaged ({', '.join(files)}); it was made again from the source",)


def _columns(stored: list[list[Any]] | None) -> tuple[Column, ...] | None:
    if stored is None:
        return None
    return tuple(Column(name, None if words is None else tuple(words)) for name, words in stored)


def _pair(values: list[Any] | None) -> Any:
    return None if values is None else tuple(values)


def _plain(name: str) -> str:
    """Return ``name`` as a file name on any system."""
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in name)[:40]


def _as_asked(where: str, raw: RawData, spec: DataSpec) -> RawData:
    """Return the samples that are asked for, with or without a test set, checked as a whole."""
    if spec.classes is not None:
        raw = of_classes(where, raw, spec.classes)
    raw = without_test(raw) if spec.test == "none" else with_test(where, raw)
    if np.unique(raw.y).size < 2:
        raise DataError(f"{where}: must have at least 2 classes, got {np.unique(raw.y).size}")
    return raw


def _write(raw: RawData, name: str, folder: Path) -> dict[str, Any]:
    arrays = {"x": raw.x, "y": raw.y, "x_test": raw.x_test, "y_test": raw.y_test}
    digest = hashlib.sha256()
    for array_name, array in arrays.items():
        assert array is not None  # noqa: S101  # _as_asked saw to it
        digest.update(f"{array_name} {array.dtype.str} {array.shape}\n".encode())
        blocks = _blocks(array, digest.update)
        write_npy(folder / f"{array_name}.npy", array.shape, array.dtype, blocks)
    columns = None if raw.columns is None else [[one.name, one.words] for one in raw.columns]
    if columns is not None:
        digest.update(json.dumps(columns).encode())
    return {
        "name": name,
        "fingerprint": digest.hexdigest(),
        "n": len(raw.y),
        "n_test": len(raw.y_test) if raw.y_test is not None else 0,
        "sample_shape": list(raw.sample_shape),
        "class_names": list(raw.class_names),
        "value_range": raw.value_range,
        "canonical": raw.canonical,
        "warnings": list(raw.warnings),
        "feature_names": list(raw.feature_names),
        "columns": columns,
    }


def _blocks(
    array: NDArray[Any] | SideBySide, seen: Callable[[memoryview], None]
) -> Iterator[NDArray[Any]]:
    """Yield an array's rows in blocks, each of which ``seen`` is told of."""
    row_bytes = array.dtype.itemsize * math.prod(array.shape[1:])
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    for start in range(0, len(array), step):
        block = np.ascontiguousarray(array[start : start + step])
        seen(block.data)
        yield block
