"""Paths as people type them."""

import os
from pathlib import Path


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
