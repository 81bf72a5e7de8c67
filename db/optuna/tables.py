"""Optuna's tables as it makes them, to be read and written without it: it takes long to import.

``tests/db/test_optuna_writing.py`` compares them with those of the Optuna that is installed.
"""

import math
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

CHECKED: Final = "optuna schema checked"
"""Key of the measurement that says for which Optuna and which revision the tables are in order."""

REVISION: Final = "v3.2.0.a"
"""Of the tables below: Optuna stamps it in ``alembic_version``."""

_SCHEMA_VERSION: Final = 12
_NEWEST_MIGRATION: Final = "v3.2.0.a_.py"

NOT_FINITE: Final = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
"""What stands for numbers that not every database holds, by kind."""

OPTUNAS: Final = sa.MetaData()


def _table(name: str, key: str, *columns: sa.Column[Any] | sa.Constraint) -> sa.Table:
    return sa.Table(name, OPTUNAS, sa.Column(key, sa.Integer, primary_key=True), *columns)


def _study(**options: Any) -> sa.Column[Any]:
    return sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.study_id"), **options)


def _trial(**options: Any) -> sa.Column[Any]:
    return sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.trial_id"), **options)


def _attributes(name: str, owner: sa.Column[Any]) -> sa.Table:
    return _table(
        f"{name}s",
        f"{name}_id",
        owner,
        sa.Column("key", sa.String(512)),
        sa.Column("value_json", sa.Text),
        sa.UniqueConstraint(owner.name, "key"),
    )


def _number(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return the columns of a number that need not be finite."""
    kind = sa.Column(f"{name}_type", sa.String(7), nullable=False)
    return sa.Column(name, sa.Float(53)), kind


STUDIES: Final = _table(
    "studies",
    "study_id",
    sa.Column("study_name", sa.String(512), nullable=False, unique=True, index=True),
)
DIRECTIONS: Final = _table(
    "study_directions",
    "study_direction_id",
    sa.Column("direction", sa.String(8), nullable=False),
    _study(nullable=False),
    sa.Column("objective", sa.Integer, nullable=False),
    sa.UniqueConstraint("study_id", "objective"),
)
STUDY_USER: Final = _attributes("study_user_attribute", _study())
_attributes("study_system_attribute", _study())
TRIALS: Final = _table(
    "trials",
    "trial_id",
    sa.Column("number", sa.Integer),
    _study(index=True),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("datetime_start", sa.DateTime),
    sa.Column("datetime_complete", sa.DateTime),
)
TRIAL_USER: Final = _attributes("trial_user_attribute", _trial())
TRIAL_SYSTEM: Final = _attributes("trial_system_attribute", _trial())
PARAMS: Final = _table(
    "trial_params",
    "param_id",
    _trial(),
    sa.Column("param_name", sa.String(512)),
    sa.Column("param_value", sa.Float(53)),
    sa.Column("distribution_json", sa.Text),
    sa.UniqueConstraint("trial_id", "param_name"),
)
VALUES: Final = _table(
    "trial_values",
    "trial_value_id",
    _trial(nullable=False),
    sa.Column("objective", sa.Integer, nullable=False),
    *_number("value"),
    sa.UniqueConstraint("trial_id", "objective"),
)
POINTS: Final = _table(
    "trial_intermediate_values",
    "trial_intermediate_value_id",
    _trial(nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    *_number("intermediate_value"),
    sa.UniqueConstraint("trial_id", "step"),
)
_table(
    "trial_heartbeats",
    "trial_heartbeat_id",
    _trial(nullable=False),
    sa.Column("heartbeat", sa.DateTime, nullable=False),
    sa.UniqueConstraint("trial_id"),
)
_VERSION: Final = _table(
    "version_info",
    "version_info_id",
    sa.Column("schema_version", sa.Integer),
    sa.Column("library_version", sa.String(256)),
    sa.CheckConstraint("version_info_id=1"),
)
_ALEMBIC: Final = sa.Table(
    "alembic_version",
    OPTUNAS,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def are_newest() -> bool:
    """Return whether the Optuna that is installed has no tables newer than these."""
    spec = find_spec("optuna")
    if spec is None or spec.origin is None:
        return False
    migrations = Path(spec.origin).parent / "storages" / "_rdb" / "alembic" / "versions"
    return max((file.name for file in migrations.glob("v*.py")), default="") == _NEWEST_MIGRATION


def create(connection: Connection) -> dict[str, str]:
    """Make the tables where there is none of them, and return what ``CHECKED`` says of them."""
    library = version("optuna")
    OPTUNAS.create_all(connection, checkfirst=False)
    row = {"version_info_id": 1, "schema_version": _SCHEMA_VERSION, "library_version": library}
    connection.execute(_VERSION.insert().values(row))
    connection.execute(_ALEMBIC.insert().values(version_num=REVISION))
    return {"optuna": library, "tables": REVISION}


def revision(connection: Connection) -> str | None:
    """Return the revision of the tables, which are there."""
    return connection.execute(sa.select(_ALEMBIC.c.version_num)).scalar()
