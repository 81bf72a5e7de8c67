"""How a table of text is written: packing, encoding, separator and the line of names."""

import csv
import io
import re
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from coarsefine.models.data.formats.files import (
    DAMAGED_ZIP,
    NOT_DATA,
    bytes_allowed,
    looks_like,
    opened,
    reading,
)
from coarsefine.models.data.wording import some
from coarsefine.models.errors import DataError

SEPARATORS = ",;\t|"
BLANKS = r"\s+"
_EXCEL_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
# No line of numbers that anyone trains on is longer; the first ones are read to look at them.
_LONGEST_LINE = 1 << 24
_LONGEST_NAME = 1000
_SAMPLE = 1 << 16


class Source:
    """A file of text, unpacked once if it is packed, whatever its name says.

    Raises:
        DataError: If it cannot be read or unpacked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._contents: bytes | None = None
        with reading(path), path.open("rb") as file:
            head = file.read(64)
        if head.startswith(b"PK\x03\x04"):
            self._contents = _only_member(path)
        elif head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")):
            with opened(path, bytes_allowed(path)) as packed:
                self._contents = packed.read()

    def head(self) -> bytes:
        """Return the first bytes."""
        if self._contents is not None:
            return self._contents[:_SAMPLE]
        with reading(self.path), self.path.open("rb") as file:
            return file.read(_SAMPLE)

    @contextmanager
    def opened(self, encoding: str) -> Iterator[io.TextIOWrapper]:
        """Open the file for reading text."""
        with reading(self.path):
            raw: BinaryIO = (
                self.path.open("rb") if self._contents is None else io.BytesIO(self._contents)
            )
            # Lines of an old Macintosh, which Python's reader of CSV refuses.
            head = self.head()
            returns = b"\r" in head and b"\n" not in head
            with io.TextIOWrapper(raw, encoding, newline=None if returns else "") as text:
                yield text

    def decodes(self, encoding: str) -> UnicodeDecodeError | None:
        """Return why not all of the file is text in that encoding; ``None`` if it is."""
        try:
            with self.opened(encoding) as file:
                while file.read(1 << 20):
                    pass
        except UnicodeDecodeError as error:
            return error
        return None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table of text is written.

    Attributes:
        source: The file.
        encoding: Of its characters.
        n_skipped: Lines before the names, or before the first sample where there are none.
        separator: Between two values; ``BLANKS`` is a regular expression.
        header: The first line that counts: names, or values.
        notes: What the user should know, a line each.
    """

    source: Source
    encoding: str
    n_skipped: int
    separator: str
    header: tuple[str, ...]
    notes: tuple[str, ...]

    @contextmanager
    def opened(self) -> Iterator[io.TextIOWrapper]:
        """Open the file where the names are, or the first sample."""
        with self.source.opened(self.encoding) as file:
            for _ in range(self.n_skipped):
                file.readline()
            yield file

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the records, and the line of the file, from 1, that each begins on.

        Empty lines are none, as pandas has it.
        """
        with self.opened() as file:
            records = _records(file, self.separator)
            before = 0
            for fields in records:
                if fields:
                    yield self.n_skipped + before + 1, fields
                before = records.line_num


def dialect_of(path: Path, label: str, *, header: bool, decimal: str) -> Dialect:
    """Return how a table of text is written.

    Args:
        path: The file.
        label: Column of the labels: the separator that finds it in the line of names is right.
        header: Whether there is a line of names.
        decimal: What stands before the decimals.

    Raises:
        DataError: If it is no table of text.
    """
    source = Source(path)
    head = source.head()
    if (seen := looks_like(head)) in NOT_DATA:
        raise DataError(f"{path}: must be a {path.suffix or '.csv'} file, got {seen}")
    encoding, notes = _encoding(source, head)
    with source.opened(encoding) as file:
        sample = _first_lines(path, file)
    separator, n_skipped = None, 0
    if sample and (excel := _EXCEL_LINE.fullmatch(sample[0])):
        separator, n_skipped = excel[1], 1
    n_comments = _comments(sample[n_skipped:], separator or "", label)
    n_skipped += n_comments
    if n_comments:
        what = "the first line is" if n_comments == 1 else f"the first {n_comments:,} lines are"
        notes.append(f"{path}: {what} a comment and left out")
    lines = sample[n_skipped:]
    if not any(line.strip() for line in lines):
        raise DataError(f"{path}: must hold samples, got no line of them")
    separator = separator or _separator(lines, label if header else None, decimal)
    fields = next((one for one in _records(io.StringIO("".join(lines)), separator) if one), [])
    if header and any(len(name) > _LONGEST_NAME for name in fields):
        longest = max(map(len, fields))
        raise DataError(
            f"{path}: names of columns must have at most {_LONGEST_NAME:,} characters, "
            f"got one of {longest:,}"
        )
    return Dialect(source, encoding, n_skipped, separator, tuple(fields), tuple(notes))


def bare_names(path: Path, fields: Collection[str], label: str) -> tuple[list[str], list[str]]:
    """Return the names of columns without blanks around them, and a note if there were any."""
    names = [_bare(field) for field in fields]
    padded = [field for field, name in zip(fields, names, strict=True) if field != name]
    if label not in names and names and _bare(names[0].lstrip("#")) == label:
        # NumPy's savetxt writes the names as a comment.
        names[0] = label
    if not padded:
        return names, []
    return names, [f"{path}: blanks around names of columns are left out: {some(padded, 3)}"]


def looks_like_sample(names: Collection[str], label: str, below: Collection[str]) -> bool:
    """Return whether the line of names looks like a sample instead.

    Args:
        names: The line.
        label: Column of the labels.
        below: What stands below the label's name, if there is one of that name.
    """
    others = [name for name in names if name != label]
    numbers = [number for name in others if (number := _number(name)) is not None]
    if len(numbers) < 2 and len(numbers) < len(others):
        return False
    # Years, wavelengths and the numbers of pixels are names: they go up.
    rising = all(one < two for one, two in pairwise(numbers))
    if label in names:
        return len(numbers) == len(others) and not rising and label in below
    return not rising


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bare(name: str) -> str:
    # str.strip knows the no-break space, but not the two marks of no width.
    return name.strip().strip("\ufeff\u200b").strip()


_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def _encoding(source: Source, head: bytes) -> tuple[str, list[str]]:
    """Return the encoding of a file by its first bytes, or by all of it, and notes.

    Raises:
        DataError: If it is not text in that encoding.
    """
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if encoding is None:
        quarter = len(head[:400]) // 4
        if head[1:400:2].count(0) > quarter:
            encoding = "utf-16-le"
        elif head[:400:2].count(0) > quarter:
            encoding = "utf-16-be"
    error = source.decodes(encoding or "utf-8")
    if error is None:
        return encoding or "utf-8", []
    path = source.path
    if encoding or b"\x00" in error.object[max(0, error.start - 10) : error.end + 10]:
        reason = f"it is not text in {(encoding or 'utf-8').upper()}"
        raise DataError(f"{path}: damaged or no {path.suffix} file: {reason}")
    note = f"{path}: is not in UTF-8 and was read as Latin-1 (Windows-1252); check the names"
    return ("latin-1" if source.decodes("cp1252") else "cp1252"), [note]


def _first_lines(path: Path, file: io.TextIOBase) -> list[str]:
    lines: list[str] = []
    n = 0
    while n < _SAMPLE and (line := file.readline(_LONGEST_LINE)):
        if len(line) == _LONGEST_LINE:
            raise DataError(
                f"{path}: lines must have fewer than {_LONGEST_LINE:,} characters, "
                f"line {len(lines) + 1} has more"
            )
        lines.append(line)
        n += len(line)
    return lines


def _comments(lines: list[str], separator: str, label: str) -> int:
    """Return how many of the first lines are comments: they begin with # and are no row."""
    n = 0
    while n < len(lines) - 1 and lines[n].lstrip().startswith("#"):
        for one in separator or SEPARATORS:
            width = len(_fields(lines[n], one))
            if width > 1 and width == len(_fields(lines[n + 1], one)):
                return n
        n += 1
    return n


def _separator(lines: list[str], label: str | None, decimal: str) -> str:
    first = next(line for line in lines if line.strip())
    there = [one for one in SEPARATORS if one in first and not (one == "," and decimal == ",")]
    if not there:
        return BLANKS if len(first.split()) > 1 and _is_row(lines, first) else ","
    if len(there) == 1:
        return there[0]
    for one in there:
        if label is not None and label in [_bare(name) for name in _fields(first, one)]:
            return one
    try:
        return csv.Sniffer().sniff("".join(lines[:100]), "".join(there)).delimiter
    except csv.Error:
        return there[0]


def _is_row(lines: list[str], first: str) -> bool:
    """Return whether the lines below have as many words as the first."""
    below = [line for line in lines[lines.index(first) + 1 :] if line.strip()][:20]
    return bool(below) and all(len(line.split()) == len(first.split()) for line in below)


def _fields(line: str, separator: str) -> list[str]:
    return next(iter(_records(io.StringIO(line), separator)), [])


class _Words:
    """Records of words between blanks, in the manner of ``csv.reader``."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self.line_num = 0

    def __iter__(self) -> "_Words":
        return self

    def __next__(self) -> list[str]:
        self.line_num += 1
        return next(self._file).split()


class _Records:
    """Records as ``csv.reader`` has them, in which a field that is too long is a ``DataError``."""

    def __init__(self, file: io.TextIOBase, separator: str) -> None:
        self._reader = csv.reader(file, delimiter=separator, skipinitialspace=True)

    @property
    def line_num(self) -> int:
        return self._reader.line_num

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> list[str]:
        try:
            return next(self._reader)
        except csv.Error as error:
            raise DataError(f"a line cannot be read: {error}") from None


def _records(file: io.TextIOBase, separator: str) -> _Words | _Records:
    return _Words(file) if separator == BLANKS else _Records(file, separator)


def _only_member(path: Path) -> bytes:
    with reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                files = [one for one in archive.infolist() if not one.is_dir()]
                if any(one.filename.startswith("xl/") for one in files):
                    raise DataError(f"{path}: is an Excel workbook; save it as CSV")
                tables = [one for one in files if not one.filename.startswith("__MACOSX/")]
                if len(tables) != 1:
                    raise DataError(
                        f"{path}: is a zip archive of {len(tables)} files; take the table out of it"
                    )
                if tables[0].file_size > bytes_allowed(path):
                    raise DataError(
                        f"{path}: must unpack to at most {bytes_allowed(path):,} bytes, "
                        f"got {tables[0].file_size:,}"
                    )
                return archive.read(tables[0])
        except DAMAGED_ZIP as error:
            raise DataError(f"{path}: damaged or no zip archive: {error}") from error
