"""Types of columns: the same values on every database, and none that it would change."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Dialect, Float, LargeBinary, String, Text
from sqlalchemy.types import TypeDecorator

from coarsefine.db.connections.messages import first_line
from coarsefine.db.errors import StorageError
from coarsefine.nesting import is_deeper

# MySQL's texts and bytes end at 65,535, and its floats have 24 bits, unless it is told otherwise.
_LONGEST: Final = 2**32 - 1
LONG_TEXT: Final = Text().with_variant(Text(_LONGEST), "mysql")
LONG_BYTES: Final = LargeBinary(_LONGEST)
DOUBLE: Final = Float(53)

Json = Any
_DEEPEST: Final = 32


class StrictJson(TypeDecorator[Json]):
    """JSON as text, without the ``NaN`` and ``Infinity`` that Python would add to the language.

    Args:
        kind: What a text must state: a ``dict``, a ``list`` or anything.
    """

    impl = LONG_TEXT
    cache_ok = True

    def __init__(self, kind: type = object) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Json, dialect: Dialect) -> str | None:  # noqa: D102
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Json:  # noqa: D102
        if value is None:
            return None
        found = json_of(value)
        if not isinstance(found, self.kind):
            raise _other_than(self.kind)
        if is_deeper(found, _DEEPEST):
            raise StorageError(
                f"a row of the database holds JSON of more than {_DEEPEST} lists inside each other;"
                " restore a copy of the file"
            )
        return found


def json_of(text: str) -> Json:
    """Return what a text of JSON in the database says; it may be anybody's.

    Raises:
        StorageError: If it is none, or one that would take a parser without bound.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise StorageError(
            f"a row of the database holds no JSON of this program's ({first_line(error)[:48]}); "
            "restore a copy of the file"
        ) from error


def objects_of(texts: Sequence[str]) -> list[dict[str, Json]]:
    """Return the objects that ``StrictJson`` wrote as so many texts, read as one.

    A call for each of tens of thousands would take three times as long.

    Raises:
        StorageError: If one of them is not JSON.
    """
    found = json_of(f"[{','.join(texts)}]")
    if len(found) == len(texts) and all(type(each) is dict for each in found):
        return list(found)
    # What is no JSON by itself can be some between others.
    found = [json_of(text) for text in texts]
    if any(type(each) is not dict for each in found):
        raise _other_than(dict)
    return found


def _other_than(kind: type) -> StorageError:
    what = "object" if kind is dict else "list"
    return StorageError(
        f"a row of the database holds JSON that is no {what}; restore a copy of the file"
    )


class FiniteFloat(TypeDecorator[float]):
    """A float; what is not finite is unknown, hence ``NULL``. NumPy scalars become Python's."""

    impl = DOUBLE
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: D102
        if value is None:
            return None
        value = float(value)
        return value if math.isfinite(value) else None


class UtcTime(TypeDecorator[datetime]):
    """A moment as ISO 8601 text in UTC with microseconds, so that text order is time order."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: D102
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"times need a time zone, got {value.isoformat()}")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return None if value is None else datetime.fromisoformat(value)
