"""The cache folder: entries that appear whole or not at all, and leave oldest first."""

import atexit
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from coarsefine.models.data.block_sums import checksum
from coarsefine.models.errors import DataError
from coarsefine.paths import expanded

META = "meta.json"
_SUMS, _OWN_SUM = "checksums", "checksum"
_TEMPORARY = ".tmp-"
_ABANDONED_SECONDS = 24 * 3600
_DEFAULT_LIMIT_GB = 8.0
_NO_ROOM = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO)
)

# Made when no cache folder can be written; one a process, removed when it ends.
_fallback: Path | None = None
# Files that were compared with their checksums in this process, and how they were then.
_verified: set[tuple[str, int, int, int]] = set()


def cache_dir() -> Path:
    """Return the cache folder, made if need be; a temporary one where it cannot be written."""
    if not _has_home():
        return _temporary_cache_dir()
    root = _wanted_cache_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            return root
    except OSError:
        return _temporary_cache_dir()


def cache_warnings() -> tuple[str, ...]:
    """Return a line for the user if the cache folder cannot be written."""
    if cache_dir() != _fallback:
        return ()
    if _has_home():
        reason = f"the cache folder {_wanted_cache_dir()} cannot be written"
    else:
        reason = "the user has no home folder to keep a cache in"
    return (f"{reason}, so data is decoded anew each time; name a folder with SEARCH_CACHE_DIR",)


def _wanted_cache_dir() -> Path:
    chosen = os.environ.get("SEARCH_CACHE_DIR")
    if chosen:
        return expanded(chosen).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("coarsefine", appauthor=False)


def _has_home() -> bool:
    """Return whether the cache folder was named, or the user has a home to keep one in."""
    if os.environ.get("SEARCH_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME"):
        return True
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # Path.expanduser raises without a user
    return home.is_absolute() and home.is_dir()


def _temporary_cache_dir() -> Path:
    global _fallback  # noqa: PLW0603
    if _fallback is None or not _fallback.is_dir():
        _fallback = Path(tempfile.mkdtemp(prefix="coarsefine-"))
        atexit.register(_remove_if_owner, _fallback, os.getpid())
    return _fallback


def _remove_if_owner(folder: Path, pid: int) -> None:
    # A forked worker inherits the registration, not the folder.
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def read_meta(folder: Path) -> dict[str, Any] | None:
    """Return what is noted of an entry; ``None`` if there is no whole entry.

    Of the files, sizes are compared; ``damaged`` compares contents.
    """
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(meta, dict):
        return None
    sizes = meta.get("files")
    if not isinstance(sizes, dict) or meta.get(_OWN_SUM) != _sum_of_notes(meta):
        return None
    for name, size in sizes.items():
        try:
            if (folder / name).stat().st_size != size:
                return None
        except OSError:
            return None
    return meta


def damaged(folder: Path, names: Collection[str]) -> list[str]:
    """Return the files of an entry whose contents are not what was written.

    Each file is looked at once a process.

    Args:
        folder: An entry that ``read_meta`` finds whole.
        names: Files in it.
    """
    meta = read_meta(folder)
    sums = {} if meta is None else meta[_SUMS]
    wrong = []
    for name in names:
        path = folder / name
        try:
            stat = path.stat()
            seen = (str(path), stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
            if seen in _verified:
                continue
            if checksum(path) == sums.get(name):
                _verified.add(seen)
                continue
        except OSError:
            pass
        wrong.append(name)
    return wrong


def discard(folder: Path) -> None:
    """Remove an entry, so that it is made again."""
    _remove(folder)


def _sum_of_notes(meta: dict[str, Any]) -> str:
    notes = {name: value for name, value in meta.items() if name != _OWN_SUM}
    return hashlib.sha256(json.dumps(notes, sort_keys=True).encode()).hexdigest()


def store(kind: str, key: str, write: Callable[[Path], dict[str, Any]]) -> Path:
    """Return the folder of a new entry, written by ``write``, which returns its notes.

    It is written elsewhere and renamed when complete, so that no process ever sees half of it,
    and of two that write the same one, one wins.

    Raises:
        DataError: If the disk is full or the folder cannot be written.
    """
    parent = cache_dir() / kind
    final = parent / key
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=parent))
        try:
            meta = write(temporary)
            files = sorted(temporary.iterdir())
            meta["files"] = {file.name: file.stat().st_size for file in files}
            meta[_SUMS] = {file.name: checksum(file) for file in files}
            # As read back: JSON makes lists of tuples.
            meta = json.loads(json.dumps(meta))
            meta[_OWN_SUM] = _sum_of_notes(meta)
            (temporary / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
            _put(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        # NumPy says of a full disk only how much of an array was written, without a number.
        if error.errno is not None and error.errno not in _NO_ROOM:
            raise
        raise DataError(
            f"the cache folder {parent} cannot be written: {error.strerror or 'no room is left'}; "
            "free some space or name another with SEARCH_CACHE_DIR"
        ) from error
    return final


def _put(temporary: Path, final: Path) -> None:
    # Readable by others who share the cache, as mkdir would have made it.
    temporary.chmod(0o755)
    try:
        temporary.rename(final)
    except OSError:
        if read_meta(final) is not None:
            return  # another process was first
        shutil.rmtree(final, ignore_errors=True)  # damaged
        temporary.rename(final)


def touch(folder: Path) -> None:
    """Note that an entry was used just now."""
    with suppress(OSError):
        os.utime(folder / META)


def evict(keep: set[Path]) -> None:
    """Remove entries, least recently used first, until the cache is within its limit.

    Args:
        keep: Folders in use, never removed.

    Raises:
        DataError: If ``$SEARCH_CACHE_LIMIT_GB`` is no number > 0.
    """
    limit = _limit_bytes()
    entries: list[tuple[float, int, Path]] = []
    for folder in cache_dir().glob("*/*"):
        if folder.name.startswith(_TEMPORARY):
            _remove_if_abandoned(folder)
        elif (folder / META).is_file():
            with suppress(OSError):  # another process may be removing it as well
                size = sum(file.stat().st_size for file in folder.iterdir())
                entries.append(((folder / META).stat().st_mtime, size, folder))
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries):
        if total <= limit:
            return
        if folder not in keep:
            _remove(folder)
            total -= size


def _remove(folder: Path) -> None:
    # Renamed first: another process finds all of it or nothing.
    aside = folder.with_name(f"{_TEMPORARY}{folder.name}-{os.getpid()}")
    with suppress(OSError):
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _limit_bytes() -> float:
    text = os.environ.get("SEARCH_CACHE_LIMIT_GB")
    if not text:
        return _DEFAULT_LIMIT_GB * 1e9
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not limit > 0:
        raise DataError(f"SEARCH_CACHE_LIMIT_GB must be a number of gigabytes > 0, got {text!r}")
    return limit * 1e9
