"""How the files of a data set compare with the published ones."""

import hashlib
from pathlib import Path

from models.data.catalogue import DatasetInfo
from models.data.cifar import read_batches
from models.data.download import FileCheck
from models.data.files import md5_of, opened
from models.data.locate import Found
from models.data.progress import Progress
from models.errors import DataError

# The largest published file unpacks to 47 MB.
_LIMIT = 100_000_000


def check_files(info: DatasetInfo, found: Found, progress: Progress) -> list[FileCheck]:
    """Return a line for each file found.

    Raises:
        DataError: If an archive is damaged.
    """
    if info.layout == "idx":
        return [_check_idx(info, name, path) for name, path in found.files.items()]
    checks = []
    for name, contents in read_batches(info, found.place, progress):
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
