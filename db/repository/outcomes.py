"""What runs predicted for each sample: packed bytes, which only the trainer can read."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.connections.engine import Database
from coarsefine.db.repository.common import chunks, table
from coarsefine.db.tables import SampleOutcomes

VALIDATION, TEST = "validation", "test"


def run_outcomes(db: Database, run_ids: Sequence[int]) -> dict[int, bytes]:
    """Return what training runs predicted for the validation samples, by run.

    Runs of older versions, and those that did not come to an end, are missing.
    """
    return _read(db, SampleOutcomes.run_id, run_ids)


def test_outcomes(db: Database, test_run_ids: Sequence[int]) -> dict[int, bytes]:
    """Return what final test runs predicted for the test samples, by final test run."""
    return _read(db, SampleOutcomes.test_run_id, test_run_ids)


def write_run_outcomes(session: Session, payloads: Mapping[int, bytes]) -> None:
    """Write outcomes by training run, inside the caller's transaction."""
    rows = [{"run_id": run, "split": VALIDATION, "payload": p} for run, p in payloads.items()]
    if rows:
        session.execute(sa.insert(table(SampleOutcomes)), rows)


def write_test_outcomes(session: Session, payloads: Mapping[int, bytes]) -> None:
    """Write outcomes by final test run, inside the caller's transaction."""
    rows = [{"test_run_id": run, "split": TEST, "payload": p} for run, p in payloads.items()]
    if rows:
        session.execute(sa.insert(table(SampleOutcomes)), rows)


def _read(
    db: Database, owner: sa.orm.InstrumentedAttribute[int | None], ids: Sequence[int]
) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    with db.session() as session:
        for some in chunks(ids):
            rows = session.execute(sa.select(owner, SampleOutcomes.payload).where(owner.in_(some)))
            found.update((key, payload) for key, payload in rows if key is not None)
    return found
