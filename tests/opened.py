"""Who opens a database's file in this process, and which of its locks are held."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_watched: list[tuple[Path, list[str]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    """Note the ``open`` of a watched file. SQLite opens files without Python's knowledge."""
    if event != "open" or not _watched or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    with suppress(OSError, ValueError):
        status = Path(os.fsdecode(arguments[0])).stat()
        for path, opened in _watched:
            for part in (path, f"{path}-wal", f"{path}-shm"):
                with suppress(OSError):
                    there = Path(part).stat()
                    if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
                        opened.append(f"{os.fspath(arguments[0])!r}, mode {arguments[1]!r}")


@cache
def _listen() -> None:
    """Hear of files from now on. What hears, hears of all that Python does, and cannot be ended."""
    sys.addaudithook(_hear)


@contextmanager
def opens_of(path: Path) -> Generator[list[str]]:
    """Yield a list of the times that anything but SQLite opens a database's file in the block."""
    _listen()
    watched = (path, [])
    _watched.append(watched)
    try:
        yield watched[1]
    finally:
        _watched.remove(watched)


def locks_of(path: Path) -> set[tuple[str, str]]:
    """Return the locks that this process has on a file: kind and first byte.

    They are read from the process's own open files. The list of the whole system, /proc/locks, is
    read in pieces: a lock that somebody lets go of between two pieces hides another one.
    """
    found, inode = set(), path.stat().st_ino
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # whoever lists open files has one open that is gone by now
            if descriptor.stat().st_ino != inode:
                continue
            for line in Path("/proc/self/fdinfo", descriptor.name).read_text().splitlines():
                # lock:	1: POSIX ADVISORY READ 5664 fe:00:2148532 128 128
                words = line.split()
                if words[0] == "lock:" and words[2] == "POSIX":
                    found.add((words[4], words[7]))
    return found
