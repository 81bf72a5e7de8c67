"""Curves: what was measured of each run after each epoch."""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from coarsefine.db.column_types import FiniteFloat
from coarsefine.db.connections.engine import Database
from coarsefine.db.curve_tables import Epoch, Evaluation
from coarsefine.db.records import EpochRecord, EvaluationRecord, StageRecord, StudyRecord
from coarsefine.db.repository.common import chunks, stage_id, study_id, table
from coarsefine.db.tables import Run, Stage, Trial

# So many epochs are read at a time where only their columns are kept.
_AT_A_TIME: Final = 10_000

# Of floats 8 bytes each, where an object and its place take 32.
_Column: TypeAlias = "list[Any] | array[float]"


def counted() -> sa.ColumnElement[bool]:
    """Return that a run is one of those that its trial's means are over."""
    runs, trials = table(Run).c, table(Trial).c
    return sa.and_(runs.trial_id == trials.id, runs.replicate < trials.replicates)


def epoch_rows(
    db: Database,
    *,
    study: StudyRecord | None = None,
    run_ids: Sequence[int] | None = None,
    epoch: int | None = None,
) -> list[EpochRecord]:
    """Return the curves of a study or of some runs, in order of run and epoch.

    Args:
        db: Where they are.
        study: Whose; ``None`` for all.
        run_ids: Which runs; ``None`` for all.
        epoch: After which they are asked for; ``None`` for each.
    """
    curve = table(Epoch)
    statement = sa.select(curve).order_by(curve.c.run_id, curve.c.epoch)
    if epoch is not None:
        statement = statement.where(curve.c.epoch == epoch)
    with db.session() as session:
        if study is not None:
            statement = _of_study(statement, study_id(session, study))
        if run_ids is None:
            return list(map(EpochRecord._make, session.execute(statement)))
        found: list[EpochRecord] = []
        for ids in chunks(sorted(run_ids)):
            rows = session.execute(statement.where(curve.c.run_id.in_(ids)))
            found.extend(map(EpochRecord._make, rows))
        return found


def evaluation_rows(db: Database, run_ids: Sequence[int]) -> list[EvaluationRecord]:
    """Return the evaluations of some runs whose epochs have several, in order of run and update."""
    kept = table(Evaluation)
    statement = sa.select(kept).order_by(kept.c.run_id, kept.c.step)
    with db.session() as session:
        return [
            EvaluationRecord._make(row)
            for ids in chunks(sorted(run_ids))
            for row in session.execute(statement.where(kept.c.run_id.in_(ids)))
        ]


def epoch_columns(db: Database, study: StudyRecord) -> dict[str, Sequence[Any]]:
    """Return the curves of a study by column, with the names that an ``EpochRecord`` has.

    In order of run and epoch. Hundreds of thousands of rows as such take ten times the memory.
    """
    curve = table(Epoch)
    names = EpochRecord._fields
    statement = sa.select(*(curve.c[name] for name in names))
    statement = statement.order_by(curve.c.run_id, curve.c.epoch)
    columns: list[_Column] = [
        array("d") if isinstance(curve.c[name].type, FiniteFloat) else [] for name in names
    ]
    with db.session() as session:
        statement = _of_study(statement, study_id(session, study))
        rows = session.execute(statement.execution_options(yield_per=_AT_A_TIME))
        for some in rows.partitions():
            columns = list(map(_extended, columns, zip(*some, strict=True)))
    return dict(zip(names, columns, strict=True))


def _extended(column: _Column, values: Sequence[Any]) -> _Column:
    """Return a column with more values: an array only as long as all of them are floats."""
    n_before = len(column)
    try:
        column.extend(values)
    except TypeError:  # some are not known
        return [*column[:n_before], *values]
    return column


def _of_study(statement: sa.Select[Any], owner: int) -> sa.Select[Any]:
    """Return a statement on curves for those of a study's runs that count."""
    runs, trials, stages = table(Run), table(Trial), table(Stage)
    return (
        statement.join(runs, table(Epoch).c.run_id == runs.c.id)
        .join(trials, counted())
        .join(stages, trials.c.stage_id == stages.c.id)
        .where(stages.c.study_id == owner)
    )


def accuracy_rows(db: Database, study: StudyRecord) -> list[tuple[int, int, float]]:
    """Return run, epoch and validation accuracy after each epoch of a study's runs, in order."""
    curve = table(Epoch)
    statement = (
        sa.select(curve.c.run_id, curve.c.epoch, curve.c.validation_accuracy)
        .where(curve.c.epoch > 0, curve.c.validation_accuracy.is_not(None))
        .order_by(curve.c.run_id, curve.c.epoch)
    )
    with db.session() as session:
        rows = session.execute(_of_study(statement, study_id(session, study)))
        return [(run, epoch, accuracy) for run, epoch, accuracy in rows]


def mean_accuracies(db: Database, trial_ids: Sequence[int]) -> dict[int, dict[int, float]]:
    """Return, by trial and epoch, the mean validation accuracy of its replicates."""
    curve = table(Epoch)
    found: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    with db.session() as session:
        for ids in chunks(trial_ids):
            rows = session.execute(
                sa.select(Run.trial_id, curve.c.epoch, curve.c.validation_accuracy)
                .join(table(Run), curve.c.run_id == Run.id)
                .join(table(Trial), counted())
                .where(Run.trial_id.in_(ids), curve.c.validation_accuracy.is_not(None))
                .order_by(Run.trial_id, curve.c.epoch, Run.replicate)
            )
            for trial, epoch, accuracy in rows:
                found[trial][epoch].append(accuracy)
    return {
        trial: {epoch: _mean(accuracies) for epoch, accuracies in epochs.items()}
        for trial, epochs in found.items()
    }


def _mean(values: Sequence[float]) -> float:
    """Return the mean, by one rule: each kind of database has its own to the last bit."""
    return sum(values) / len(values)


def accuracies_at(
    db: Database, stage: StageRecord, epoch: int, *, losses: bool = False
) -> dict[str, float]:
    """Return the mean validation accuracy at ``epoch`` of the trials all of whose runs came to it.

    Args:
        db: Where they are.
        stage: Whose trials.
        epoch: From 1.
        losses: Whether the mean validation loss is wanted instead.

    Returns:
        By trial UUID, in the order of the trials.
    """
    curve = table(Epoch)
    wanted = curve.c.validation_loss if losses else curve.c.validation_accuracy
    with db.session() as session:
        rows = session.execute(
            sa.select(Trial.uuid, Trial.replicates, wanted)
            .join(Run, counted())
            .join(curve, curve.c.run_id == Run.id)
            .where(
                Trial.stage_id == stage_id(session, stage),
                curve.c.epoch == epoch,
                curve.c.validation_accuracy.is_not(None),
                curve.c.validation_loss.is_not(None),
            )
            .order_by(Trial.position, Run.replicate)
        )
        found: dict[tuple[str, int], list[float]] = defaultdict(list)
        for uuid, replicates, accuracy in rows:
            found[uuid, replicates].append(accuracy)
    return {
        uuid: _mean(accuracies)
        for (uuid, replicates), accuracies in found.items()
        if len(accuracies) == replicates
    }
