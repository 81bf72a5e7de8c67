"""Files that are written for users: what they are called, and how they come to be."""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coarsefine.search.errors import ExportError

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database

# File systems take 255 bytes, and a letter may be four.
_LONGEST: Final = 50
# As many as Linux follows.
_MOST_LINKS: Final = 40


def stem(study: str) -> str:
    """Return a study's name as a file's: without what some file system has no place for.

    >>> stem("digits/lambda"), stem("a:b*")
    ('digits-lambda', 'a-b-')
    """
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", study)[:_LONGEST].strip(". ") or "study"


def file_stem(database: "Database", study: str) -> str:
    """Return what the files of a study begin with: another name for each study of a database.

    Where a study that was begun before would have the same, as ``a/b`` and ``a-b``, some letters
    that follow from the name are added.
    """
    from coarsefine.db import repository

    plain = stem(study)
    before = takewhile(lambda name: name != study, repository.study_names(database))
    # Not all file systems tell capital letters from small ones.
    if any(stem(name).casefold() == plain.casefold() for name in before):
        return f"{plain}-{hashlib.sha256(study.encode()).hexdigest()[:6]}"
    return plain


def check_place(path: Path) -> None:
    """Raise an ExportError unless ``path`` can be written to."""
    try:
        if path.is_dir():
            raise ExportError(f"the export must be a file, got the folder {path}")
        if not _is_there(path) and not _target(path).parent.is_dir():
            folder = path.parent if not path.parent.is_dir() else _target(path).parent
            raise ExportError(f"the folder {folder} of {path.name} does not exist; create it")
    except (OSError, ValueError) as error:  # too long, a NUL inside, links in a circle
        reason = getattr(error, "strerror", None) or error
        raise ExportError(f"{path} cannot be written: {reason}") from error


def write(path: Path, contents: bytes | Iterable[bytes]) -> None:
    """Write a file whole or not at all; links are followed to what they lead to.

    A pipe or device that is there is written to. It is never replaced by a file.

    Args:
        path: Where.
        contents: All that it has, or pieces of that in their order.

    Raises:
        ExportError: If it cannot be written there.
    """
    check_place(path)
    pieces = [contents] if isinstance(contents, bytes) else contents
    try:
        descriptor = _open_descriptor(path)
        if descriptor is not None:
            _write_all(os.dup(descriptor), pieces)
        elif _is_there(path) and not stat.S_ISREG(path.stat().st_mode):
            _write_all(os.open(path, os.O_WRONLY), pieces)
        else:
            _replace(_target(path), pieces)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error


def _is_there(path: Path) -> bool:
    """Return whether there is something to write to, which ``/dev/stdout`` is without a path."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _target(path: Path) -> Path:
    """Return what a path leads to by way of symbolic links."""
    return Path(os.path.realpath(path))


def _open_descriptor(path: Path) -> int | None:
    """Return the open descriptor of this process that a path means, as ``/dev/stdout`` does.

    A shell that sends stdout into a file goes on writing to it, so it must not be replaced.
    """
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if path.name.isdecimal() and folder == f"/proc/{os.getpid()}/fd":
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def _replace(target: Path, pieces: Iterable[bytes]) -> None:
    """Write a file beside its place, and move it there when it is complete."""
    # Whoever may write into the folder cannot have a link wait under a name nobody knows.
    temporary = target.with_name(f".coarsefine-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with suppress(OSError):  # a file that is replaced keeps its rights
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        _write_all(descriptor, pieces)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _write_all(descriptor: int, pieces: Iterable[bytes]) -> None:
    """Write to an open descriptor, and close it."""
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[file.write(left) :]
