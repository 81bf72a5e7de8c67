"""Studies: add, find, list, and who drives them."""

from collections import defaultdict
from datetime import datetime
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import NameTakenError
from coarsefine.db.new_records import NewStudy
from coarsefine.db.records import StudyRecord, StudySummary
from coarsefine.db.repository.common import now, standing, study_id, table
from coarsefine.db.tables import Opening, Stage, Study, Trial

_CHANGEABLE: Final = frozenset(
    {"recipe", "data", "data_name", "data_fingerprint", "versions", "machine"}
)
IN_USE: Final = Study.trashed_at.is_(None)
"""The condition that a study is not in the trash."""


def add_study(db: Database, new: NewStudy) -> StudyRecord:
    """Add a study and return it.

    Raises:
        NameTakenError: If there is one of that name.
    """
    moment = now()
    try:
        with db.write() as session:
            session.execute(
                sa.insert(table(Study)).values(
                    uuid=new.uuid,
                    name=new.name,
                    search=new.search,
                    recipe=dict(new.recipe),
                    seed=int(new.seed),
                    data_name=new.data_name,
                    data_fingerprint=new.data_fingerprint,
                    data=dict(new.data),
                    versions=dict(new.versions),
                    machine=dict(new.machine),
                    created_at=moment,
                    updated_at=moment,
                )
            )
            row = session.execute(sa.select(table(Study)).where(Study.name == new.name)).one()
    except IntegrityError as error:
        raise NameTakenError(
            f"study {new.name!r} is in {db.label} already; name another one"
        ) from error
    return StudyRecord(*row)


def find_study(db: Database, name: str) -> StudyRecord | None:
    """Return the study called ``name``, ``None`` if there is none."""
    statement = sa.select(table(Study)).where(Study.name == name, IN_USE)
    with db.session() as session:
        row = session.execute(statement).one_or_none()
    return None if row is None else StudyRecord(*row)


def free_name(db: Database, name: str) -> str:
    """Return a name that no study has: ``name``, or with a number after it."""
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(each for each in names if find_study(db, each) is None)


def study_names(db: Database) -> list[str]:
    """Return the names of all studies, the first that was begun first."""
    with db.session() as session:
        return list(session.scalars(sa.select(Study.name).where(IN_USE).order_by(Study.id)))


def latest_study(db: Database) -> StudyRecord | None:
    """Return the study in which something happened last, ``None`` if there are none."""
    newest = (
        sa.select(table(Study)).where(IN_USE).order_by(Study.updated_at.desc(), Study.id.desc())
    )
    with db.session() as session:
        row = session.execute(newest.limit(1)).one_or_none()
    return None if row is None else StudyRecord(*row)


def replicated_studies(db: Database, data_name: str) -> list[StudyRecord]:
    """Return studies on a data set in which a trial has several replicates, the latest first."""
    several = (
        sa.select(Trial.id)
        .join(Stage, Trial.stage_id == Stage.id)
        .where(
            Stage.study_id == Study.id,
            Stage.optuna_name.is_not(None),
            Trial.replicates > 1,
            Trial.state == "complete",
        )
        .exists()
    )
    statement = (
        sa.select(table(Study))
        .where(Study.data_name == data_name, IN_USE, several)
        .order_by(Study.updated_at.desc(), Study.id.desc())
    )
    with db.session() as session:
        return [StudyRecord(*row) for row in session.execute(statement)]


def list_studies(db: Database, *, trashed: bool = False) -> list[StudySummary]:
    """Return all studies, the most recent first, with their trials counted.

    Args:
        db: The database.
        trashed: Return those in the trash instead, the one that was put there last first.
    """
    order = Study.trashed_at if trashed else Study.updated_at
    by_state: dict[int, dict[str, int]] = defaultdict(dict)
    best: dict[int, float] = {}
    stage_names: dict[int, list[str]] = defaultdict(list)
    with db.session() as session:
        studies = session.execute(
            sa.select(
                Study.id,
                Study.name,
                Study.uuid,
                Study.search,
                Study.data_name,
                Study.created_at,
                Study.updated_at,
                Study.tags,
                Study.note,
                Study.trashed_at,
                Study.trashed_name,
            )
            .where(Study.trashed_at.is_not(None) if trashed else IN_USE)
            .order_by(order.desc(), Study.id.desc())
        ).all()
        for study, state, n_trials, highest in session.execute(
            sa.select(
                Stage.study_id,
                standing(),
                sa.func.count(),
                sa.func.max(Trial.validation_accuracy),
            )
            .join(Stage, Trial.stage_id == Stage.id)
            # Trials of a final test run are the best ones once more, on other splits.
            .where(Stage.optuna_name.is_not(None))
            .group_by(Stage.study_id, "standing")
        ):
            by_state[study][state] = n_trials
            if state == "complete" and highest is not None:
                best[study] = highest
        for study, name in session.execute(
            sa.select(Stage.study_id, Stage.name).order_by(Stage.study_id, Stage.position)
        ):
            stage_names[study].append(name)
        counted = sa.select(Opening.study_id, sa.func.count().label("n")).group_by(Opening.study_id)
        n_openings = {row.study_id: row.n for row in session.execute(counted)}
    return [
        StudySummary(
            name=row.trashed_name or row.name,
            uuid=row.uuid,
            search=row.search,
            data_name=row.data_name,
            stages=tuple(stage_names[row.id]),
            trials=dict(by_state[row.id]),
            best_accuracy=best.get(row.id),
            test_openings=n_openings.get(row.id, 0),
            created_at=row.created_at,
            updated_at=row.updated_at,
            tags=tuple(map(str, row.tags or ())),
            note=row.note or "",
            trashed_at=row.trashed_at,
        )
        for row in studies
    ]


def update_study(db: Database, study: StudyRecord, **changes: Any) -> StudyRecord:
    """Change recipe, data, data_name, data_fingerprint, versions or machine; return the study.

    Raises:
        TypeError: For any other name.
    """
    if wrong := sorted(set(changes) - _CHANGEABLE):
        raise TypeError(f"a study's {', '.join(wrong)} cannot be changed")
    with db.write() as session:
        key = study_id(session, study)
        session.execute(
            sa.update(table(Study)).where(Study.id == key).values(**changes, updated_at=now())
        )
        row = session.execute(sa.select(table(Study)).where(Study.id == key)).one()
    return StudyRecord(*row)


def set_driver(db: Database, study_uuid: str, *, host: str, pid: int, since: datetime) -> None:
    """Note which process drives the study."""
    _set_driver(db, study_uuid, host, pid, since)


def clear_driver(db: Database, study_uuid: str) -> None:
    """Note that no process drives the study."""
    _set_driver(db, study_uuid, None, None, None)


def _set_driver(
    db: Database, study_uuid: str, host: str | None, pid: int | None, since: datetime | None
) -> None:
    with db.write() as session:
        session.execute(
            sa.update(table(Study))
            .where(Study.uuid == study_uuid)
            .values(driver_host=host, driver_pid=pid, driver_since=since)
        )
