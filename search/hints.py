"""What to type next, as short as it can be."""

import os
import shlex
import subprocess
from pathlib import Path

from coarsefine.search.errors import program


def command(*words: str, storage: str | None = None, data_dir: Path | None = None) -> str:
    """Return a command line to be typed as it stands.

    Args:
        words: The command and its arguments.
        storage: What ``--storage`` was given.
        data_dir: What ``--data-dir`` was given.
    """
    line = [*words]
    if data_dir is not None:
        line += ["--data-dir", str(data_dir)]
    if storage is not None:
        line += ["--storage", without_password(storage)]
    quoted = subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)
    return f"{program()} {quoted}"


def without_password(storage: str) -> str:
    """Return a storage as it may be printed."""
    if "://" not in storage:
        return storage
    from coarsefine.db.urls import masked

    return masked(storage)
