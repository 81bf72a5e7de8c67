"""Paths as people type them."""

from pathlib import Path

from coarsefine.models.errors import DataError


def expanded(path: str | Path) -> Path:
    """Return a path with its leading ``~`` replaced by the home that it means, if there is one.

    A file that is called so is meant first; a user who is not known is no error: then the path
    stays as it is, and whoever opens it says that there is no such file.
    """
    plain = Path(path)
    if not str(plain).startswith("~") or plain.exists():
        return plain
    try:
        return plain.expanduser()
    except RuntimeError:
        return plain


def check_text(what: str, path: str | Path) -> None:
    """Raise a ``DataError`` unless a path is text, which is all that a database can hold."""
    text = str(path)
    if any("\ud800" <= character <= "\udfff" for character in text):
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise DataError(f"{what} must have a path in UTF-8, got {shown}; rename it")
