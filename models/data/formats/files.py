"""Opening packed files with a bound on what they unpack to."""

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from coarsefine.models.data.progress import Progress, Silent
from coarsefine.models.errors import DataError

NOT_DATA = ("an empty file", "a web page", "a Git LFS pointer")
_HEAD_SIZE = 64


# A file that unpacks to more would not fit the memory of the machines this is made for.
MAX_BYTES = 32 << 30
# Compressed data sets are rarely smaller than a hundredth; files of zeros are a thousandth.
_MOST_TIMES_LARGER = 200
_ALWAYS_ALLOWED = 1 << 30


def bytes_allowed(path: Path) -> int:
    """Return how many bytes a packed file may unpack to: its size bounds what it can cost.

    Raises:
        DataError: If its size cannot be read.
    """
    with reading(path):
        return min(MAX_BYTES, max(_ALWAYS_ALLOWED, _MOST_TIMES_LARGER * path.stat().st_size))


class Readable(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; all there are if it is negative."""


class BoundedReader:
    """Reads on, up to ``limit`` bytes in all: a packed file can be small and unpack to anything."""

    def __init__(self, source: Readable, limit: int, name: str) -> None:
        self._source = source
        self._left = limit
        self._message = f"{name}: must unpack to at most {limit:,} bytes, got more"

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; all there are if it is negative."""
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        data = self._source.read(wanted)
        self._left -= len(data)
        if self._left < 0:
            raise DataError(self._message)
        return data


class _CountedFile(io.FileIO):
    """A file that reports what is read of it."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path)
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self._progress.advance(len(data))
        return data


@contextmanager
def opened(path: Path, limit: int, progress: Progress | None = None) -> Iterator[BoundedReader]:
    """Open a file for reading, unpacked if it is packed by gzip, bzip2, xz or Zstandard.

    Args:
        path: The file, of any ending: its first bytes tell how it is packed.
        limit: Reading more than so many unpacked bytes raises.
        progress: Told the bytes read of the file as it lies there.

    Raises:
        DataError: If it cannot be opened, read or unpacked; also from inside the ``with`` block.
    """
    with reading(path), _CountedFile(path, progress or Silent()) as file:
        head = io.FileIO.read(file, _HEAD_SIZE)  # not counted: it is read again
        file.seek(0)
        if (seen := looks_like(head)) in NOT_DATA:
            raise DataError(f"{path}: must be a data file, got {seen}; get it again")
        yield BoundedReader(_unpacked(file, head, path), limit, str(path))


def _unpacked(file: io.FileIO, head: bytes, path: Path) -> Readable:
    raw = cast(BinaryIO, file)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            from compression import zstd  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            raise DataError(
                f"{path}: Zstandard needs Python 3.14 or newer; unpack the file first"
            ) from None
        return cast(Readable, zstd.ZstdFile(raw))
    return raw


# What the standard library raises at a zip archive that it cannot read: its structure, a method or
# a password that it does not know, names that are no text.
DAMAGED_ZIP: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a missing, locked or damaged file raises inside into one DataError line."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: damaged or incomplete: {reason}; get it again") from error
    except OSError as error:
        # pyarrow's says several lines, and not what the system said.
        reason = error.strerror or " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read: {reason}") from error


def looks_like(head: bytes) -> str:
    """Return what a file that is not what it should be looks like, in words.

    >>> looks_like(b"<!DOCTYPE html>")
    'a web page'
    """
    text = head.lstrip().lower()
    if not head:
        return "an empty file"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    return f"a file that starts with {head[:4].hex(' ')}"


def md5_of(path: Path) -> str:
    """Return the MD5 checksum of a file, as published beside data sets; no security in it.

    Raises:
        DataError: If it cannot be read.
    """
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
