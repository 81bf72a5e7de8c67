"""What all tables have in common: the names of constraints, the types of columns, two rules."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import CheckConstraint, MetaData
from sqlalchemy.orm import DeclarativeBase

from coarsefine.db.column_types import FiniteFloat, StrictJson, UtcTime

PREFIX: Final = "training_"


class Base(DeclarativeBase):
    """The tables of this project, with names for all constraints, as Alembic needs them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        float: FiniteFloat,
        datetime: UtcTime,
        dict[str, Any]: StrictJson(dict),
        list[Any]: StrictJson(list),
    }


def accuracy(column: str) -> CheckConstraint:
    """Return the rule that a column holds shares."""
    return CheckConstraint(f"{column} BETWEEN 0 AND 1", name=column)


def one_of(column: str, *words: str) -> CheckConstraint:
    """Return the rule that a column holds one of some words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
