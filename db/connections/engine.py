"""Open the database: checks first, then one engine with the settings every writer needs."""

import errno
import logging
import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.orm import Session

from coarsefine.db import backup, schema
from coarsefine.db.connections import sqlite_files, urls
from coarsefine.db.connections.messages import explained, first_line, no_file, no_studies
from coarsefine.db.connections.sqlite_files import SharedFile
from coarsefine.db.connections.urls import DEFAULT_URL, storage_url
from coarsefine.db.errors import StorageError
from coarsefine.db.foreign_parts import check_foreign_parts

# A pool that is interrupted while it closes a connection logs the traceback, and raises it all the
# same. Without a handler, Python would print it.
logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """An open database. The engine is SQLAlchemy's; ``path`` is ``None`` unless it is SQLite's.

    All handles of one SQLite file in a process share its connections.

    Attributes:
        url: SQLAlchemy URL, with its password if it has one: never print it, print ``label``.
        label: What messages call it.
        connect: Opens one more connection with the same settings; for Optuna's own engine.
        guards: Called at the beginning of each writing transaction; what they raise ends it.
    """

    engine: Engine
    url: str = field(repr=False)  # may hold a password
    path: Path | None
    label: str
    read_only: bool
    connect: Callable[[], sqlite3.Connection] | None
    _shared: SharedFile | None = field(repr=False)
    guards: list[Callable[[Session], None]] = field(default_factory=list)
    _user: object = field(default_factory=object, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def server_options(self) -> dict[str, Any]:
        """Return arguments for an engine that others make of ``url``; none for a file."""
        if self.path is not None:
            return {}
        from coarsefine.db.connections import servers

        return servers.engine_options(make_url(self.url))

    def close(self) -> None:
        """Close this handle, and all connections if no other handle of the file is open.

        The last connection to a file folds SQLite's write-ahead log into it.
        """
        if self._shared is None:
            self.engine.dispose()
        else:
            self._shared.release(self._user)

    @contextmanager
    def session(self) -> Generator[Session]:
        """Yield a session that sees one moment of the database; nothing it does is kept."""
        with explained(self.label), self._reading() as session:
            yield session

    @contextmanager
    def write(self, *, alone: bool = True) -> Generator[Session]:
        """Yield a session in one transaction: all is kept, or nothing if the block raises.

        What it reads stays true until it commits: SQLite gives the transaction its write lock at
        the start (``BEGIN IMMEDIATE``), on a server it takes a lock that all writers take. Keep it
        short: other writers wait meanwhile.

        Args:
            alone: Not needed by what concerns one study only, whose driver is the one who writes:
                on a server, it need not wait for other writers then, nor they for it.

        Raises:
            StorageError: If the database was opened read-only, its file has gone, or a guard says
                that this process may not write any more.
        """
        if self.read_only:
            raise StorageError(f"{self.label} was opened for reading only")
        self._check_still_there()
        with explained(self.label), self._writing(alone) as session:
            for guard in list(self.guards):
                guard(session)
            yield session

    @contextmanager
    def _reading(self) -> Generator[Session]:
        if self.path is None:
            from coarsefine.db.connections import servers

            with servers.reading(self.engine) as session:
                yield session
        else:
            with Session(self.engine) as session:
                yield session

    @contextmanager
    def _writing(self, alone: bool) -> Generator[Session]:
        if self.path is None:
            from coarsefine.db.connections import servers

            with servers.writing(self.engine, alone=alone) as session:
                yield session
        else:
            engine = self.engine.execution_options(immediate=True)
            with Session(engine) as session, session.begin():
                yield session

    def _check_still_there(self) -> None:
        # SQLite would go on writing into a file that has no name any more.
        if self._shared is not None and not self._shared.is_there():
            raise StorageError(
                f"{self.label} was removed or replaced while in use; put it back, or start again"
            )


def is_new(url: str) -> bool:
    """Return whether opening ``url`` with ``create`` would make a file or tables of ours.

    Raises:
        StorageError: If they could not be made there.
    """
    parsed = make_url(storage_url(url))
    if parsed.get_backend_name() != "sqlite":
        return _is_new_on_server(parsed)
    if not parsed.database:
        return False
    return not _check_place(Path(parsed.database), create=True)


def open_database(
    url: str,
    *,
    create: bool = False,
    read_only: bool = False,
    older: bool = False,
    group_writable: bool = False,
    said: Callable[[str], None] | None = None,
) -> Database:
    """Return the database at ``url`` with its tables up to date; nothing is written before checks.

    Args:
        url: As ``storage_url`` returns it (a bare path will do).
        create: Make the file and the tables where there are none.
        read_only: For ranking, listing and exporting: never changes anything, works beside a
            driver that writes.
        older: With ``read_only``: open tables of an older version, too, which lack columns.
        group_writable: Let the group of an SQLite file write it, with its log and its locks.
        said: Hears a line if tables of an older version were brought up to date. Of an SQLite file
            a copy as it was is kept beside it first.

    Raises:
        StorageError: In one line: what is wrong with the place and what to do.
    """
    url = storage_url(url)
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(
            parsed,
            create=create,
            read_only=read_only,
            older=older,
            group_writable=group_writable,
            said=said,
        )
    return _open_server(parsed, create=create, read_only=read_only, older=older, said=said)


# ------------------------------------------------------------------------------------- SQLite


def _open_sqlite(
    url: URL,
    *,
    create: bool,
    read_only: bool,
    older: bool,
    group_writable: bool,
    said: Callable[[str], None] | None,
) -> Database:
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:"):
        raise StorageError(
            f"storage must be a file that stays, got {url}; use a path such as {DEFAULT_URL}"
        )
    label = str(Path(name))
    exists = _check_place(Path(name), create=create and not read_only)
    # Resolved once, so that a change of the working folder does not move the database, and links
    # lead to the file beside which SQLite keeps its log.
    path = Path(name).resolve()
    revision = None
    if exists:
        _check_names(path, label)
        with explained(label):
            revision = _check_contents(path, label)
    if revision is None and (not create or read_only):
        raise no_studies(label)
    schema.check_revision(revision, label, older=older or not read_only)
    if not read_only:
        if exists and not os.access(path, os.W_OK):
            raise StorageError(f"{label} is read-only; make it writable or name another file")
        if not os.access(path.parent, os.W_OK):
            raise StorageError(
                f"the folder {path.parent} is read-only; make it writable or name another file"
            )
    user = object()
    with explained(label):
        if not exists:
            sqlite_files.make(path)
        if group_writable:
            sqlite_files.give_to_group(path)
        shared = sqlite_files.share(path, user, writing=not read_only)
        try:
            if not read_only:
                sqlite_files.use_write_ahead_log(shared.engine)
            if revision != schema.HEAD and not read_only:
                _migrate_sqlite(shared.engine, shared.path, label, said)
        except BaseException:
            shared.release(user)
            raise
    return Database(
        engine=shared.engine.execution_options(query_only=True) if read_only else shared.engine,
        url=url.set(database=str(shared.path)).render_as_string(hide_password=False),
        path=shared.path,
        label=label,
        read_only=read_only,
        connect=partial(sqlite_files.connect, shared.path, read_only=read_only),
        _shared=shared,
        _user=user,
    )


def _migrate_sqlite(
    engine: Engine, path: Path, label: str, said: Callable[[str], None] | None
) -> None:
    copies: list[Path] = []

    def keep_copy(revision: str) -> None:
        try:
            copies.append(backup.keep_copy(path, revision))
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"{label} was written by an older version of this program (schema {revision}, now "
                f"{schema.HEAD}), and a copy of it could not be kept before it is changed: "
                f"{first_line(error)}; make room for one there and run the same command again"
            ) from error

    older = schema.migrate(engine, keep_copy)
    if older is not None and said is not None:
        kept = ", ".join(copy.name for copy in copies)
        said(
            f"note: {label} was brought up to date (schema {older} to {schema.HEAD}); "
            f"what it was is kept as {kept}"
        )


def _check_place(path: Path, *, create: bool) -> bool:
    """Return whether there is a file; refuse places where none can be."""
    try:
        whole = str(path.resolve())  # minds a NUL inside
        if any("\ud800" <= letter <= "\udfff" for letter in whole):
            raise StorageError(f"storage must have a path in UTF-8, got {whole}; rename it")
        if path.is_file():
            return True
        if path.is_dir():
            raise StorageError(f"storage must be a file, got the folder {path}")
        if path.exists():
            raise StorageError(f"storage must be a regular file, which {path} is not")
        if not path.parent.is_dir():
            raise StorageError(f"the folder {path.parent} of {path.name} does not exist; create it")
        if not create:
            raise no_file(path)
    except (OSError, ValueError) as error:  # too long, no right to look, …
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"{str(path)!r} cannot be a file here: {reason}") from error
    return False


def _check_names(path: Path, label: str) -> None:
    """Refuse a file that has several names.

    SQLite keeps its log beside the name that a file was opened by: who opens another name does not
    see what is in the log, and damages the file by writing.
    """
    names = path.stat().st_nlink
    if names > 1:
        raise StorageError(
            f"{label} has {names} names (hard links), by which SQLite would damage it; remove the"
            " other names, or work on a copy"
        )


def _check_contents(path: Path, label: str) -> str | None:
    """Return the schema revision in ``path``, ``None`` if our tables are not there.

    Raises:
        StorageError: If it is no SQLite database, or the tables there are another program's.
    """
    try:
        with closing(sqlite_files.inspect(path)) as connection:
            tables = {
                str(name)
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type='table'"
                )
                if not str(name).startswith("sqlite_")
            }
            check_foreign_parts(connection, tables, label)
            if schema.VERSION_TABLE in tables:
                row = connection.execute(schema.SELECT_REVISION).fetchone()
                return None if row is None else str(row[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise StorageError(
                f"{label} is not an SQLite database, or is damaged; it was not changed; name"
                " another file, or restore a copy"
            ) from error
        if not os.access(path, os.R_OK):
            raise StorageError(f"{label} cannot be read: {os.strerror(errno.EACCES)}") from error
        raise
    if tables and not tables >= schema.OPTUNA_MARKS:
        raise StorageError(
            f"{label} belongs to another program (it holds the table {min(tables)!r});"
            " it was not changed; name another file"
        )
    return None


# ------------------------------------------------------------------------------------- servers


def _is_new_on_server(url: URL) -> bool:
    from coarsefine.db.connections import servers

    label = urls.shown(url)
    with explained(label):
        engine = servers.make_engine(url, label)
        try:
            return servers.check_place(engine, label) is None
        finally:
            engine.dispose()


def _open_server(
    url: URL, *, create: bool, read_only: bool, older: bool, said: Callable[[str], None] | None
) -> Database:
    from coarsefine.db.connections import servers

    label = urls.shown(url)
    with explained(label):
        engine = servers.make_engine(url, label)
        try:
            revision = servers.check_place(engine, label)
            if revision is None and (not create or read_only):
                raise no_studies(label)
            schema.check_revision(revision, label, older=older or not read_only)
            if revision != schema.HEAD and not read_only:
                before = schema.migrate(engine)
                if before is not None and said is not None:
                    said(f"note: {label} was brought up to date (schema {before} to {schema.HEAD})")
        except BaseException:
            engine.dispose()
            raise
    return Database(
        engine=engine,
        url=url.render_as_string(hide_password=False),
        path=None,
        label=label,
        read_only=read_only,
        connect=None,
        _shared=None,
    )
