"""What all of the repository needs: tables as such, the time, rows found by UUID."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db import tables
from coarsefine.db.errors import StorageError
from coarsefine.db.records import RunUpdate, StageRecord, StudyRecord
from coarsefine.db.table_base import Base

_Item = TypeVar("_Item")

RUN_RESULTS: Final = tuple(each.name for each in fields(RunUpdate) if each.name != "run_id")
"""The columns of a training run that say what came of it."""

TRASH: Final = "trash/"
"""What the names of studies in the trash begin with, and Optuna's, before a UUID."""


def table(mapped: type[Base]) -> sa.Table:
    """Return the bare table, for statements over many rows without ORM objects."""
    return cast(sa.Table, mapped.__table__)


def now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)


def study_id(session: Session, study: StudyRecord) -> int:
    """Return the id of ``study``, which must still be there.

    Ids are looked up by UUID, because SQLite gives the id of a deleted row to the next one.
    """
    found = session.scalar(sa.select(tables.Study.id).where(tables.Study.uuid == study.uuid))
    if found is None:
        raise StorageError(f"study {study.name!r} is no longer in the database; it was deleted")
    return found


def stage_id(session: Session, stage: StageRecord) -> int:
    """Return the id of ``stage``, which must still be there."""
    found = session.scalar(sa.select(tables.Stage.id).where(tables.Stage.uuid == stage.uuid))
    if found is None:
        raise StorageError(
            f"stage {stage.optuna_name!r} is no longer in the database; it was deleted"
        )
    return found


def standing() -> sa.ColumnElement[str]:
    """Return where a trial stands: ``running`` once a training run of it has begun.

    The table has ``planned`` until all of its runs have ended, in every version's files.
    """
    runs, trials = table(tables.Run).c, table(tables.Trial).c
    begun = sa.exists().where(runs.trial_id == trials.id, runs.state != "planned")
    running = sa.and_(trials.state == "planned", begun)
    return sa.case((running, "running"), else_=trials.state).label("standing")


def touch(session: Session, study: sa.ColumnElement[int] | int) -> None:
    """Note that something of the study happened now: it is the most recent one."""
    session.execute(
        sa.update(table(tables.Study)).where(tables.Study.id == study).values(updated_at=now())
    )


def touch_stage(session: Session, stage: int) -> None:
    """Note that something of the stage's study happened now."""
    touch(
        session,
        sa.select(tables.Stage.study_id).where(tables.Stage.id == stage).scalar_subquery(),
    )


def chunks(items: Sequence[_Item], size: int = 500) -> Iterator[list[_Item]]:
    """Yield ``items`` in lists short enough for one statement's parameters."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
