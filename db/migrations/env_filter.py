"""Which tables the migrations are about: ours alone."""

from typing import Any

from coarsefine.db.table_base import PREFIX


def include_object(
    thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Say whether ``thing`` is ours: without this, Optuna's tables would be dropped."""
    table = name if kind == "table" else thing.table.name
    return table is not None and table.startswith(PREFIX)
