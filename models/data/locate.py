"""Where the files of a data set are."""

import os
from dataclasses import dataclass
from pathlib import Path

from coarsefine.configuration import DATA_DIR, VARIABLES, setting
from coarsefine.models.data.cache import cache_dir
from coarsefine.models.data.catalogue import DatasetInfo
from coarsefine.models.data.formats.cifar import batch_files
from coarsefine.models.data.formats.repackaged import find_repackaged
from coarsefine.models.errors import DataError
from coarsefine.paths import expanded

_CIFAR_FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")
_CIFAR_ARCHIVES = (
    "cifar-10-python.tar*",
    "cifar-10-python.t?z*",
    "cifar-10-binary.tar*",
    "cifar-10-binary.t?z*",
    "cifar-10-batches-py.tar*",
)
# What browsers and tools leave beside a download, or call one that is not complete.
_UNFINISHED = (".part", ".partial", ".crdownload", ".tmp", ".md5", ".sha256")


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a data set.

    Attributes:
        place: Folder or archive they are in.
        files: Path of each file; an archive is one file under its own name.
    """

    place: Path
    files: dict[str, Path]


def checked_data_dir(data_dir: Path | None) -> Path | None:
    """Return the folder to look in first: the one given, ``$SEARCH_DATA_DIR``, or none.

    Without either it is that of a configuration file.

    Raises:
        ConfigurationError: If such a file cannot be used.
        DataError: If it does not exist or is no folder.
    """
    what = "the data folder"
    if data_dir is None:
        text = setting(DATA_DIR)
        if not text:
            return None
        data_dir = Path(text)
        if os.environ.get(VARIABLES[DATA_DIR]):
            what = f"the data folder ${VARIABLES[DATA_DIR]}"
    data_dir = expanded(data_dir)
    if not data_dir.exists():
        raise DataError(f"{what} must exist, got {data_dir}")
    if not data_dir.is_dir():
        raise DataError(f"{what} must be a folder, got the file {data_dir}")
    return data_dir.absolute()


def download_folder(info: DatasetInfo) -> Path:
    """Return the folder that downloads of a data set go to."""
    return cache_dir() / "downloads" / info.name


def find(info: DatasetInfo, data_dir: Path | None) -> Found | None:
    """Return the files of a data set in ``data_dir`` or else among the downloads, if all there.

    Args:
        info: The data set.
        data_dir: As ``checked_data_dir`` returns it.
    """
    for folder in _folders(info, data_dir):
        if folder.is_dir():
            found = _idx_in(info, folder) if info.layout == "idx" else _cifar_in(folder)
            if found is not None:
                return found
    return None


def missing(info: DatasetInfo, data_dir: Path | None) -> tuple[list[str], Path]:
    """Return the names of the files not found and the folder that should hold them."""
    if info.layout == "idx" and data_dir is not None:
        for folder in _folders(info, data_dir):
            names = [name for name in info.contents if _idx_file(folder, name) is None]
            # Some are there: the others belong beside them.
            if 0 < len(names) < len(info.contents):
                return [f"{name}.gz" for name in names], folder
    names = [file.name for file in info.downloads]
    if data_dir is None:
        return names, download_folder(info)
    return names, data_dir / info.name


def holds(info: DatasetInfo, folder: Path, download: str) -> bool:
    """Return whether a folder holds what a download has, packed or not."""
    if info.layout == "idx":
        return _idx_file(folder, download.removesuffix(".gz")) is not None
    return (folder / download).is_file()


def _folders(info: DatasetInfo, data_dir: Path | None) -> list[Path]:
    # The folder of its name first: MNIST and Fashion-MNIST have the same file names.
    roots = [] if data_dir is None else [*(data_dir / name for name in info.folders), data_dir]
    return [*roots, download_folder(info)]


def _idx_in(info: DatasetInfo, folder: Path) -> Found | None:
    files = {name: _idx_file(folder, name) for name in info.contents}
    there = {name: file for name, file in files.items() if file is not None}
    if len(there) == len(files):
        return Found(folder, there)
    others = find_repackaged(info, folder)
    return None if others is None else Found(folder, others)


def _idx_file(folder: Path, name: str) -> Path | None:
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz", ".xz", ".bz2"):
            file = folder / f"{spelling}{ending}"
            if file.is_file():
                return file
            # Kaggle has each file in a folder of its name.
            if (inside := file / file.name).is_file():
                return inside
    return None


def _cifar_in(folder: Path) -> Found | None:
    for place in (*(folder / name for name in _CIFAR_FOLDERS), folder):
        if files := batch_files(place):
            return Found(place, files)
    for pattern in _CIFAR_ARCHIVES:
        for archive in sorted(folder.glob(pattern)):
            if archive.is_file() and archive.suffix not in _UNFINISHED:
                return Found(archive, {archive.name: archive})
    return None
