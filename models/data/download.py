"""Getting, listing and verifying the data sets of the catalogue."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coarsefine.hints import Message, option
from coarsefine.models.data.catalogue import CATALOGUE, DatasetInfo, Download, named
from coarsefine.models.data.locate import (
    Found,
    checked_data_dir,
    download_folder,
    find,
    holds,
    missing,
)
from coarsefine.models.data.progress import Progress, Silent
from coarsefine.models.errors import DataError
from coarsefine.paths import expanded

# Seconds to connect, and between two pieces of a file.
_TIMEOUT = (10, 30)


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """A line of ``data list``; ``place`` is where its files are, ``None`` if nowhere yet."""

    info: DatasetInfo
    place: Path | None
    state: Literal["embedded", "found", "to download"]


def status(data_dir: Path | None = None) -> list[DatasetStatus]:
    """Return, for every data set by name, whether it is there.

    Raises:
        DataError: If ``data_dir`` is no folder.
    """
    data_dir = checked_data_dir(data_dir)
    result = []
    for info in CATALOGUE.values():
        if info.layout == "embedded":
            result.append(DatasetStatus(info, None, "embedded"))
            continue
        found = find(info, data_dir)
        if found is None:
            result.append(DatasetStatus(info, None, "to download"))
        else:
            result.append(DatasetStatus(info, found.place, "found"))
    return result


def get(name: str, data_dir: Path | None = None, progress: Progress | None = None) -> Path | None:
    """Return where the files of a data set are, downloaded if they are nowhere yet.

    They are downloaded to ``data_dir/NAME`` if ``data_dir`` is given, otherwise to the cache.

    Returns:
        Their folder or archive; ``None`` for embedded data.

    Raises:
        DataError: If the name is unknown or they cannot be downloaded.
    """
    info = named(name)
    if info.layout == "embedded":
        return None
    into = None if data_dir is None else expanded(data_dir).absolute() / info.name
    return find_or_download(info, checked_data_dir(data_dir), progress or Silent(), into).place


def find_or_download(
    info: DatasetInfo, data_dir: Path | None, progress: Progress, into: Path | None = None
) -> Found:
    """Return the files of a data set, downloaded if they are nowhere yet.

    Args:
        info: The data set.
        data_dir: As ``checked_data_dir`` returns it.
        progress: Told the bytes downloaded.
        into: Folder to download to; ``None`` is the cache.

    Raises:
        DataError: If they cannot be downloaded; says which files to put where.
    """
    found = find(info, data_dir)
    if found is not None:
        return found
    folder = into or download_folder(info)
    for file in _lacking(info, folder):
        reasons = _download(file, folder, progress)
        if reasons:
            raise DataError(_where_to_put(info, data_dir), f" (no download: {reasons})")
    found = find(info, data_dir)
    if found is None:
        raise DataError(_where_to_put(info, data_dir))
    return found


def require(info: DatasetInfo, data_dir: Path | None) -> Found:
    """Return the files of a data set without ever downloading.

    Raises:
        DataError: If they are nowhere; says which files to put where.
    """
    found = find(info, data_dir)
    if found is None:
        raise DataError(_where_to_put(info, data_dir))
    return found


def _lacking(info: DatasetInfo, folder: Path) -> list[Download]:
    # A file that is there stays: it may be the user's own.
    return [file for file in info.downloads if not holds(info, folder, file.name)]


def _where_to_put(info: DatasetInfo, data_dir: Path | None) -> Message:
    names, folder = missing(info, data_dir)
    other = "name another folder" if data_dir is not None else "into any folder and name it"
    line = f"{info.name} is not there: put {', '.join(names)} into {folder}, or {other} with "
    return Message(line, option("data_dir"))


def _download(file: Download, folder: Path, progress: Progress) -> str:
    """Download a file from the first mirror that has it; return why none had, or ''."""
    import pooch
    import requests  # type: ignore[import-untyped, unused-ignore]

    # It logs each download to stderr, where progress is drawn.
    pooch.get_logger().setLevel(logging.ERROR)
    reasons: list[str] = []
    for url in file.urls:
        bar = _PoochBar(file.name, progress)
        try:
            pooch.retrieve(
                url,
                known_hash=f"md5:{file.md5}",
                fname=file.name,
                path=folder,
                downloader=pooch.HTTPDownloader(
                    progressbar=bar, chunk_size=1 << 16, timeout=_TIMEOUT
                ),
            )
        except requests.RequestException as error:
            reasons.append(f"{_host(url)}: {_reason(error)}")
        except ValueError:  # pooch's word for a checksum that does not match
            reasons.append(f"{_host(url)}: its file does not match the published checksum")
        except OSError as error:
            raise DataError(
                f"cannot write {file.name} to {folder}: {error.strerror or error}; free some "
                "space there, or name another folder"
            ) from error
        else:
            return ""
        finally:
            bar.close()
    return "; ".join(reasons)


def _host(url: str) -> str:
    return url.split("/")[2]


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    kind = type(error).__name__
    words = {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no answer",
        "ReadTimeout": "stopped answering",
        "SSLError": "no secure connection",
        "ProxyError": "no connection through the proxy",
        "ChunkedEncodingError": "broken off",
    }
    return words.get(kind, kind)


class _PoochBar:
    """Passes on what pooch tells a progress bar."""

    def __init__(self, name: str, progress: Progress) -> None:
        self._name = name
        self._progress = progress
        self._started = False
        self._done = 0
        self.total: Any = None

    def update(self, n_bytes: int) -> None:
        """Count bytes; the total is known by the first call, the last piece rounded up."""
        total = int(self.total or 0)
        if not self._started:
            self._progress.start(f"downloading {self._name}", total or None)
            self._started = True
        step = min(n_bytes, total - self._done) if total else n_bytes
        self._done += step
        self._progress.advance(step)

    def reset(self) -> None:
        """Keep what is drawn: pooch starts over only to fill the bar up at the end."""

    def close(self) -> None:
        """End the task, once."""
        if self._started:
            self._progress.finish()
            self._started = False
