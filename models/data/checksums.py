"""How the files of a data set compare with the published ones."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coarsefine.models.data.catalogue import DatasetInfo, named
from coarsefine.models.data.formats.cifar import read_batches
from coarsefine.models.data.formats.files import md5_of, opened
from coarsefine.models.data.formats.idx import idx_md5
from coarsefine.models.data.formats.repackaged import read_repackaged
from coarsefine.models.data.locate import Found, checked_data_dir, find, missing
from coarsefine.models.data.progress import Progress, Silent
from coarsefine.models.errors import DataError

# The largest published file unpacks to 47 MB.
_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class FileCheck:
    """A line of ``data verify``.

    Attributes:
        name: The file; for an archive, one of the files in it.
        path: Where it is; ``None`` if it is missing.
        expected: Published MD5 checksum; ``None`` if there is none.
        actual: Its MD5 checksum.
        state: ``unknown`` if no checksum is published.
    """

    name: str
    path: Path | None
    expected: str | None
    actual: str | None
    state: Literal["ok", "differs", "missing", "unknown"]


def verify(
    name: str, data_dir: Path | None = None, progress: Progress | None = None
) -> list[FileCheck]:
    """Return how each file of a data set compares with the published one.

    What counts is a file unpacked: an archive packed another way is none the worse.

    Raises:
        DataError: If the name is unknown, or a file is damaged.
    """
    info = named(name)
    if info.layout == "embedded":
        return []
    found = find(info, checked_data_dir(data_dir))
    if found is None:
        names, _ = missing(info, checked_data_dir(data_dir))
        expected = {file.name: file.md5 for file in info.downloads}
        return [FileCheck(n, None, expected.get(n), None, "missing") for n in names]
    return _check_files(info, found, progress or Silent())


def _check_files(info: DatasetInfo, found: Found, progress: Progress) -> list[FileCheck]:
    if info.layout == "idx" and not set(found.files) <= set(info.contents):
        return [
            _compared(f"{name} in {path.name}", path, info.contents[name], idx_md5(values))
            for name, (path, values) in read_repackaged(info, found.files).items()
        ]
    if info.layout == "idx":
        return [_check_idx(info, name, path) for name, path in found.files.items()]
    checks = []
    task = f"checking {found.place.name}"
    for name, contents in read_batches(info, found.place, progress, task):
        actual = hashlib.md5(contents, usedforsecurity=False).hexdigest()
        checks.append(_compared(name, found.place, info.contents.get(name), actual))
    there = {check.name.removesuffix(".bin") for check in checks}
    return checks + [
        FileCheck(name, None, expected, None, "missing")
        for name, expected in info.contents.items()
        if name not in there
    ]


def _check_idx(info: DatasetInfo, name: str, path: Path) -> FileCheck:
    actual = md5_of(path)
    published = {file.name: file.md5 for file in info.downloads}.get(path.name)
    if actual == published:
        return FileCheck(path.name, path, published, actual, "ok")
    expected = info.contents.get(name)
    try:
        with opened(path, _LIMIT) as file:
            contents = file.read()
    except DataError:
        # Damaged: what can be compared is the file as it lies there.
        return _compared(path.name, path, published or expected, actual)
    unpacked = hashlib.md5(contents, usedforsecurity=False).hexdigest()
    if unpacked == expected:
        return FileCheck(path.name, path, expected, unpacked, "ok")
    return _compared(path.name, path, published or expected, actual if published else unpacked)


def _compared(name: str, path: Path, expected: str | None, actual: str) -> FileCheck:
    if expected is None:
        return FileCheck(name, path, None, actual, "unknown")
    return FileCheck(name, path, expected, actual, "ok" if actual == expected else "differs")
