"""Looks whether what runs predicted for each sample agrees with their accuracies."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.checks.report import Check, close
from coarsefine.db.tables import (
    FinalEnsemble,
    FinalRun,
    Opening,
    Run,
    SampleOutcomes,
    Stage,
    Study,
    Trial,
)

Accuracy = Callable[[bytes], float]

_LOST = "restore a copy of the file; its accuracy stands, comparisons sample by sample do not"


def check_outcomes(session: Session, check: Check, accuracy: Accuracy | None) -> None:
    """Look for outcomes that cannot be read, or have another accuracy than their run."""
    if accuracy is None or not sa.inspect(session.connection()).has_table(
        SampleOutcomes.__tablename__
    ):
        check.left_out = True
        return
    trained = (
        sa.select(
            Study.name,
            Stage.name,
            Trial.position,
            Run.replicate,
            Run.validation_accuracy,
            SampleOutcomes.payload,
        )
        .join(Run, SampleOutcomes.run_id == Run.id)
        .join(Trial, Run.trial_id == Trial.id)
        .join(Stage, Trial.stage_id == Stage.id)
        .join(Study, Stage.study_id == Study.id)
        .order_by(Run.id)
    )
    # One at a time: there may be tens of thousands.
    for study, stage, trial, replicate, wanted, payload in _rows(session, trained):
        where = f"{study}/{stage}: trial {trial}, replicate {replicate}"
        _compare(check, where, payload, accuracy, wanted)
    # A database of an older version may be looked at as it is.
    several = sa.inspect(session.connection()).has_table(FinalEnsemble.__tablename__)
    replicate = FinalRun.replicate if several else sa.literal(0)
    tested = (
        sa.select(
            Study.name,
            FinalRun.rank,
            replicate,
            FinalRun.test_accuracy,
            SampleOutcomes.payload,
        )
        .join(FinalRun, SampleOutcomes.test_run_id == FinalRun.id)
        .join(Opening, FinalRun.opening_id == Opening.id)
        .join(Study, Opening.study_id == Study.id, isouter=True)
        .order_by(FinalRun.id)
    )
    for study, rank, replicate, wanted, payload in _rows(session, tested):
        where = f"{_called(study)}: final test of rank {rank}"
        where += f", replicate {replicate}" if replicate else ""
        _compare(check, where, payload, accuracy, wanted)
    if not several:
        return
    together = (
        sa.select(
            Study.name,
            FinalEnsemble.method,
            FinalEnsemble.test_accuracy,
            FinalEnsemble.outcomes,
        )
        .join(Opening, FinalEnsemble.opening_id == Opening.id)
        .join(Study, Opening.study_id == Study.id, isouter=True)
        .order_by(FinalEnsemble.id)
    )
    for study, method, wanted, payload in _rows(session, together):
        _compare(check, f"{_called(study)}: ensemble by {method}", payload, accuracy, wanted)


def _called(study: str | None) -> str:
    return "a study that was deleted" if study is None else f"study {study}"


def _rows(session: Session, statement: Any) -> Any:
    return session.execute(statement.execution_options(yield_per=100))


def _compare(
    check: Check, where: str, payload: bytes, accuracy: Accuracy, wanted: float | None
) -> None:
    check.looked_at += 1
    try:
        found = accuracy(payload)
    except ValueError as error:
        check.wrong(f"{where}: its outcomes cannot be read: {error}", _LOST)
        return
    # A trainer of the user's may report its accuracy in single precision.
    if not close(wanted, found) and (wanted is None or abs(wanted - found) > 1e-6):
        check.wrong(f"{where}: its accuracy is {wanted}, its outcomes have {found}", _LOST)
