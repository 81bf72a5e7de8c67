"""Studies kept in order from Python: renamed, copied, labelled, deleted and taken back."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.kept import Kept
from coarsefine.search.library.place import PathLike, Place
from coarsefine.search.library.settings import several
from coarsefine.search.library.watching import watched
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import StudySummary


class Tidying:
    """A study that is kept in order."""

    _kept: Kept

    @property
    def tags(self) -> tuple[str, ...]:
        """Return its tags."""
        with as_study_errors(), self._kept.reading() as (_, study):
            return tuple(map(str, study.tags or ()))

    @property
    def note(self) -> str:
        """Return its note; empty if there is none."""
        with as_study_errors(), self._kept.reading() as (_, study):
            return study.note or ""

    def tag(self, *add: str, remove: str | Iterable[str] = ()) -> tuple[str, ...]:
        """Add tags and remove another one or several, and return those it has then."""
        from coarsefine.studies.tidying.changes import retag
        from coarsefine.studies.tidying.selection import checked_tags

        with as_study_errors(), self._writing() as (database, studies):
            (tags,) = retag(
                database, studies, checked_tags(add), checked_tags(several(remove))
            ).values()
        return tuple(tags)

    def annotate(self, text: str) -> None:
        """Set its note; an empty text deletes it."""
        from coarsefine.studies.tidying.changes import annotate

        with as_study_errors(), self._writing() as (database, studies):
            annotate(database, studies, text)

    def rename(self, name: str) -> None:
        """Give it another name, in Optuna too; this object goes on with it.

        Raises:
            StudyError: If another study has the name, or it is being searched.
        """
        from coarsefine.studies.tidying.changes import rename

        with as_study_errors(), self._writing() as (database, studies):
            (new,) = rename(database, studies, name).values()
        self._kept = replace(self._kept, name=new)

    def copy(self, name: str) -> str:
        """Copy it with all it has; the copy carries on by itself. Return the copy's name.

        Raises:
            StudyError: If another study has the name.
        """
        from coarsefine.studies.tidying.changes import copy

        with as_study_errors(), self._writing() as (database, studies):
            (new,) = copy(database, studies, name).values()
        return new

    def remove(self) -> None:
        """Move it to the trash, Optuna's studies too; ``restore_studies`` takes it back."""
        from coarsefine.db import tidying

        with as_study_errors(), self._writing() as (database, studies):
            tidying.trash(database, [study.uuid for study in studies])

    @contextmanager
    def _writing(self) -> "Iterator[tuple[Database, list[StudySummary]]]":
        with _opened(self._kept.place, [self._kept.name]) as found:
            yield found


def remove_studies(*patterns: str, storage: PathLike | None = None) -> list[str]:
    """Move studies to the trash, Optuna's studies too, and return their names.

    Args:
        patterns: Names, or shell patterns as in ``"mnist/*"``; one or more.
        storage: As for ``Study``.

    Raises:
        StudyError: If a pattern is none's, or a study is being searched.
    """
    from coarsefine.db import tidying

    with as_study_errors(), _opened(Place.of(storage), _some(patterns)) as (database, studies):
        tidying.trash(database, [study.uuid for study in studies])
    return [study.name for study in studies]


def restore_studies(*patterns: str, storage: PathLike | None = None) -> list[str]:
    """Take studies out of the trash, and return their names.

    Args:
        patterns: As of ``remove_studies``.
        storage: As for ``Study``.

    Raises:
        StudyError: If another study has a name by now.
    """
    from coarsefine.studies.tidying.changes import restore

    place = Place.of(storage)
    with as_study_errors(), _opened(place, _some(patterns), trashed=True) as (database, studies):
        restore(database, studies)
    return [study.name for study in studies]


def purge_studies(*patterns: str, storage: PathLike | None = None) -> list[str]:
    """Delete studies in the trash for good, and return their names.

    Openings of the test set stay on record.

    Args:
        patterns: As of ``remove_studies``; none for all that is in the trash.
        storage: As for ``Study``.
    """
    from coarsefine.db import tidying

    with as_study_errors(), _opened(Place.of(storage), patterns, trashed=True) as found:
        database, studies = found
        tidying.purge(database, [study.uuid for study in studies])
        if studies:
            tidying.give_back(database)
    return [study.name for study in studies]


def _some(patterns: Sequence[str]) -> Sequence[str]:
    if not patterns:
        raise StudyError('name the studies, as in "mnist/lambda" or "mnist/*"; got none')
    return patterns


@contextmanager
def _opened(
    place: Place, names: Sequence[str], *, trashed: bool = False
) -> "Iterator[tuple[Database, list[StudySummary]]]":
    """Yield a database to be changed, and the studies in it that are meant."""
    from coarsefine.studies.tidying.selection import Filters, selected

    with watched(progress=False) as watch, place.writing(watch) as database:
        yield database, selected(database, Filters(names), trashed=trashed)
