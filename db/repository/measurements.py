"""Small figures measured once on this machine, such as how wide a cohort should be."""

from typing import Any

import sqlalchemy as sa

from coarsefine.db.connections.engine import Database
from coarsefine.db.repository.common import now, table
from coarsefine.db.tables import Measurement


def get_measurement(db: Database, key: str) -> Any:
    """Return the value stored under ``key``, ``None`` if there is none."""
    with db.session() as session:
        return session.scalar(sa.select(Measurement.value).where(Measurement.key == key))


def measurements(db: Database, name: str) -> list[Any]:
    """Return all values whose keys begin with ``name``, the latest last."""
    with db.session() as session:
        return list(
            session.scalars(
                sa.select(Measurement.value)
                .where(Measurement.key.startswith(name, autoescape=True))
                .order_by(Measurement.measured_at, Measurement.key)
            )
        )


def set_measurement(db: Database, key: str, value: Any) -> None:
    """Store ``value``, which must be JSON, under ``key``."""
    values = {"value": value, "measured_at": now()}
    with db.write() as session:
        result = session.execute(
            sa.update(table(Measurement)).where(Measurement.key == key).values(**values)
        )
        if not result.rowcount:  # type: ignore[attr-defined]
            session.execute(sa.insert(table(Measurement)).values(key=key, **values))
