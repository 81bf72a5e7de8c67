"""Checkpoints: the state that a cohort stands at, and at its end the weights."""

import hashlib

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.records import CohortRecord, SegmentResult
from coarsefine.db.repository.common import table
from coarsefine.db.tables import Checkpoint, Cohort


def load_checkpoint(db: Database, cohort_uuid: str) -> tuple[int, bytes] | None:
    """Return epochs done and state of the cohort's checkpoint, ``None`` if there is none.

    Raises:
        StorageError: If what is stored is not what was stored.
    """
    with db.session() as session:
        row = session.execute(
            sa.select(Checkpoint.epoch, Checkpoint.sha256, Checkpoint.payload)
            .join(Cohort, Checkpoint.cohort_id == Cohort.id)
            .where(Cohort.uuid == cohort_uuid)
        ).one_or_none()
    if row is None:
        return None
    epoch, digest, payload = row
    if hashlib.sha256(payload).hexdigest() != digest:
        raise StorageError(
            f"the checkpoint of cohort {cohort_uuid} in {db.label} is damaged at epoch {epoch};"
            " restore a copy of the file, or start the study again under another name"
        )
    return epoch, payload


def state_to_carry_on(db: Database, cohort: CohortRecord) -> bytes | None:
    """Return the state that a cohort stands at, ``None`` before its first segment.

    Raises:
        StorageError: If it is missing, or not what was stored.
    """
    if cohort.epochs_done == 0:
        return None
    stored = load_checkpoint(db, cohort.uuid)
    if stored is None or stored[0] != cohort.epochs_done:
        raise StorageError(
            f"cohort {cohort.uuid} in {db.label} stands at epoch {cohort.epochs_done}, its "
            f"checkpoint {'is missing' if stored is None else f'at epoch {stored[0]}'};"
            " restore a copy of the file, or start the study again under another name"
        )
    return stored[1]


def write_checkpoint(session: Session, cohort: int, segment: SegmentResult, *, keep: bool) -> None:
    """Write a segment's checkpoint, inside the caller's transaction; ``keep`` that of the last."""
    drop = segment.done and not keep
    if segment.checkpoint is None and not drop:
        return
    session.execute(sa.delete(table(Checkpoint)).where(Checkpoint.cohort_id == cohort))
    if segment.checkpoint is not None and not drop:
        session.execute(
            sa.insert(table(Checkpoint)).values(
                cohort_id=cohort,
                epoch=segment.to_epoch,
                sha256=hashlib.sha256(segment.checkpoint).hexdigest(),
                payload=segment.checkpoint,
            )
        )
