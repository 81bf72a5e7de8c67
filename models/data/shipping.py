"""Prepared data on another machine: found there by its key, or unpacked from what it was sent."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data import cache, confinement
from coarsefine.models.data.prepared import PreparedData, prepare_split
from coarsefine.models.errors import DataError

_KIND = "prepared"


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """The files of prepared data, to be sent.

    Attributes:
        key: Of the data.
        files: Contents by name, ``uint8``; the test set is in none of them.
        digest: SHA-256 of all of it.
    """

    key: str
    files: dict[str, NDArray[np.uint8]]
    digest: str


def found_here(data: PreparedData) -> PreparedData | None:
    """Return the data as this machine has it; ``None`` if it has neither it nor its source.

    Nothing is downloaded: of a thousand workers, each would. A folder that the handle names need
    not be here.
    """
    for folder in (data.folder, cache.cache_dir() / _KIND / data.key):
        if cache.read_meta(folder) is not None:
            return dataclasses.replace(data, folder=folder)
    data_dir = data.data_dir if data.data_dir is not None and data.data_dir.is_dir() else None
    try:
        with confinement.confined(data.folders):
            again = prepare_split(data.spec, data.refit, data_dir=data_dir, download=False)
    except (DataError, OSError):
        return None
    return dataclasses.replace(data, folder=again.folder) if again.key == data.key else None


def packed(data: PreparedData) -> Packed:
    """Return the files of the data, mapped into memory.

    Raises:
        DataError: If this machine no longer has them.
    """
    here = found_here(data)
    meta = None if here is None else cache.read_meta(here.folder)
    if here is None or meta is None:
        raise DataError(
            f"the data {data.name} must be where they were when the search began; put the files "
            "back, and run the same command again"
        )
    notes = json.dumps({name: value for name, value in meta.items() if name != "files"})
    files = {name: _mapped(here.folder / name) for name in sorted(meta["files"])}
    files[cache.META] = np.frombuffer(notes.encode(), np.uint8)
    return Packed(data.key, files, _digest(files))


def unpacked(data: PreparedData, sent: Packed) -> PreparedData:
    """Return the data as this machine has it once what was sent is in its cache.

    Raises:
        DataError: If what arrived is not what was sent, or the cache cannot be written.
    """
    if sent.key != data.key or _digest(sent.files) != sent.digest:
        raise DataError(f"the data {data.name} must arrive as they were sent, got others")

    def write(folder: Path) -> dict[str, Any]:
        for name, contents in sent.files.items():
            if name != cache.META:
                (folder / name).write_bytes(contents.data)
        notes: dict[str, Any] = json.loads(sent.files[cache.META].tobytes())
        return notes

    folder = cache.store(_KIND, data.key, write)
    cache.evict(keep={folder})
    return dataclasses.replace(data, folder=folder)


def _mapped(path: Path) -> NDArray[np.uint8]:
    return np.asarray(np.memmap(path, np.uint8, mode="r"))


def _digest(files: dict[str, NDArray[np.uint8]]) -> str:
    digest = hashlib.sha256()
    for name, contents in files.items():
        digest.update(f"{name} {contents.size}\n".encode())
        digest.update(contents.data)
    return digest.hexdigest()
