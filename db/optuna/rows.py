"""Optuna's rows of our stages, changed in a transaction of ours: both sides change or neither.

Optuna's own functions commit by themselves. Its tables are read from the database, so that what a
version of it adds is deleted and copied, too.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.repository.common import chunks
from coarsefine.db.table_base import PREFIX

_OWNED: Final = ("study_", "trial_", "trials", "studies")
_UUID: Final = "uuid"


def optunas_tables(session: Session) -> sa.MetaData | None:
    """Return Optuna's tables of studies and trials; ``None`` before it has made them.

    They are looked up once in a session: that takes longer than to copy a study.
    """
    if "optunas_tables" not in session.info:
        session.info["optunas_tables"] = _looked_up(session.connection())
    found: sa.MetaData | None = session.info["optunas_tables"]
    return found


def _looked_up(connection: Connection) -> sa.MetaData | None:
    if not schema.optuna_has_begun(connection):
        return None
    tables = sa.MetaData()
    tables.reflect(
        connection, only=lambda name, _: name.startswith(_OWNED) and not name.startswith(PREFIX)
    )
    for table in tables.tables.values():
        for column in table.c:
            if getattr(column.type, "asdecimal", False):
                # MySQL's numbers are read as decimals of ten places if nothing else is said.
                column.type = sa.Double()
    return tables


def ids_of_stages(session: Session, tables: sa.MetaData, uuids: Sequence[str]) -> dict[str, int]:
    """Return the ids of Optuna's studies of our stages, by the UUIDs of these."""
    attributes = tables.tables["study_user_attributes"]
    ids: dict[str, int] = {}
    for some in chunks(uuids):
        rows = session.execute(
            sa.select(attributes.c.value_json, attributes.c.study_id)
            .where(
                attributes.c.key == _UUID,
                attributes.c.value_json.in_([json.dumps(u) for u in some]),
            )
            .order_by(attributes.c.study_id)
        )
        for text, study_id in rows:
            ids.setdefault(json.loads(text), study_id)
    return ids


def rename_optunas(session: Session, names: Mapping[str, tuple[str, str]]) -> None:
    """Rename Optuna's studies of our stages; one that is not there, nobody misses.

    Args:
        session: Of the transaction.
        names: By UUID of the stage: its new name, and the new name of our study.

    Raises:
        StorageError: If another study of Optuna's has a name.
    """
    tables = optunas_tables(session)
    if tables is None:
        return
    studies, attributes = tables.tables["studies"], tables.tables["study_user_attributes"]
    ids = ids_of_stages(session, tables, list(names))
    taken = _taken(session, studies, [name for name, _ in names.values()])
    mine = set(ids.values())
    for name, study_id in taken.items():
        if study_id not in mine:
            raise StorageError(
                f"Optuna has a study {name!r} that this program did not make; rename or delete it "
                "there, or choose another name"
            )
    # By way of names that nobody has: some may exchange theirs.
    for uuid, study_id in ids.items():
        own = studies.update().where(studies.c.study_id == study_id)
        session.execute(own.values(study_name=f"{uuid}/{study_id}"))
    for uuid, study_id in ids.items():
        name, study = names[uuid]
        own = studies.update().where(studies.c.study_id == study_id)
        session.execute(own.values(study_name=name))
        session.execute(
            attributes.update()
            .where(attributes.c.study_id == study_id, attributes.c.key == "study")
            .values(value_json=json.dumps(study))
        )


def _taken(session: Session, studies: sa.Table, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in chunks(names):
        rows = session.execute(
            sa.select(studies.c.study_name, studies.c.study_id).where(
                studies.c.study_name.in_(some)
            )
        )
        found.update((name, study_id) for name, study_id in rows)
    return found


def rename_back(database: Database, uuid: str, name: str, study: str) -> bool:
    """Give Optuna's study of a stage its name again; return whether it had another."""
    with database.write() as session:
        tables = optunas_tables(session)
        ids = {} if tables is None else ids_of_stages(session, tables, [uuid])
        if tables is None or not ids or _taken(session, tables.tables["studies"], [name]):
            return False
        rename_optunas(session, {uuid: (name, study)})
    return True


def delete_optunas(session: Session, uuids: Sequence[str]) -> None:
    """Delete Optuna's studies of our stages, with their trials."""
    tables = optunas_tables(session)
    if tables is None:
        return
    ids = list(ids_of_stages(session, tables, uuids).values())
    for some in chunks(ids):
        for one in reversed(tables.sorted_tables):
            condition = owned(one, tables, some)
            if condition is not None:
                session.execute(one.delete().where(condition))


def owned(
    one: sa.Table, tables: sa.MetaData, study_ids: Sequence[int]
) -> sa.ColumnElement[bool] | None:
    """Return the condition for rows of a table that belong to studies; ``None`` if none can."""
    if "study_id" in one.c:
        return one.c["study_id"].in_(study_ids)
    if "trial_id" not in one.c:
        return None
    trials = tables.tables["trials"].c
    theirs = sa.select(trials.trial_id).where(trials.study_id.in_(study_ids))
    return one.c["trial_id"].in_(theirs)
