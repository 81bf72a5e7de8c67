"""The SQLite files that are open in this process, which nothing but SQLite may open.

POSIX drops all locks that a process has on a file as soon as it closes any descriptor of it. SQLite
knows and keeps its own descriptors open for as long as it must; a file that this program opened
itself, to read a header say, would take the locks from under SQLite, and the next process to leave
the database would delete the write-ahead log that is in use here. So what is to be known of a
database, its ``-wal`` or its ``-shm`` is asked of SQLite, or of ``stat``, which opens nothing.
"""

from collections import Counter
from pathlib import Path
from typing import Final

Identity = tuple[int, int]


def identity(path: Path) -> Identity | None:
    """Return device and inode of a file, ``None`` if it is not there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def beside(path: Path, suffix: str) -> Path:
    """Return the file that SQLite keeps beside a database: its ``-wal`` or its ``-shm``."""
    return path.with_name(path.name + suffix)


opened: Final[Counter[Path]] = Counter()
"""How many engines have each database open; kept by ``db.connections.sqlite_files``."""

_LOGS: Final = ("-wal", "-shm")


def is_open(path: Path) -> bool:
    """Return whether a file is part of a database that is open here, by whatever name."""
    return is_log(path) or _is_one_of(path, list(opened))


def is_log(path: Path) -> bool:
    """Return whether a file is the log, or the log's index, of a database that is open here."""
    return _is_one_of(path, [beside(main, suffix) for main in list(opened) for suffix in _LOGS])


def _is_one_of(path: Path, parts: list[Path]) -> bool:
    here = identity(path) if parts else None
    return here is not None and any(identity(part) == here for part in parts)
