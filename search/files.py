"""Files: what those are called that are named after a study, and how any is written."""

import os
import re
from pathlib import Path
from typing import Final

from coarsefine.search.errors import ExportError

# File systems take 255 bytes, and a letter may be four.
_LONGEST: Final = 50


def stem(study: str) -> str:
    """Return a study's name as a file's: without what some file system has no place for.

    >>> stem("digits/lambda"), stem("a:b*")
    ('digits-lambda', 'a-b-')
    """
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", study)[:_LONGEST].strip(". ") or "study"


def write(path: Path, contents: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        ExportError: If it cannot be written there.
    """
    check_place(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(contents)
        temporary.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Raise an ExportError unless ``path`` can be a file."""
    if path.is_dir():
        raise ExportError(f"the export must be a file, got the folder {path}")
    if not path.parent.is_dir():
        raise ExportError(f"the folder {path.parent} of {path.name} does not exist; create it")
