"""Paths that a database can hold."""

from pathlib import Path

from coarsefine.models.errors import DataError


def check_text(what: str, path: str | Path) -> None:
    """Raise a ``DataError`` unless a path is text, which is all that a database can hold."""
    text = str(path)
    if any("\ud800" <= character <= "\udfff" for character in text):
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise DataError(f"{what} must have a path in UTF-8, got {shown}; rename it")
