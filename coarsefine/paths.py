"""Paths as people type them, and text as their editors write it."""

import codecs
import os
from pathlib import Path
from typing import Final

# The longer ones first: UTF-32's mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with its leading ``~`` replaced by the home that it means, if there is one.

    A file that is called so is meant first; a user who is not known is no error: then the path
    stays as it is, and whoever opens it says that there is no such file.
    """
    plain = Path(path)
    try:
        if not str(plain).startswith("~") or plain.exists():
            return plain
        return plain.expanduser()
    except (RuntimeError, OSError, ValueError):  # no such home; too long; a NUL inside
        return plain


def text_of(path: Path, what: str, most: int | None = None) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 or UTF-32 as some editors write it.

    Args:
        path: The file.
        what: It must be, for messages.
        most: Megabytes that it may have; ``None`` for any.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is larger, or in another encoding; names the line.
    """
    if most is not None and path.stat().st_size > most << 20:
        raise ValueError(f"{path}: {what} must have at most {most} MB")
    contents = path.read_bytes()
    try:
        text = contents.decode(_encoding(contents))
    except UnicodeDecodeError as error:
        whole = error.object[: error.start]
        line = whole.count(b"\n") + 1
        raise ValueError(
            f"{path}: {what} must be a text file in UTF-8, line {line:,} is not; "
            "save it in that encoding"
        ) from None
    # As Python reads text: line ends of any system are one.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(contents: bytes) -> str:
    for mark, encoding in _MARKS:
        if contents.startswith(mark):
            return encoding
    # Text of ours begins with a Latin letter, a bracket, a blank or #: none has a byte 0.
    if contents[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if contents[:1] == b"\0" else "utf-8"
