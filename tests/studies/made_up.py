"""A study that was never stored, for rankings that come from no database."""

from datetime import UTC, datetime
from typing import Any

from coarsefine.db.records import StudyRecord


def study_record(
    *,
    search: str = "lambda",
    data_name: str = "digits",
    hidden: tuple[int, ...] = (50,),
    **data: Any,
) -> StudyRecord:
    """Return a study; what is said of its data is stored as ``data``."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return StudyRecord(
        id=1,
        uuid="0" * 36,
        name=f"{data_name}/{search}",
        search=search,
        recipe={"data": {"name": data_name}, "network": {"hidden": list(hidden)}},
        seed=0,
        data_name=data_name,
        data_fingerprint="f" * 64,
        data={"n_train": 5_000, "n_validation": 1_000, **data},
        versions={},
        machine={},
        created_at=moment,
        updated_at=moment,
        driver_host=None,
        driver_pid=None,
        driver_since=None,
    )
