"""The queue of a service: what was submitted, in order, and who is at it.

An entry changes hands by one ``UPDATE`` that names the state it must be in: of several that try,
the database lets one succeed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from coarsefine.db.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.queue_records import QueueRecord, QueueState
from coarsefine.db.records import new_uuid
from coarsefine.db.repository.common import now, table
from coarsefine.db.tables import QueueEntry

_NOBODY: Mapping[str, Any] = {"driver_host": None, "driver_pid": None}


def add_entry(
    db: Database, *, name: str, content: str, options: Mapping[str, Any], submitted_by: str
) -> QueueRecord:
    """Put a lab at the end of the queue and return its entry."""
    key = new_uuid()
    with db.write() as session:
        session.execute(
            sa.insert(table(QueueEntry)).values(
                uuid=key,
                name=name,
                content=content,
                options=dict(options),
                state="waiting",
                to_cancel=False,
                submitted_by=submitted_by,
                submitted_at=now(),
                tries=0,
                progress="",
                answers=[],
            )
        )
        row = session.execute(sa.select(table(QueueEntry)).where(QueueEntry.uuid == key)).one()
    return QueueRecord(*row)


def queue(db: Database, states: Sequence[QueueState] = ()) -> list[QueueRecord]:
    """Return the entries in one of ``states`` (of any, if there are none named), in order."""
    statement = sa.select(table(QueueEntry)).order_by(QueueEntry.id)
    if states:
        statement = statement.where(QueueEntry.state.in_(states))
    with db.session() as session:
        return [QueueRecord(*row) for row in session.execute(statement)]


def find_entry(db: Database, entry_id: int) -> QueueRecord | None:
    """Return the entry of that id, ``None`` if there is none."""
    statement = sa.select(table(QueueEntry)).where(QueueEntry.id == entry_id)
    with db.session() as session:
        row = session.execute(statement).one_or_none()
    return None if row is None else QueueRecord(*row)


def take_entry(db: Database, entry: QueueRecord, *, host: str, pid: int) -> QueueRecord | None:
    """Set an entry running, in the name of a process; the caller holds its lock.

    Returns:
        The entry as it is now; ``None`` if it is not any more what ``entry`` says, so another has
        taken, ended or cancelled it.
    """
    with db.write() as session:
        result = session.execute(
            sa.update(table(QueueEntry))
            .where(
                QueueEntry.uuid == entry.uuid,
                QueueEntry.state == entry.state,
                QueueEntry.tries == entry.tries,
            )
            .values(
                state="running",
                tries=entry.tries + 1,
                started_at=entry.started_at or now(),
                driver_host=host,
                driver_pid=pid,
            )
        )
        if not result.rowcount:  # type: ignore[attr-defined]
            return None
        row = session.execute(
            sa.select(table(QueueEntry)).where(QueueEntry.uuid == entry.uuid)
        ).one()
    return QueueRecord(*row)


def note_progress(
    db: Database, entry: QueueRecord, progress: str, *, further: bool = False
) -> bool:
    """Note where a running entry stands, and return whether it is to be cancelled.

    Args:
        db: The database.
        entry: Which.
        progress: In words.
        further: Whether something was stored of it: what it took to get here is forgotten.
    """
    with db.write() as session:
        row = session.execute(
            sa.select(QueueEntry.to_cancel).where(QueueEntry.uuid == entry.uuid)
        ).one_or_none()
        if row is None:
            raise StorageError(f"entry {entry.id} is no longer in the queue; it was deleted")
        # The first try counts while it goes on.
        values = {"progress": progress} | ({"tries": 1} if further else {})
        session.execute(
            sa.update(table(QueueEntry)).where(QueueEntry.uuid == entry.uuid).values(values)
        )
    return bool(row.to_cancel)


def to_be_cancelled(db: Database, entry: QueueRecord) -> bool:
    """Return whether whoever is at an entry is asked to end."""
    with db.session() as session:
        statement = sa.select(QueueEntry.to_cancel).where(QueueEntry.uuid == entry.uuid)
        # An entry that was deleted is not worth going on with, either.
        return session.scalar(statement) is not False


def end_entry(
    db: Database,
    entry: QueueRecord,
    state: QueueState,
    *,
    error: str | None = None,
    answers: Sequence[Any] | None = None,
) -> None:
    """Note how an entry ended that ``entry``'s driver was at, if it still is: nobody is any more.

    Args:
        db: The database.
        entry: Which.
        state: ``waiting`` puts it back where it was in the line.
        error: Why it failed.
        answers: What its parts came to; ``None`` leaves them.
    """
    values: dict[str, Any] = {"state": state, "to_cancel": False, "error": error, **_NOBODY}
    if state == "waiting":
        # One that runs has begun at least once.
        values |= {"tries": QueueEntry.tries - 1}
    else:
        values |= {"ended_at": now()}
    if answers is not None:
        values |= {"answers": list(answers)}
    with db.write() as session:
        session.execute(
            sa.update(table(QueueEntry))
            .where(
                QueueEntry.uuid == entry.uuid,
                QueueEntry.state == "running",
                # Who was cut off from a server of databases may have been replaced meanwhile.
                QueueEntry.driver_host == entry.driver_host,
                QueueEntry.driver_pid == entry.driver_pid,
            )
            .values(values)
        )


def cancel_entry(db: Database, entry: QueueRecord) -> QueueRecord:
    """Take a waiting entry out of the line, or ask whoever is at a running one to end.

    Returns:
        The entry as it is now; one that has ended is as it was.
    """
    own = QueueEntry.uuid == entry.uuid
    with db.write() as session:
        session.execute(
            sa.update(table(QueueEntry))
            .where(own, QueueEntry.state == "waiting")
            .values(state="cancelled", ended_at=now())
        )
        session.execute(
            sa.update(table(QueueEntry))
            .where(own, QueueEntry.state == "running")
            .values(to_cancel=True)
        )
        row = session.execute(sa.select(table(QueueEntry)).where(own)).one()
    return QueueRecord(*row)
