"""What custom trainers reported under names of their own: kept, copied and read."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.connections.engine import Database
from coarsefine.db.curve_tables import RunMetrics
from coarsefine.db.records import StudyRecord
from coarsefine.db.repository.common import chunks, study_id, table
from coarsefine.db.tables import Run, Stage, Trial

Metrics = dict[tuple[int, int], dict[str, float]]


def write_metrics(session: Session, metrics: Mapping[tuple[int, int], Mapping[str, float]]) -> None:
    """Write metrics by run and epoch, inside the caller's transaction."""
    rows = [
        {"run_id": run, "epoch": epoch, "metrics": dict(values)}
        for (run, epoch), values in metrics.items()
    ]
    if rows:
        session.execute(sa.insert(table(RunMetrics)), rows)


def epoch_metrics(
    db: Database, *, study: StudyRecord | None = None, run_ids: Sequence[int] = ()
) -> Metrics:
    """Return the metrics of a study, or of some runs, by run and epoch."""
    kept = table(RunMetrics)
    statement = sa.select(kept)
    found: Metrics = {}
    with db.session() as session:
        if study is not None:
            found = _by_place(session, _of_study(statement, study_id(session, study)))
        for ids in chunks(sorted(run_ids)):
            found |= _by_place(session, statement.where(kept.c.run_id.in_(ids)))
    return found


def scored_metrics(db: Database, study: StudyRecord) -> dict[int, dict[int, dict[str, float]]]:
    """Return the metrics of each complete run, at the epoch that it counts with.

    Returns:
        By trial and replicate.
    """
    kept = table(RunMetrics)
    statement = sa.select(Run.trial_id, Run.replicate, kept.c.metrics).where(
        Run.state == "complete", kept.c.epoch == sa.func.coalesce(Run.best_epoch, Run.epochs)
    )
    found: dict[int, dict[int, dict[str, float]]] = {}
    with db.session() as session:
        rows = session.execute(_of_study(statement, study_id(session, study)))
        for trial, replicate, metrics in rows:
            found.setdefault(trial, {})[replicate] = metrics
    return found


def _of_study(statement: sa.Select[Any], owner: int) -> sa.Select[Any]:
    return (
        statement.join(table(Run), table(RunMetrics).c.run_id == Run.id)
        .join(table(Trial), Run.trial_id == Trial.id)
        .join(table(Stage), Trial.stage_id == Stage.id)
        .where(Stage.study_id == owner)
    )


def _by_place(session: Session, statement: sa.Select[Any]) -> Metrics:
    return {(run, epoch): metrics for run, epoch, metrics in session.execute(statement)}
