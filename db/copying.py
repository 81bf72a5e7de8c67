"""A copy of all studies where somebody wants one, made by SQLite while others go on writing."""

import os
import secrets
import shlex
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url

from coarsefine.db.backup import fill, sync_folder
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.messages import explained
from coarsefine.db.connections.open_files import beside, is_open
from coarsefine.db.connections.sqlite_files import damage
from coarsefine.db.connections.urls import storage_url
from coarsefine.db.errors import StorageError
from coarsefine.hints import option

_LOGS: Final = ("-wal", "-shm", "-journal")


def copy_database(storage: str, target: Path, *, replace: bool = False) -> int:
    """Write a copy of a database of ours to ``target``, whole or not at all.

    SQLite makes it, and it is what a search had stored at one moment. A driver may go on meanwhile.

    Args:
        storage: A file or URL, as ``storage_url`` takes it.
        target: The file to make; its folder is there.
        replace: Whether a file that is there may be replaced.

    Returns:
        How many bytes it has.

    Raises:
        StorageError: In one line: what is in the way, or which program copies a server's database.
    """
    url = make_url(storage_url(storage))
    if url.get_backend_name() != "sqlite":
        raise StorageError(
            f"a server's database is copied by the server's own program: {_dump(url, target)}"
        )
    with open_database(storage, read_only=True, older=True) as database:
        place = Path(os.path.realpath(target))
        check_target(place, target, replace)
        assert database.connect is not None  # noqa: S101  # it is a file
        part = place.with_name(f".coarsefine-{secrets.token_hex(8)}.tmp")
        with explained(database.label), closing(database.connect()) as source:
            try:
                # Nobody else may have put a file or a link there.
                os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
                with closing(sqlite3.connect(part, check_same_thread=False)) as copy:
                    fill(copy, source)
                    found = damage(copy, 1)
                if found:
                    raise StorageError(
                        f"{database.label} is damaged ({found[0]}); restore an older copy of it"
                    )
                check_target(place, target, replace)
                part.replace(place)
                sync_folder(place.parent)
            except OSError as error:
                raise StorageError(
                    f"{target} cannot be written: {error.strerror or error}"
                ) from error
            finally:
                with suppress(OSError):
                    part.unlink()
        return place.stat().st_size


def check_target(place: Path, target: Path, replace: bool) -> None:
    """Refuse a place where a copy would do harm."""
    try:
        if place.is_dir():
            raise StorageError(f"the backup must be a file, got the folder {target}")
        if place.exists() and not place.is_file():
            raise StorageError(f"the backup must be a file, got the pipe or device {target}")
        if not place.parent.is_dir():
            raise StorageError(
                f"the folder {place.parent} of {place.name} does not exist; create it"
            )
    except (OSError, ValueError) as error:  # too long, a NUL inside
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"{target} cannot be written: {reason}") from error
    if is_open(place):
        raise StorageError(f"the backup must be another file than the database, got {target}")
    # SQLite would take a log that is left for that of the copy.
    left = [file.name for file in (beside(place, end) for end in _LOGS) if file.exists()]
    if left:
        raise StorageError(
            f"{target} is a database in use, or one whose program was interrupted ({left[0]} is "
            "beside it); name another file"
        )
    if place.exists() and not replace:
        raise StorageError(f"{target} is there already; replace it with ", option("force", True))


def _dump(url: URL, target: Path) -> str:
    """Return the command that dumps a server's database, without its password."""
    postgresql = url.get_backend_name() == "postgresql"
    words = (
        ["pg_dump", "--format=custom", f"--file={target}"]
        if postgresql
        else ["mariadb-dump", "--single-transaction", f"--result-file={target}", "--password"]
    )
    user = "--username" if postgresql else "--user"
    for flag, stated in ((user, url.username), ("--host", url.host), ("--port", url.port)):
        if stated is not None:
            words += [flag, str(stated)]
    return shlex.join([*words, url.database or ""])
