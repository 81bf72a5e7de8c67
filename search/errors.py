"""What ends a command early, and the one line and exit status it ends with."""

import shutil
import sys
from pathlib import Path
from typing import TypeAlias

from coarsefine.hints import HintedError, Message

DONE, FAILED, USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

_MODULE = "python -m search"
INSTALLED = "coarsefine"


class UsageError(HintedError):
    """A command line that cannot be meant as it stands."""


class ExportError(HintedError):
    """A file that cannot be written."""


class FigureError(ExportError):
    """A figure that a study does not have."""


Lack: TypeAlias = "str | Message | None"
"""What a study lacks for a figure; ``None`` if it can be drawn."""


def require(lack: Lack) -> None:
    """Raise a FigureError that says what a study lacks for a figure, if it lacks something."""
    if lack is not None:
        raise FigureError(lack)


class ServingError(Exception):
    """A place in the network that cannot be served from."""


class Stopped(Exception):  # noqa: N818  # no error: the user's wish
    """A command that was asked to stop.

    Attributes:
        status: What to exit with.
        resumable: Whether the same command carries on with what it has stored.
    """

    def __init__(self, status: int = INTERRUPTED, *, resumable: bool = False) -> None:
        super().__init__()
        self.status = status
        self.resumable = resumable


def program() -> str:
    """Return how this program was called: what commands that it suggests begin with."""
    called = Path(sys.argv[0]) if sys.argv else Path()
    if called.stem == INSTALLED:
        return called.stem
    return f"{_interpreter()} -m search" if called.name == "__main__.py" else _MODULE


def _interpreter() -> str:
    """Return ``python``, or the path of a virtual environment in this folder not activated."""
    found, interpreter = shutil.which("python"), Path(sys.executable)
    here = Path.cwd()
    if (found and Path(found).parent == interpreter.parent) or here not in interpreter.parents:
        return "python"
    return str(interpreter.relative_to(here))


def exit_status(error: Exception) -> int | None:
    """Return what a command should exit with after ``error``; ``None`` if nobody expects it."""
    # Importing these takes no longer than raising one of them has.
    from coarsefine.configuration import ConfigurationError
    from coarsefine.db.errors import StorageError, StorageUrlError
    from coarsefine.models.errors import ModelError
    from coarsefine.studies.errors import StudyError

    if isinstance(error, UsageError | StorageUrlError | ConfigurationError):
        return USAGE
    if isinstance(error, StudyError):
        return error.exit_status
    if isinstance(error, ModelError | StorageError | ExportError | ServingError):
        return FAILED
    return None
