"""Results: segments stored at once or not at all, and the rows rankings read."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.column_types import objects_of
from coarsefine.db.connections.engine import Database
from coarsefine.db.curve_tables import Epoch, Evaluation
from coarsefine.db.errors import StorageError
from coarsefine.db.records import (
    FINAL_STATES,
    EpochRecord,
    EvaluationRecord,
    RunRecord,
    RunUpdate,
    SegmentResult,
    StudyRecord,
    TrialRow,
    TrialUpdate,
)
from coarsefine.db.repository.checkpoints import write_checkpoint
from coarsefine.db.repository.common import (
    RUN_RESULTS,
    chunks,
    now,
    standing,
    study_id,
    table,
    touch_stage,
)
from coarsefine.db.repository.curves import counted
from coarsefine.db.repository.metrics import write_metrics
from coarsefine.db.repository.outcomes import write_run_outcomes
from coarsefine.db.table_base import Base
from coarsefine.db.tables import Cohort, FinalRun, Run, Stage, Trial


def store_segment(db: Database, segment: SegmentResult, *, keep: bool = True) -> bool:
    """Store all that a segment leaves, in one transaction; return whether it was news.

    Args:
        db: The database.
        segment: Curves, runs, trials and checkpoint.
        keep: Keep the last checkpoint of a cohort that is done: the final weights.

    Returns:
        False if the segment was stored before; then nothing changes.

    Raises:
        StorageError: If the cohort is gone, or segments before this one are missing.
    """
    with db.write(alone=False) as session:
        # Compare and set: where the database stands decides whether this is news.
        moved = session.execute(
            sa.update(table(Cohort))
            .where(
                Cohort.uuid == segment.cohort_uuid,
                Cohort.state == "planned",
                Cohort.epochs_done == segment.from_epoch,
            )
            .values(
                epochs_done=segment.to_epoch,
                state="done" if segment.done else "planned",
            )
        )
        cohort = session.execute(
            sa.select(Cohort.id, Cohort.stage_id, Cohort.epochs_done, Cohort.state).where(
                Cohort.uuid == segment.cohort_uuid
            )
        ).one_or_none()
        if cohort is None:
            raise StorageError(
                f"cohort {segment.cohort_uuid} is no longer in {db.label}; its study was deleted"
            )
        if not moved.rowcount:  # type: ignore[attr-defined]
            if cohort.state == "done" or cohort.epochs_done > segment.from_epoch:
                return False
            raise StorageError(
                f"cohort {segment.cohort_uuid} stands at epoch {cohort.epochs_done} in {db.label},"
                f" got a segment from {segment.from_epoch}; run the same command again"
            )
        _write_rows(session, Epoch, segment.epochs)
        _write_rows(session, Evaluation, segment.evaluations)
        _write_run_updates(session, cohort.id, segment.runs)
        write_trial_updates(session, segment.trials)
        write_run_outcomes(session, segment.outcomes)
        write_metrics(session, segment.metrics)
        write_checkpoint(session, cohort.id, segment, keep=keep)
        touch_stage(session, cohort.stage_id)
    return True


def update_trials(db: Database, updates: Sequence[TrialUpdate]) -> None:
    """Note where trials stand, outside of a segment."""
    with db.write() as session:
        write_trial_updates(session, updates)


def mark_told(db: Database, uuids: Sequence[str]) -> None:
    """Note that these trials were told to Optuna."""
    if not uuids:
        return
    with db.write(alone=False) as session:
        for keys in chunks(uuids):
            session.execute(sa.update(table(Trial)).where(Trial.uuid.in_(keys)).values(told=True))


def trial_rows(db: Database, study: StudyRecord, *, final: bool = False) -> list[TrialRow]:
    """Return the trials of all stages that search, or train for final tests, in order."""
    trials, stages, tests = table(Trial), table(Stage), table(FinalRun)
    latest = (
        sa.select(sa.func.max(tests.c.opening_id))
        .where(tests.c.trial_id == trials.c.id)
        .correlate(trials)
        .scalar_subquery()
    )
    # Of one seed, the mean is its accuracy to the bit.
    tested = (
        sa.select(
            tests.c.trial_id,
            tests.c.opening_id,
            sa.func.avg(tests.c.test_accuracy).label("test_accuracy"),
            sa.func.avg(tests.c.test_loss).label("test_loss"),
        )
        .group_by(tests.c.trial_id, tests.c.opening_id)
        .subquery()
    )
    statement = (
        sa.select(
            trials.c.id,
            trials.c.uuid,
            stages.c.name,
            stages.c.position,
            trials.c.position,
            trials.c.number,
            sa.type_coerce(trials.c.params, sa.Text),
            standing(),
            trials.c.replicates,
            trials.c.validation_accuracy,
            trials.c.validation_loss,
            trials.c.train_accuracy,
            trials.c.seconds,
            tested.c.test_accuracy,
            tested.c.test_loss,
        )
        .join(stages, trials.c.stage_id == stages.c.id)
        .outerjoin(tested, (tested.c.trial_id == trials.c.id) & (tested.c.opening_id == latest))
        .order_by(stages.c.position, trials.c.position)
    )
    with db.session() as session:
        rows = session.execute(
            statement.where(
                stages.c.study_id == study_id(session, study),
                stages.c.optuna_name.is_(None) if final else stages.c.optuna_name.is_not(None),
            )
        ).all()
    place = TrialRow._fields.index("params")
    params = objects_of([str(row[place]) for row in rows])
    return [
        TrialRow._make((*row[:place], found, *row[place + 1 :]))
        for row, found in zip(rows, params, strict=True)
    ]


def run_rows(
    db: Database, study: StudyRecord | None = None, *, trial_ids: Sequence[int] | None = None
) -> list[RunRecord]:
    """Return the runs of a study or of some trials, in order of stage, trial and replicate.

    Without those that were added to a trial later and do not count yet.
    """
    runs, trials, stages = table(Run), table(Trial), table(Stage)
    statement = (
        sa.select(runs)
        .join(trials, counted())
        .join(stages, trials.c.stage_id == stages.c.id)
        .order_by(stages.c.study_id, stages.c.position, trials.c.position, runs.c.replicate)
    )
    with db.session() as session:
        if study is not None:
            statement = statement.where(stages.c.study_id == study_id(session, study))
        if trial_ids is None:
            return [RunRecord(*row) for row in session.execute(statement)]
        found: list[RunRecord] = []
        for ids in chunks(trial_ids):
            rows = session.execute(statement.where(runs.c.trial_id.in_(ids)))
            found.extend(RunRecord(*row) for row in rows)
        return found


def replicate_rows(db: Database, study: StudyRecord) -> list[tuple[int, int, float | None, bool]]:
    """Return what a ranking needs to know of runs beyond the means of their trials.

    Returns:
        Trial id, replicate, validation accuracy and whether the run was trained before, for
        another trial; only of trials with several replicates, and of runs trained before.
    """
    runs, trials, stages = table(Run), table(Trial), table(Stage)
    reused = runs.c.cohort_id.is_(None)
    statement = (
        sa.select(runs.c.trial_id, runs.c.replicate, runs.c.validation_accuracy, reused)
        .join(trials, counted())
        .join(stages, trials.c.stage_id == stages.c.id)
        .where(sa.or_(trials.c.replicates > 1, reused))
    )
    with db.session() as session:
        owner = study_id(session, study)
        rows = session.execute(statement.where(stages.c.study_id == owner))
        return [(trial, replicate, accuracy, bool(was)) for trial, replicate, accuracy, was in rows]


def trials_in_common(db: Database, study: StudyRecord, other: StudyRecord) -> frozenset[int]:
    """Return the ids of a study's trials that have a run in common with another study.

    That is a run of the same recipe, with the same seed: one of them may be a copy of the other.
    """
    runs, trials, stages = table(Run).c, table(Trial), table(Stage)
    ids, keys = (
        sa.select(column).join(trials, counted()).join(stages, trials.c.stage_id == stages.c.id)
        for column in (runs.trial_id, runs.recipe_key)
    )
    with db.session() as session:
        own, theirs = (stages.c.study_id == study_id(session, each) for each in (study, other))
        both = ids.where(own, runs.recipe_key.in_(keys.where(theirs).correlate(None)))
        return frozenset(session.scalars(both))


def write_trial_updates(session: Session, updates: Sequence[TrialUpdate]) -> None:
    """Write where trials stand, inside the caller's transaction."""
    if not updates:
        return
    moment = now()
    session.execute(
        sa.update(table(Trial))
        .where(Trial.uuid == sa.bindparam("key"))
        .values(
            {
                "replicates": sa.func.coalesce(
                    sa.bindparam("new_replicates", type_=sa.Integer()), Trial.replicates
                )
            }
            | {
                name: sa.bindparam(f"new_{name}")
                for name in (
                    "state",
                    "validation_accuracy",
                    "validation_loss",
                    "train_accuracy",
                    "seconds",
                    "finished_at",
                )
            }
        ),
        [
            {
                "key": update.uuid,
                "new_state": update.state,
                "new_validation_accuracy": update.validation_accuracy,
                "new_validation_loss": update.validation_loss,
                "new_train_accuracy": update.train_accuracy,
                "new_seconds": update.seconds,
                "new_replicates": update.replicates,
                "new_finished_at": moment if update.state in FINAL_STATES else None,
            }
            for update in updates
        ],
    )


def _write_rows(
    session: Session, mapped: type[Base], rows: Sequence[EpochRecord | EvaluationRecord]
) -> None:
    if rows:
        session.execute(sa.insert(table(mapped)), [row._asdict() for row in rows])


def _write_run_updates(session: Session, cohort: int, updates: Sequence[RunUpdate]) -> None:
    if not updates:
        return
    session.execute(
        sa.update(table(Run))
        .where(Run.id == sa.bindparam("key"), Run.cohort_id == cohort)
        .values({name: sa.bindparam(f"new_{name}") for name in RUN_RESULTS}),
        [
            {
                "key": update.run_id,
                **{f"new_{name}": getattr(update, name) for name in RUN_RESULTS},
            }
            for update in updates
        ],
    )
