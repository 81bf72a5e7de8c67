"""Alembic's environment: our tables only, on the connection that the caller has open."""

from typing import Any

from alembic import context

from db.schema import VERSION_TABLE
from db.tables import PREFIX, Base


def include_object(
    thing: Any,
    name: str | None,
    kind: str,
    reflected: bool,
    compare_to: Any,
) -> bool:
    """Say whether ``thing`` is ours: without this, Optuna's tables would be dropped."""
    table = name if kind == "table" else thing.table.name
    return table is not None and table.startswith(PREFIX)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_object=include_object,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
