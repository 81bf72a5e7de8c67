"""Studies renamed, tagged, moved to the trash and out of it, or deleted for good.

Each function is one transaction over our tables and Optuna's: killed at any moment, all of it has
happened or nothing.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.column_types import UtcTime
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import check_not_driven
from coarsefine.db.errors import NameTakenError, StorageError
from coarsefine.db.optuna.rows import delete_optunas, rename_optunas
from coarsefine.db.repository.common import TRASH, chunks, now, table
from coarsefine.db.study_rows import StudyCopy
from coarsefine.db.tables import Opening, Run, Stage, Study, Trial

# What share of a file has to be free for the file to be written anew without it.
_MUCH: Final = 0.2


def rename(db: Database, names: Mapping[str, str]) -> None:
    """Give studies other names.

    Args:
        db: The database.
        names: New names by UUID; studies may exchange theirs.

    Raises:
        NameTakenError: If another study has a name.
        BusyError: If a study is being driven.
        StorageError: If a study is gone.
    """
    with db.write() as session:
        studies = _studies(db, session, list(names))
        _set_names(db, session, names, {uuid: studies[uuid].id for uuid in names})


def trash(db: Database, uuids: Sequence[str]) -> None:
    """Move studies to the trash: they have their rows, and names that nobody else has."""
    with db.write() as session:
        studies = _studies(db, session, uuids)
        moment = now()
        for uuid, study in studies.items():
            session.execute(
                sa.update(table(Study))
                .where(Study.uuid == uuid)
                .values(trashed_at=moment, trashed_name=study.name)
            )
        ids = {uuid: study.id for uuid, study in studies.items()}
        shown = {uuid: study.name for uuid, study in studies.items()}
        _set_names(db, session, {uuid: f"{TRASH}{uuid}" for uuid in uuids}, ids, shown)


def restore(db: Database, uuids: Sequence[str]) -> None:
    """Take studies out of the trash, under the names that they had.

    Raises:
        NameTakenError: If another study has a name by now.
    """
    with db.write() as session:
        studies = _studies(db, session, uuids)
        names = {uuid: study.trashed_name or study.name for uuid, study in studies.items()}
        for some in chunks(list(uuids)):
            session.execute(
                sa.update(table(Study))
                .where(Study.uuid.in_(some))
                .values(trashed_at=None, trashed_name=None)
            )
        _set_names(db, session, names, {uuid: study.id for uuid, study in studies.items()})


def purge(db: Database, uuids: Sequence[str]) -> None:
    """Delete studies for good, in the trash or not. Their openings of the test set stay on record.

    Training runs of other studies that were taken over from theirs keep results and curves.
    """
    with db.write() as session:
        studies = _studies(db, session, uuids)
        delete_rows(session, [study.id for study in studies.values()])


def delete_rows(session: Session, ids: Sequence[int]) -> None:
    """Delete studies by id, in a transaction of the caller's."""
    for some in chunks(ids):
        stages = session.scalars(sa.select(Stage.uuid).where(Stage.study_id.in_(some)))
        delete_optunas(session, list(stages))
        called = (
            sa.select(sa.func.coalesce(Study.trashed_name, Study.name))
            .where(Study.id == Opening.study_id)
            .scalar_subquery()
        )
        session.execute(
            sa.update(table(Opening)).where(Opening.study_id.in_(some)).values(study_name=called)
        )
        # One statement: the foreign keys cascade.
        session.execute(sa.delete(table(Study)).where(Study.id.in_(some)))


def label(db: Database, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Set ``tags`` (a list) and ``note`` (a text) of studies, by UUID.

    A study may be driven meanwhile: nothing of its search changes.
    """
    with db.write() as session:
        for uuid, stated in values.items():
            session.execute(sa.update(table(Study)).where(Study.uuid == uuid).values(stated))


def copy(db: Database, names: Mapping[str, str]) -> None:
    """Write studies once more, as studies of their own with other names.

    Each carries on as its original would, and has its openings of the test set.

    Args:
        db: The database.
        names: Of the copies, by UUID of the originals.

    Raises:
        NameTakenError: If a study has a name.
    """
    with db.write() as session:
        found = session.execute(
            sa.select(Study.uuid, Study.id).where(Study.uuid.in_(list(names)))
        ).all()
        ids = {row.uuid: row.id for row in found}
        _check_free(db, session, names.values())
        _check_there(db, names, ids)
        moment = UtcTime().process_bind_param(now(), session.get_bind().dialect)
        # The first is listed first: of one moment, what came last is.
        for uuid, name in reversed(list(names.items())):
            StudyCopy(session, session, name).write(ids[uuid], updated_at=moment)


def reusing(db: Database, uuids: Sequence[str]) -> tuple[int, int]:
    """Return how many runs of how many other studies were taken over from those of studies."""
    theirs, mine = table(Run).alias("theirs"), table(Run).alias("mine")
    trial, stage = table(Trial).alias("trial"), table(Stage).alias("stage")
    owners = sa.select(Study.id).where(Study.uuid.in_(uuids))
    found = (
        sa.select(sa.func.count(), sa.func.count(sa.distinct(Stage.study_id)))
        .select_from(theirs)
        .join(table(Trial), theirs.c.trial_id == Trial.id)
        .join(table(Stage), Trial.stage_id == Stage.id)
        .join(mine, theirs.c.reused_from == mine.c.id)
        .join(trial, mine.c.trial_id == trial.c.id)
        .join(stage, trial.c.stage_id == stage.c.id)
        .where(stage.c.study_id.in_(owners), Stage.study_id.not_in(owners))
    )
    with db.session() as session:
        n_runs, n_studies = session.execute(found).one()
    return n_runs, n_studies


def give_back(db: Database) -> int:
    """Give the room of deleted rows in an SQLite file back to the disk; return how many bytes.

    Where they are few, or others use the file meanwhile, it is left: later studies take the room.
    """
    if db.path is None or db.connect is None:
        return 0
    before = db.path.stat().st_size
    with suppress(sqlite3.Error), closing(db.connect()) as connection:
        connection.execute("PRAGMA busy_timeout = 1000")
        (n_free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
        if n_free > _MUCH * n_pages:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(0, before - db.path.stat().st_size)


def _studies(db: Database, session: Session, uuids: Sequence[str]) -> dict[str, Any]:
    """Return rows of studies by UUID, in that order; none of them is being driven."""
    found = {
        row.uuid: row
        for some in chunks(uuids)
        for row in session.execute(
            sa.select(Study.id, Study.uuid, Study.name, Study.trashed_name).where(
                Study.uuid.in_(some)
            )
        )
    }
    _check_there(db, uuids, found)
    check_not_driven(db, session, {uuid: found[uuid].name for uuid in uuids})
    return {uuid: found[uuid] for uuid in uuids}


def _check_there(db: Database, uuids: Collection[str], found: Collection[str]) -> None:
    if len(found) < len(set(uuids)):
        raise StorageError(f"a study is no longer in {db.label}; run the same command again")


def _check_free(
    db: Database, session: Session, names: Collection[str], moving: Collection[str] = ()
) -> None:
    """Refuse names that studies have, but for those that are moving away."""
    for some in chunks(list(names)):
        taken = session.execute(sa.select(Study.name, Study.uuid).where(Study.name.in_(some))).all()
        for name, uuid in taken:
            if uuid not in moving:
                raise NameTakenError(
                    f"study {name!r} is in {db.label} already; rename that one, or choose another "
                    "name"
                )


def _set_names(
    db: Database,
    session: Session,
    names: Mapping[str, str],
    ids: Mapping[str, int],
    shown: Mapping[str, str] | None = None,
) -> None:
    """Set the names of studies and of Optuna's studies of their stages.

    Args:
        db: The database.
        session: Of the transaction.
        names: New names by UUID.
        ids: Of the studies, by UUID.
        shown: What Optuna's studies say that the study is called, if that is not its name.
    """
    _check_free(db, session, names.values(), names)
    # By way of names that nobody has: some may exchange theirs.
    for aside in (True, False):
        for uuid, name in names.items():
            session.execute(
                sa.update(table(Study))
                .where(Study.id == ids[uuid])
                .values(name=f"{TRASH}{uuid}" if aside else name)
            )
    by_id = {ids[uuid]: uuid for uuid in names}
    stages: dict[str, tuple[str, str]] = {}
    for some_ids in chunks(list(by_id)):
        for row in session.execute(
            sa.select(Stage.id, Stage.uuid, Stage.name, Stage.study_id).where(
                Stage.study_id.in_(some_ids), Stage.optuna_name.is_not(None)
            )
        ):
            uuid = by_id[row.study_id]
            optuna_name = f"{names[uuid]}/{row.name}"
            session.execute(
                sa.update(table(Stage)).where(Stage.id == row.id).values(optuna_name=optuna_name)
            )
            stages[row.uuid] = (optuna_name, (shown or names)[uuid])
    rename_optunas(session, stages)
