"""Which studies are meant: by name, shell pattern, tag, search, data or time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudySummary
from coarsefine.hints import command, option
from coarsefine.studies.errors import StudyError, StudyNameError, did_you_mean

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,5})([hdw])")
_LONGEST_TAG: Final = 64


@dataclass(frozen=True, slots=True)
class Filters:
    """What studies must have; what is not stated, all have.

    Attributes:
        names: Names, or shell patterns in which ``*`` stands for any characters, ``/`` included.
        tags: All of them.
        search: As in ``lambda``.
        data: A name or a pattern of the data set.
        since: Changed since then.
    """

    names: Sequence[str] = ()
    tags: Sequence[str] = ()
    search: str | None = None
    data: str | None = None
    since: datetime | None = None

    def accept(self, study: StudySummary) -> bool:
        """Return whether a study has what is stated but its name."""
        return (
            set(self.tags) <= set(study.tags)
            and self.search in {None, study.search}
            and (self.data is None or _matches(self.data, study.data_name))
            and (self.since is None or study.updated_at >= self.since)
        )


def _matches(pattern: str, name: str) -> bool:
    # A name may have the letters of a pattern in it.
    return pattern == name or fnmatchcase(name, pattern)


def selected(database: Database, filters: Filters, *, trashed: bool = False) -> list[StudySummary]:
    """Return the studies that are meant, the most recent first.

    Of several in the trash that had one name, a name without a pattern means the last.

    Raises:
        StudyError: If a name or a pattern is none's.
    """
    studies = repository.list_studies(database, trashed=trashed)
    if not filters.names:
        return [study for study in studies if filters.accept(study)]
    named: dict[str, StudySummary] = {}
    for pattern in filters.names:
        exact = [study for study in studies if study.name == pattern][:1]
        found = exact or [study for study in studies if fnmatchcase(study.name, pattern)]
        if not found:
            where = "the trash of " if trashed else ""
            shown = command("list", trash=True) if trashed else command("list")
            close = did_you_mean(pattern, [study.name for study in studies])
            raise StudyError(
                f"{where}{database.label} has no study {pattern!r}{close}; `",
                shown,
                "` shows what there is",
            )
        named |= {study.uuid: study for study in found}
    return [s for s in studies if s.uuid in named and filters.accept(s)]


def moment_of(since: datetime | str | None, now: datetime | None = None) -> datetime | None:
    """Return the moment that is meant: a date, a time, or how long ago; in UTC.

    >>> moment_of("7d", datetime(2026, 3, 9, tzinfo=UTC)).isoformat()
    '2026-03-02T00:00:00+00:00'
    >>> moment_of("2026-03-02T12:30+00:00").isoformat()
    '2026-03-02T12:30:00+00:00'

    Raises:
        StudyError: If it means none.
    """
    if since is None:
        return None
    try:
        if isinstance(since, datetime):
            return since.astimezone(UTC)
        ago = _AGO.fullmatch(since.strip())
        if ago is not None:
            unit = _UNITS[ago[2]]
            return (now or datetime.now(UTC)) - timedelta(**{unit: int(ago[1])})
        # A date without a zone is one of the user's own.
        return datetime.fromisoformat(since.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError, AttributeError):  # no text: from Python
        raise StudyNameError(
            option("since"),
            f" must be a date such as 2026-03-02, or how long ago: 12h, 7d or 2w; got {since!r}",
        ) from None


def checked_text(what: str, stated: object) -> str:
    """Return a text that is one; Python's users may state anything.

    Raises:
        StudyError: If it is none.
    """
    if not isinstance(stated, str):
        raise StudyError(f"{what} must be a text, got {str(stated)[:80]}")
    return stated


def checked_tags(tags: Sequence[str]) -> list[str]:
    """Return tags without blanks around them.

    Raises:
        StudyError: If one cannot be seen as it is, or could be taken for two.
    """
    found = [checked_text("a tag", tag).strip() for tag in tags]
    for tag in found:
        if not (tag.isprintable() and 0 < len(tag) <= _LONGEST_TAG and "," not in tag):
            raise StudyNameError(
                f"a tag must be 1 … {_LONGEST_TAG} printable characters without a comma, got "
                f"{tag[:80]!r}"
            )
    return found
