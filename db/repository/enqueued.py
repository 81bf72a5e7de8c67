"""Stages that somebody changed on Optuna's side: one query each, of which one every second.

Optuna's tables are read as they are: its own way to them takes a second to be imported, and reads
every trial of every study.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.connections.engine import Database
from coarsefine.db.optuna.tables import STUDIES, TRIAL_SYSTEM, TRIALS
from coarsefine.db.records import FINAL_STATES, StageRecord, StudyRecord
from coarsefine.db.repository.common import table
from coarsefine.db.tables import Stage, Study, Trial

# What Optuna gives to a trial that was enqueued, and to no other.
_ENQUEUED: Final = "fixed_params"


def stages_with_enqueued(db: Database) -> list[tuple[StudyRecord, StageRecord]]:
    """Return the stages with trials that were enqueued and have not ended, and their studies."""
    enqueued = (
        sa.select(TRIAL_SYSTEM.c.trial_id)
        .where(TRIAL_SYSTEM.c.trial_id == TRIALS.c.trial_id, TRIAL_SYSTEM.c.key == _ENQUEUED)
        .exists()
    )
    # States are of a type of its own on PostgreSQL: words compare with it, parameters do not.
    waiting = sa.literal_column("trials.state = 'WAITING'", sa.Boolean)
    running = sa.literal_column("trials.state = 'RUNNING'", sa.Boolean)
    statement: sa.Select[Any] = (
        sa.select(table(Stage))
        .join(STUDIES, Stage.optuna_name == STUDIES.c.study_name)
        .join(table(Study), Stage.study_id == Study.id)
        .where(
            Study.trashed_at.is_(None),
            sa.select(TRIALS.c.trial_id)
            .where(TRIALS.c.study_id == STUDIES.c.study_id, waiting | (running & enqueued))
            .exists(),
        )
        .order_by(Stage.id)
    )
    with db.session() as session:
        if not schema.optuna_has_begun(session.connection()):
            return []
        return _with_studies(session, statement)


def lost_stages(db: Database) -> list[tuple[StudyRecord, StageRecord]]:
    """Return the stages of which Optuna has fewer trials than have ended, and their studies.

    Somebody deleted or renamed its study, or a search was killed before it was written there.
    """
    ended = (
        sa.select(sa.func.count())
        .select_from(table(Trial))
        .where(Trial.stage_id == Stage.id, Trial.state.in_(FINAL_STATES))
        .scalar_subquery()
    )
    there = (
        sa.select(sa.func.count())
        .select_from(TRIALS)
        .join(STUDIES, TRIALS.c.study_id == STUDIES.c.study_id)
        .where(STUDIES.c.study_name == Stage.optuna_name)
        .scalar_subquery()
    )
    with db.session() as session:
        if not schema.optuna_has_begun(session.connection()):
            return []
        return _with_studies(
            session,
            sa.select(table(Stage))
            .join(table(Study), Stage.study_id == Study.id)
            .where(Study.trashed_at.is_(None), Stage.optuna_name.is_not(None), there < ended)
            .order_by(Stage.id),
        )


def _with_studies(
    session: Session, statement: sa.Select[Any]
) -> list[tuple[StudyRecord, StageRecord]]:
    """Return the stages that a statement selects, and their studies."""
    stages = [StageRecord(*row) for row in session.execute(statement)]
    wanted = sa.select(table(Study)).where(Study.id.in_({stage.study_id for stage in stages}))
    studies = {row.id: StudyRecord(*row) for row in session.execute(wanted)} if stages else {}
    return [(studies[stage.study_id], stage) for stage in stages]
