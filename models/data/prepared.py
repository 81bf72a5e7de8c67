"""Data ready to train on: split, normalised, and mapped into memory by every worker."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data import cache
from models.data.decoded import Decoded, decode, mapped
from models.data.normalise import fitted, pieces
from models.data.progress import Progress, Silent
from models.data.spec import DataSpec, check_amount
from models.data.splits import refit_indices, split_indices
from models.errors import DataError

# Part of every key: raise it when what is written changes.
_FORMAT = 1
STATISTICS = "statistics.npz"
# Data sets a worker keeps open; maps cost address space only.
_MAX_OPEN = 16

_open: "OrderedDict[str, TrainingData]" = OrderedDict()


@dataclass(frozen=True, eq=False, slots=True)
class TrainingData:
    """Training and validation split, normalised and read-only. There is no test split here.

    Attributes:
        x_train: ``(N, D)``, C-contiguous, mapped into memory.
        y_train: ``(N,)``, int64, 0 … K-1.
        x_validation: ``(M, D)``.
        y_validation: ``(M,)``.
    """

    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_validation: NDArray[Any]
    y_validation: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PreparedData:
    """A handle on prepared data: small, picklable, and the same wherever it is opened.

    Attributes:
        key: Names the arrays by what they are: equal keys, equal arrays.
        folder: Where this machine keeps them.
        n_test: Number of samples of the test set, which is not in ``folder``.
        fingerprint: SHA-256 of the whole data set as decoded.
        split_fingerprint: SHA-256 of the indices of both splits.
        warnings: What the user should know, a line each.
        refit: What of both splits is kept for validation when the rest is trained on.
        data_dir: The data folder it was prepared from, if one was given.
    """

    key: str
    folder: Path
    name: str
    n_train: int
    n_validation: int
    n_test: int
    n_features: int
    n_classes: int
    sample_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    fingerprint: str
    split_fingerprint: str
    normalisation: str
    precision: str
    warnings: tuple[str, ...]
    spec: DataSpec
    refit: int | float | None = None
    data_dir: Path | None = None

    def open(self) -> TrainingData:
        """Return the arrays, opened once per process.

        Where they are no longer, or not on this machine, they are prepared again.

        Raises:
            DataError: If the data set is not here, or not the same.
        """
        if self.key in _open:
            _open.move_to_end(self.key)
            return _open[self.key]
        folder = self.folder
        if cache.read_meta(folder) is None:
            folder = self._prepared_again()
        data = TrainingData(
            x_train=mapped(folder / "x_train.npy"),
            y_train=_labels(folder / "y_train.npy"),
            x_validation=mapped(folder / "x_validation.npy"),
            y_validation=_labels(folder / "y_validation.npy"),
        )
        cache.touch(folder)
        _open[self.key] = data
        while len(_open) > _MAX_OPEN:
            _open.popitem(last=False)
        return data

    def _prepared_again(self) -> Path:
        again = prepare_split(self.spec, self.refit, data_dir=self.data_dir)
        if again.key != self.key:
            raise DataError(
                f"the data set {self.name} must be the one the search began with "
                f"(fingerprint {self.fingerprint[:12]}), got {again.fingerprint[:12]}"
            )
        return again.folder


def prepare(
    spec: DataSpec,
    *,
    data_dir: Path | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> PreparedData:
    """Return the data set of ``spec``, split and normalised, from the cache if it was before.

    Args:
        spec: The data set, its split and its normalisation.
        data_dir: Folder to look for its files in first; ``None`` is ``$SEARCH_DATA_DIR``.
        download: Whether to download files that are nowhere.
        progress: Told of downloads and of archives being unpacked, which takes seconds.

    Raises:
        DataError: If the data set is unknown, nowhere or damaged, or the split does not fit it.
    """
    return prepare_split(spec, None, data_dir=data_dir, download=download, progress=progress)


def prepare_split(
    spec: DataSpec,
    refit: int | float | None,
    *,
    data_dir: Path | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> PreparedData:
    """Return prepared data; with ``refit``, trained on are both splits but a part of that size.

    Raises:
        DataError: As ``prepare`` does, or if ``refit`` leaves nothing to train on.
    """
    if refit is not None:
        check_amount("validation of the final training", refit)
    decoded = decode(spec, data_dir, download=download, progress=progress or Silent())
    y = decoded.y()
    train, validation = split_indices(spec.split, y, decoded.canonical, decoded.name)
    if refit is not None:
        train, validation = refit_indices(train, validation, refit)
    split_fingerprint = _fingerprint(train, validation)
    key = _key(decoded, split_fingerprint, spec)
    folder = cache.cache_dir() / "prepared" / key
    if cache.read_meta(folder) is None:
        folder = cache.store(
            "prepared", key, lambda into: _write(decoded, y, spec, train, validation, into)
        )
        cache.evict(keep={folder, decoded.folder})
    cache.touch(folder)
    return PreparedData(
        key=key,
        folder=folder,
        name=decoded.name,
        n_train=len(train),
        n_validation=len(validation),
        n_test=decoded.n_test,
        n_features=int(np.prod(decoded.sample_shape)),
        n_classes=len(decoded.class_names),
        sample_shape=decoded.sample_shape,
        class_names=decoded.class_names,
        fingerprint=decoded.fingerprint,
        split_fingerprint=split_fingerprint,
        normalisation=spec.normalisation,
        precision=spec.precision,
        warnings=(
            *decoded.warnings,
            *_split_warnings(decoded, spec, y[train], y[validation]),
            *cache.cache_warnings(),
        ),
        spec=spec,
        refit=refit,
        data_dir=data_dir,
    )


def _fingerprint(train: NDArray[np.int64], validation: NDArray[np.int64]) -> str:
    digest = hashlib.sha256()
    for indices in (train, validation):
        digest.update(f"{len(indices)}\n".encode())
        digest.update(indices.astype("<i8").tobytes())
    return digest.hexdigest()


def _key(decoded: Decoded, split_fingerprint: str, spec: DataSpec) -> str:
    """Return a name made of contents only, so that it is the same on every machine."""
    text = json.dumps(
        [_FORMAT, decoded.fingerprint, split_fingerprint, spec.normalisation, spec.precision]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(
    decoded: Decoded,
    y: NDArray[np.int64],
    spec: DataSpec,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    folder: Path,
) -> dict[str, Any]:
    x = decoded.x()
    normalisation = fitted(spec.normalisation, x, train, decoded.value_range)
    normalisation.save(folder / STATISTICS)
    for part, rows in (("train", train), ("validation", validation)):
        write_npy(
            folder / f"x_{part}.npy",
            (len(rows), x.shape[1]),
            spec.precision,
            (normalisation.applied(piece, spec.precision) for piece in pieces(x, rows)),
        )
        np.save(folder / f"y_{part}.npy", y[rows], allow_pickle=False)
    return {"name": decoded.name, "normalisation": spec.normalisation}


def write_npy(
    path: Path, shape: tuple[int, int], dtype: str, blocks: Iterable[NDArray[Any]]
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


def _labels(path: Path) -> NDArray[np.int64]:
    labels: NDArray[np.int64] = np.load(path, allow_pickle=False)
    labels.flags.writeable = False
    return labels


def _split_warnings(
    decoded: Decoded, spec: DataSpec, y_train: NDArray[np.int64], y_validation: NDArray[np.int64]
) -> list[str]:
    warnings = []
    for part, labels in (("training", y_train), ("validation", y_validation)):
        counts = np.bincount(labels, minlength=len(decoded.class_names))
        absent = [decoded.class_names[i] for i in np.flatnonzero(counts == 0)]
        if absent:
            shown = ", ".join(absent[:10]) + (", …" if len(absent) > 10 else "")
            kind = "class has" if len(absent) == 1 else "classes have"
            warnings.append(
                f"{len(absent)} {kind} no sample among the {len(labels):,} of the {part} split: "
                f"{shown}"
            )
    own_validation = decoded.canonical is not None and Path(spec.name).suffix.lower() == ".npz"
    if own_validation and spec.split.method != "canonical":
        warnings.append(
            f"{spec.name} has a validation part of its own, which the {spec.split.method} split "
            "joins to the training part; split it canonical to keep it"
        )
    return warnings
