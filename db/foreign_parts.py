"""What others may have put into an SQLite file of ours, and that reading or writing would run."""

import sqlite3
from collections.abc import Set
from typing import Final

from coarsefine.db.errors import StorageError

_OURS: Final = "training_"
_OPTUNAS: Final = ("studies", "study_", "trials", "trial_", "version_info", "alembic_version")
# By table and column, and how many characters a name has at most.
_NAMES: Final = (
    ("training_studies", "name", 255),
    ("training_stages", "name", 64),
    ("training_stages", "optuna_name", 320),
    ("training_queue", "name", 255),
    ("studies", "study_name", 512),
)


def check_foreign_parts(connection: sqlite3.Connection, tables: Set[str], label: str) -> None:
    """Refuse views in place of tables, triggers on them, and names without bound.

    A view can be a query that never ends, and a trigger runs with each of our changes. SQLite keeps
    no text to the length that a column states. People's own views of the tables may stay.

    Raises:
        StorageError: With what was found.
    """
    for kind, name, table in connection.execute(
        "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('view', 'trigger')"
    ):
        if str(table).startswith((_OURS, *_OPTUNAS)):
            raise StorageError(
                f"{label} holds the {kind} {str(name)[:60]!r}, which this program did not make and "
                "would run; remove it, or restore a copy of the file"
            )
    checked = " UNION ALL ".join(
        f"SELECT '{table}', length({column}) FROM {table} WHERE length({column}) > {most}"  # noqa: S608
        for table, column, most in _NAMES
        if table in tables
    )
    if checked and (found := connection.execute(f"{checked} LIMIT 1").fetchone()):
        table, length = found
        raise StorageError(
            f"{label}: a name in {table} has {length:,} characters, which this program did not "
            "write; restore a copy of the file"
        )
