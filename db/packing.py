"""Studies in one file that is checked when it is unpacked: a small database like any other.

Its name ends with ``.cfs``, and whatever reads studies reads it. What was
packed is told by a SHA-256 of each study's rows, so that damage and changes are noticed.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from coarsefine.db import schema
from coarsefine.db.backup import fill, sync_folder
from coarsefine.db.connections.engine import Database, is_new, open_database
from coarsefine.db.connections.messages import explained
from coarsefine.db.connections.sqlite_files import hear_signals
from coarsefine.db.copying import check_target
from coarsefine.db.errors import StorageError
from coarsefine.db.repository.measurements import get_measurement, set_measurement
from coarsefine.db.study_rows import compared_columns, digests
from coarsefine.db.tables import Study
from coarsefine.db.whole_copy import write_all
from coarsefine.hints import command

ENDING: Final = ".cfs"
_PACKED: Final = "packed"


def pack(database: Database, names: Mapping[str, str], target: Path, *, replace: bool) -> int:
    """Write studies to a file, whole or not at all.

    A study may be searched meanwhile: the file has what was stored at one moment.

    Args:
        database: Where they are.
        names: What they are called, by UUID.
        target: The file; its folder is there.
        replace: Whether a file that is there may be replaced.

    Returns:
        How many bytes it has.

    Raises:
        StorageError: In one line: what is in the way.
    """
    place = Path(os.path.realpath(target))
    check_target(place, target, replace)
    try:
        with tempfile.TemporaryDirectory(prefix=".coarsefine-", dir=place.parent) as folder:
            part = Path(folder) / f"studies{ENDING}"
            with open_database(str(part), create=True) as packed:
                make_optunas_tables(packed)
                _fill(database, packed, names)
            with explained(str(target)), closing(sqlite3.connect(part)) as connection:
                hear_signals(connection)
                # One file that stands by itself, whatever becomes of it.
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()
                connection.execute("VACUUM")
            _sync(part)
            check_target(place, target, replace)
            part.replace(place)
            sync_folder(place.parent)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error
    return place.stat().st_size


def _fill(database: Database, packed: Database, names: Mapping[str, str]) -> None:
    columns = compared_columns()
    with database.session() as source, packed.write() as session:
        rows = source.execute(sa.select(Study.uuid, Study.id)).all()
        ids = {uuid: number for uuid, number in rows if uuid in names}
        for uuid, name in names.items():
            if uuid not in ids:
                raise StorageError(f"study {name!r} is no longer in {database.label}")
        read = write_all(source, session, {ids[uuid]: names[uuid] for uuid in names}, columns)
        written = digests(session, list(read), columns)
        for uuid, number in ids.items():
            if written[number] != read[number]:
                raise StorageError(
                    f"study {names[uuid]!r} could not be written as it is"
                )  # pragma: no cover
    listed = [{"uuid": u, "name": name, "sha256": read[ids[u]]} for u, name in names.items()]
    set_measurement(packed, _PACKED, {"studies": listed, "columns": columns})


def make_optunas_tables(database: Database) -> None:
    """Have Optuna's tables in a database of ours."""
    with database.session() as session:
        if schema.optuna_has_begun(session.connection()):
            return
    from coarsefine.db.optuna.storage import close_storage, opened_storage
    from coarsefine.db.optuna.values import quiet

    with quiet():
        close_storage(opened_storage(database))


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def made_whole(storage: str, said: Callable[[str], None] | None = None) -> Generator[Database]:
    """Yield a database to write to; a file that is not there yet appears when that went well.

    Args:
        storage: URL of a file or a server.
        said: Hears a line if tables of an older version were brought up to date.

    Raises:
        StorageError: If it cannot be written, or somebody made the same file meanwhile.
    """
    url = make_url(storage)
    if url.get_backend_name() != "sqlite" or not is_new(storage):
        with open_database(storage, create=True, said=said) as database:
            yield database
        return
    place = Path(os.path.realpath(url.database or ""))
    with tempfile.TemporaryDirectory(prefix=".coarsefine-", dir=place.parent) as folder:
        part = Path(folder) / place.name
        with open_database(str(part), create=True) as database:
            yield database
        _sync(part)
        if place.exists():
            raise StorageError(f"{place} was made by somebody else meanwhile; run this again")
        part.replace(place)
        sync_folder(place.parent)


@contextmanager
def opened_to_merge(storage: str) -> Generator[Database]:
    """Yield a database to read studies of; of an older version, a copy brought up to date."""
    with open_database(storage, read_only=True, older=True) as database:
        revision = schema.read_revision(database.engine)
        if revision == schema.HEAD:
            yield database
            return
        path, label = database.path, database.label
    if path is None:
        raise StorageError(
            f"{label} was written by an older version of this program (schema {revision}, now "
            f"{schema.HEAD}); search in it once to bring it up to date"
        )
    with tempfile.TemporaryDirectory(prefix="coarsefine-") as folder:
        copy = Path(folder) / path.name
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as made,
        ):
            fill(made, source)
        open_database(str(copy)).close()
        with open_database(str(copy), read_only=True) as database:
            yield database


def check_packed(database: Database) -> None:
    """Raise a StorageError unless a file has all that was packed, as it was.

    Raises:
        StorageError: Says what is missing or not as it was.
    """
    said = get_measurement(database, _PACKED)
    try:
        columns = {str(name): [str(c) for c in listed] for name, listed in said["columns"].items()}
        packed = {str(one["uuid"]): str(one["sha256"]) for one in said["studies"]}
    except (AttributeError, KeyError, TypeError):
        raise StorageError(
            f"{database.label} is not a packed file; `",
            command("merge", database.label),
            "` takes any database",
        ) from None
    with database.session() as session:
        found = session.execute(sa.select(Study.id, Study.uuid, Study.name)).all()
        there = digests(session, [study.id for study in found], columns)
        wrong = [study.name for study in found if there[study.id] != packed.get(study.uuid)]
        if wrong or {study.uuid for study in found} != packed.keys():
            which = f"study {wrong[0]!r} is" if wrong else "its studies are"
            raise StorageError(
                f"{database.label}: {which} not as packed: the file was damaged or changed; get it "
                "again, or, if the changes are yours, `",
                command("merge", database.label),
                "`",
            )
