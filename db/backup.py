"""A copy of a database file beside it, before its tables are changed."""

import os
import sqlite3
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Final

_PAGES: Final = 2_000


def keep_copy(path: Path, revision: str) -> Path:
    """Copy an SQLite file as it stands, and return the copy: ``search.db.schema-0001.bak``.

    The caller holds the write lock, so that nothing is written meanwhile. The copy has its name
    only once it is whole; one that is there is left alone, and the new one numbered.

    Raises:
        OSError, sqlite3.Error: If there is no room for it, or no right to write.
    """
    name = f"{path.name}.schema-{revision}.bak"
    part = path.with_name(f"{name}.part")
    part.unlink(missing_ok=True)  # of a process that was killed
    try:
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(part)) as target,
        ):
            fill(target, source)
        for number in count(1):
            copy = path.with_name(name if number == 1 else f"{name}.{number}")
            if copy.exists():
                continue
            part.rename(copy)
            sync_folder(copy.parent)
            return copy
        raise AssertionError  # pragma: no cover  # numbers do not end
    finally:
        part.unlink(missing_ok=True)


def fill(target: sqlite3.Connection, source: sqlite3.Connection) -> None:
    """Copy a database as it is at one moment, while others go on writing to it."""
    # In steps, between which Python hears signals. What is read first holds the moment: without
    # it, SQLite would begin again whenever somebody writes.
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    source.backup(target, pages=_PAGES, progress=lambda *_: None)
    source.rollback()
    # One file that stands by itself, whatever becomes of it.
    target.execute("PRAGMA journal_mode = DELETE").fetchone()


def sync_folder(folder: Path) -> None:
    """Have the new name on the disk; where folders cannot be opened, the system sees to it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
