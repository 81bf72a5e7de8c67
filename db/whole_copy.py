"""Studies written into an empty database, as they are: with few statements, however many."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db import tables
from coarsefine.db.repository.common import chunks
from coarsefine.db.study_rows import DRIVER, Columns, Digest, Kind, Row, copy_optunas, walk_all

_STUDY = tables.Study.__tablename__
_STAGE = tables.Stage.__tablename__
_RUN = tables.Run.__tablename__


def write_all(
    source: Session, target: Session, names: Mapping[int, str], columns: Columns
) -> dict[int, str]:
    """Write studies into tables that have no rows, with the ids that they have.

    Args:
        source: Where they are.
        target: Where they go; Optuna's tables are there.
        names: What they are called, by id.
        columns: That count for the digests.

    Returns:
        By id, a SHA-256 of what was read of each study, as ``digests`` has it. Rows are read once.
    """
    read = {study: Digest(columns) for study in names}
    written: dict[str, set[int]] = {}
    stages: dict[str, tuple[str, str]] = {}
    reused: list[dict[str, Any]] = []
    for kind, by_study in walk_all(source, list(names)):
        made: list[Row] = []
        for study, rows in by_study.items():
            read[study].add(kind, rows)
            made += [_made(kind, row, names[study], written) for row in rows]
        if kind.name == _STAGE:
            for study, rows in by_study.items():
                for row in rows:
                    if row["optuna_name"] is not None:
                        stages[row["uuid"]] = (f"{names[study]}/{row['name']}", names[study])
        if kind.name == _RUN:
            # A run that another was taken over from may come later, and be of another study.
            all_rows = [row for rows in by_study.values() for row in rows]
            ids = {row["id"] for row in all_rows}
            reused = [
                {"key": row["id"], "source": row["reused_from"]}
                for row in all_rows
                if row["reused_from"] in ids
            ]
        if kind.key:
            written[kind.name] = {row["id"] for row in made}
        target.execute(sa.insert(kind.table), made)
    if reused:
        runs = sa.table(_RUN, sa.column("id"), sa.column("reused_from"))
        linked = sa.update(runs).where(runs.c.id == sa.bindparam("key"))
        target.connection().execute(linked.values(reused_from=sa.bindparam("source")), reused)
    for some in chunks(list(stages)):
        copy_optunas(source, target, {uuid: stages[uuid] for uuid in some})
    return {study: each.hexdigest() for study, each in read.items()}


def _made(kind: Kind, row: Row, name: str, written: Mapping[str, set[int]]) -> Row:
    """Return a row as it is written: nothing in it points to a row that is not."""
    made = dict(row)
    for column, other in kind.links.items():
        if made[column] not in written.get(other, ()):
            made[column] = None
    if kind.name == _STUDY:
        made |= {"name": name, **dict.fromkeys(DRIVER)}
    if kind.name == _STAGE and made["optuna_name"] is not None:
        made["optuna_name"] = f"{name}/{made['name']}"
    if kind.name == _RUN:
        made["reused_from"] = None
    return made
