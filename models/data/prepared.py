"""Data ready to train on: split, normalised, and mapped into memory by every worker."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data import cache, confinement
from coarsefine.models.data.decoded import (
    Decoded,
    damaged_warnings,
    decode,
    mapped,
    write_npy,
)
from coarsefine.models.data.normalise import pieces
from coarsefine.models.data.progress import Progress, Silent
from coarsefine.models.data.spec import DataSpec, check_amount
from coarsefine.models.data.splits import refit_indices, split_indices
from coarsefine.models.data.transform import (
    STATISTICS,
    Transform,
    collapse_notes,
    encoded_samples,
    fitted_transform,
)
from coarsefine.models.errors import DataError

# Part of every key: raise it when what is written changes.
_FORMAT = 1
_FILES = ("x_train.npy", "y_train.npy", "x_validation.npy", "y_validation.npy", STATISTICS)
# Data sets a worker keeps open; maps cost address space only.
_MAX_OPEN = 16

RefitName = Literal["train+validation", "none"]

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
    sample_shape: tuple[int, ...] = ()


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
        folders: Where files of data may lie, if not anywhere: of workers, too.
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
    folders: tuple[Path, ...] | None = None

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
        if _damage(folder) is not None:
            folder = self._prepared_again()
        data = TrainingData(
            x_train=mapped(folder / "x_train.npy"),
            y_train=mapped(folder / "y_train.npy"),
            x_validation=mapped(folder / "x_validation.npy"),
            y_validation=mapped(folder / "y_validation.npy"),
            sample_shape=self.sample_shape,
        )
        cache.touch(folder)
        _open[self.key] = data
        while len(_open) > _MAX_OPEN:
            _open.popitem(last=False)
        return data

    def transform(self) -> Transform:
        """Return what was fitted on the training split, to be applied to other samples.

        Raises:
            DataError: If the data set is not here, or not the same.
        """
        folder = self.folder
        if _damage(folder, (STATISTICS,)) is not None:
            folder = self._prepared_again()
        return Transform.load(folder, cache.read_meta(folder) or {})

    def labels_to_split(self) -> NDArray[np.int64]:
        """Return the labels of all samples outside the test set, in the order of the data set.

        Raises:
            DataError: If the data set is not here.
        """
        with confinement.confined(self.folders):
            decoded = decode(
                self.spec, self.data_dir, download=False, progress=Silent(), needed=("y",)
            )
        return decoded.y()

    def _prepared_again(self) -> Path:
        with confinement.confined(self.folders):
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


def prepare_final(
    spec: DataSpec,
    *,
    refit: RefitName = "train+validation",
    validation: int | float = 0.02,
    data_dir: Path | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> PreparedData:
    """Return the data of the final training.

    Args:
        spec: The data set, split and normalisation of the search.
        refit: ``train+validation``: both splits, less a small part that stays for validation,
            normalised with the statistics of what is trained on. ``none``: as the search had it.
        validation: Size of that small part: a number of samples, or a fraction of both splits.
        data_dir: Folder to look for its files in first; ``None`` is ``$SEARCH_DATA_DIR``.
        download: Whether to download files that are nowhere.
        progress: Told of downloads and of archives being unpacked, which takes seconds.

    Raises:
        DataError: As ``prepare`` does, or if nothing is left to train on.
    """
    if refit not in ("train+validation", "none"):
        raise DataError(f"refit must be train+validation or none, got {refit!r}")
    kept = validation if refit == "train+validation" else None
    return prepare_split(spec, kept, data_dir=data_dir, download=download, progress=progress)


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
    progress = progress or Silent()
    decoded = decode(spec, data_dir, download=download, progress=progress, needed=("y",))
    y = decoded.y()
    train, validation = split_indices(spec.split, y, decoded.canonical, decoded.name)
    if refit is not None:
        train, validation = refit_indices(train, validation, refit)
    split_fingerprint = _fingerprint(train, validation)
    key = _key(decoded, split_fingerprint, spec)
    folder = cache.cache_dir() / "prepared" / key
    damaged = _damage(folder)
    if damaged is not None:
        if damaged:
            cache.discard(folder)
        needed = ("x", "y")
        decoded = decode(spec, data_dir, download=download, progress=progress, needed=needed)
        folder = cache.store(
            "prepared", key, lambda into: _write(decoded, y, spec, train, validation, into)
        )
        cache.evict(keep={folder, decoded.folder})
    cache.touch(folder)
    notes = cache.read_meta(folder) or {}
    n_features = int(notes.get("n_features", np.prod(decoded.sample_shape)))
    return PreparedData(
        key=key,
        folder=folder,
        name=decoded.name,
        n_train=len(train),
        n_validation=len(validation),
        n_test=decoded.n_test,
        n_features=n_features,
        n_classes=len(decoded.class_names),
        sample_shape=decoded.sample_shape if decoded.columns is None else (n_features,),
        class_names=decoded.class_names,
        fingerprint=decoded.fingerprint,
        split_fingerprint=split_fingerprint,
        normalisation=spec.normalisation,
        precision=spec.precision,
        warnings=(
            *decoded.warnings,
            *damaged_warnings(decoded.name, damaged or ()),
            *notes.get("notes", ()),
            *_split_warnings(decoded, spec, y[train], y[validation]),
            *cache.cache_warnings(),
        ),
        spec=spec,
        refit=refit,
        data_dir=data_dir,
        folders=confinement.folders(),
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
    transform = fitted_transform(decoded, spec, train)
    encoder = transform.encoder
    notes = transform.save(folder)
    x = encoded_samples(decoded, encoder)
    n_features = x.shape[1]
    for part, rows in (("train", train), ("validation", validation)):
        write_npy(
            folder / f"x_{part}.npy",
            (len(rows), n_features),
            spec.precision,
            (transform.normalisation.applied(piece, spec.precision) for piece in pieces(x, rows)),
        )
        np.save(folder / f"y_{part}.npy", y[rows], allow_pickle=False)
    # Its file is unmapped before that of what was written is mapped.
    del x
    names = decoded.feature_names if encoder is None else encoder.feature_names
    return notes | {
        "name": decoded.name,
        "normalisation": spec.normalisation,
        "n_features": n_features,
        "notes": collapse_notes(decoded, encoder, train, folder / "x_train.npy", names),
    }


def _damage(
    folder: Path,
    names: Sequence[str] = _FILES,
) -> list[str] | None:
    """Return the files of an entry that are damaged; ``None`` if it is whole.

    The list is empty if the entry is not there.
    """
    if cache.read_meta(folder) is None:
        return []
    return cache.damaged(folder, names) or None


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
