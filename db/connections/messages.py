"""What a database's errors are to users: one line that says what to do."""

import re
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
)

from coarsefine.db.connections import server_errors
from coarsefine.db.errors import StorageError
from coarsefine.hints import option, search_command

# SQLite's driver quotes what it could not read, which may be anything.
_UNTEXT, _DAMAGED = (
    re.compile(r"Could not decode .*? column '(\w+)'.*", re.DOTALL),
    r"\1 is no text",
)


@contextmanager
def explained(label: str) -> Generator[None]:
    """Turn what the world does to a database into one line; leave our own mistakes alone.

    Raises:
        StorageError: With that line.
        KeyboardInterrupt: If a signal ended a statement.
    """
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError) as error:
        if isinstance(error.orig, sqlite3.Error) or not server_errors.foreseen(error):
            raise
        raise StorageError(f"{label}: {server_errors.reason(error.orig)}") from error
    except (DatabaseError, InterfaceError, sqlite3.DatabaseError) as error:
        cause = error if isinstance(error, sqlite3.DatabaseError) else error.orig
        if is_interrupt(cause):
            raise KeyboardInterrupt from None
        if isinstance(cause, sqlite3.Error):
            line = f"{_UNTEXT.sub(_DAMAGED, first_line(cause))}{_advice(str(cause))}"
        else:
            line = server_errors.reason(cause)
        raise StorageError(f"{label}: {line}") from error
    except UnicodeEncodeError as error:
        # Names on the command line may be bytes that are no text.
        raise StorageError(
            f"names and paths must be text in UTF-8, got {error.object[:60]!r}"
        ) from error


def is_interrupt(cause: object) -> bool:
    """Return whether SQLite gave up a statement because a signal's handler wants to stop."""
    code = getattr(cause, "sqlite_errorcode", None)
    return isinstance(cause, sqlite3.Error) and code == sqlite3.SQLITE_INTERRUPT


def _advice(message: str) -> str:
    for sign, advice in (
        ("locked", "; another program keeps it busy: close that and run the same command again"),
        ("full", "; free some space and run the same command again"),
        ("I/O error", "; check the disk and its quota, and run the same command again"),
        ("readonly", "; make the file and its folder writable"),
        ("unable to open", "; look at the permissions of the file and its folder"),
        ("Could not decode", "; the file is damaged: restore a copy of it"),
        ("malformed", "; the file is damaged: restore a copy of it"),
        ("not a database", "; the file is damaged: restore a copy of it"),
    ):
        if sign in message:
            return advice
    return ""


def first_line(error: object) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().split("\n", 1)[0]


def no_studies(label: str) -> StorageError:
    """Return the error of a place without our tables."""
    return StorageError(f"no studies in {label}; run `", search_command("lambda", "coarse"), "`")


def no_file(path: Path) -> StorageError:
    """Return the error of a file of studies that is not there, as in the wrong folder."""
    return StorageError(
        f"no studies in {path}: there is no {path.name} in {path.absolute().parent}; change the "
        "folder or name it with ",
        option("storage"),
        "; for a first study, run `",
        search_command("lambda", "coarse"),
        "`",
    )
