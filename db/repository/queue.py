"""The queue of a service: what was submitted, in order, and who is at it.

An entry changes hands by one ``UPDATE`` that names the state it must be in: of several that try,
the database lets one succeed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.queue_records import QueueRecord, QueueState
from coarsefine.db.records import new_uuid
from coarsefine.db.repository.common import now, table
from coarsefine.db.tables import QueueEntry

_NOT_ASKED: Mapping[str, Any] = {"to_cancel": False, "to_pause": None}
# SQLite's driver takes no longer numbers.
_IDS_END = 2**63
_NOBODY: Mapping[str, Any] = {"driver_host": None, "driver_pid": None}


def add_entry(
    db: Database,
    *,
    name: str,
    content: str,
    options: Mapping[str, Any],
    submitted_by: str,
    priority: int = 0,
) -> QueueRecord:
    """Put a lab in the queue, after those of its priority, and return its entry."""
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
                priority=priority,
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
    """Return the entries in one of ``states`` (of any if none is named), the oldest first."""
    statement = sa.select(table(QueueEntry)).order_by(QueueEntry.id)
    if states:
        statement = statement.where(QueueEntry.state.in_(states))
    with db.session() as session:
        return [QueueRecord(*row) for row in session.execute(statement)]


def find_entry(db: Database, entry_id: int) -> QueueRecord | None:
    """Return the entry of that id, ``None`` if there is none."""
    if not 0 < entry_id < _IDS_END:
        return None
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
) -> QueueState | None:
    """Note where a running entry stands, and return what ``asked_to_end`` does.

    Args:
        db: The database.
        entry: Which.
        progress: In words.
        further: Whether something was stored of it: what it took to get here is forgotten.
    """
    with db.write() as session:
        row = session.execute(_asked(entry)).one_or_none()
        if row is None:
            raise StorageError(f"entry {entry.id} is no longer in the queue; it was deleted")
        # The first try counts while it goes on.
        values = {"progress": progress} | ({"tries": 1} if further else {})
        session.execute(
            sa.update(table(QueueEntry)).where(QueueEntry.uuid == entry.uuid).values(values)
        )
    return _end_of(row)


def asked_to_end(db: Database, entry: QueueRecord) -> QueueState | None:
    """Return the state that whoever is at an entry is asked to end it in, ``None`` to go on."""
    with db.session() as session:
        return _end_of(session.execute(_asked(entry)).one_or_none())


def _asked(entry: QueueRecord) -> sa.Select[Any, Any]:
    own = QueueEntry.uuid == entry.uuid
    return sa.select(QueueEntry.to_cancel, QueueEntry.to_pause).where(own)


def _end_of(row: Any) -> QueueState | None:
    # An entry that was deleted is not worth going on with, either.
    if row is None or row.to_cancel:
        return "cancelled"
    return "paused" if row.to_pause else None


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
        state: ``waiting`` puts it back where it was in the line, ``paused`` beside it.
        error: Why it failed.
        answers: What its parts came to; ``None`` leaves them.
    """
    values: dict[str, Any] = {"state": state, **_NOT_ASKED, "error": error, **_NOBODY}
    if state in {"waiting", "paused"}:
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
    """Take an entry out of the line, or ask whoever is at a running one to end.

    Returns:
        The entry as it is now; one that has ended is as it was.
    """
    ended = {"state": "cancelled", "ended_at": now()}
    return _changed(
        db,
        entry,
        {"waiting": ended, "paused": ended, "running": {"to_cancel": True, "to_pause": None}},
    )


def pause_entry(db: Database, entry: QueueRecord) -> QueueRecord:
    """Have an entry wait for ``resume_entry``, or ask whoever is at a running one to end for now.

    Returns:
        The entry as it is now; one that has ended, or is to be cancelled, is as it was.
    """
    return _changed(
        db, entry, {"waiting": {"state": "paused"}, "running": {"to_pause": ~QueueEntry.to_cancel}}
    )


def resume_entry(db: Database, entry: QueueRecord) -> QueueRecord:
    """Put a paused entry back where it was in the line, or have a running one go on.

    Returns:
        The entry as it is now; any other is as it was.
    """
    return _changed(db, entry, {"paused": {"state": "waiting"}, "running": {"to_pause": None}})


def set_priority(db: Database, entry: QueueRecord, priority: int) -> QueueRecord:
    """Set the priority of an entry that has not ended."""
    values = {"priority": priority}
    return _changed(db, entry, dict.fromkeys(("waiting", "paused", "running"), values))


def _changed(
    db: Database, entry: QueueRecord, values: Mapping[str, Mapping[str, Any]]
) -> QueueRecord:
    """Change an entry according to the state that it is in, and return it."""
    own = QueueEntry.uuid == entry.uuid
    with db.write() as session:
        state = session.scalar(sa.select(QueueEntry.state).where(own).with_for_update())
        if state is not None and state in values:
            session.execute(sa.update(table(QueueEntry)).where(own).values(dict(values[state])))
        row = session.execute(sa.select(table(QueueEntry)).where(own)).one()
    return QueueRecord(*row)
