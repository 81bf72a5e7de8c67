"""Studies that move between files, servers and machines, from Python."""

from pathlib import Path
from typing import TYPE_CHECKING

from coarsefine.paths import expanded
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.place import PathLike, Place
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.db.merging import Merged


def pack_studies(
    *patterns: str, file: PathLike, force: bool = False, storage: PathLike | None = None
) -> Path:
    """Pack studies into one file, and return it.

    Args:
        patterns: Names, or shell patterns as in ``"mnist/*"``; none for all.
        file: Ends with ``.cfs``.
        force: Whether a file that is there may be replaced.
        storage: As for ``Study``.

    Raises:
        StudyError: If a pattern is none's, or the file is there.
    """
    from coarsefine.db.packing import ENDING, pack
    from coarsefine.studies.tidying.selection import Filters, selected

    target = expanded(file)
    if target.suffix != ENDING:
        raise StudyError(f"a packed file ends with {ENDING}, got {target}")
    with as_study_errors(), Place.of(storage).reading() as database:
        studies = selected(database, Filters(patterns))
        pack(database, {study.uuid: study.name for study in studies}, target, replace=force)
    return target


def unpack_studies(
    file: PathLike, *patterns: str, prefix: str = "", storage: PathLike | None = None
) -> "Merged":
    """Unpack a file of studies after it was checked, and return what came of it.

    Args:
        file: A packed file.
        patterns: Names or patterns of studies in it; none for all.
        prefix: What goes before the names of studies that are new here.
        storage: Where they go, as for ``Study``; it is made if it is not there.

    Returns:
        ``added`` (names there and here), ``renewed``, ``kept``, ``refused``, ``n_equal``,
        ``n_once`` and ``unequal``, as ``docs/housekeeping.md`` says.

    Raises:
        StudyError: If the file is not as it was packed.
    """
    from coarsefine.studies.tidying.moving import merge_into

    with as_study_errors():
        source, target = Place.of(file).url, Place.of(storage).url
        return merge_into(source, target, patterns, prefix, packed=True)


def merge_studies(
    other: PathLike, *patterns: str, prefix: str = "", storage: PathLike | None = None
) -> "Merged":
    """Merge the studies of another database into one, and return what came of it.

    Args:
        other: SQLite file or SQLAlchemy URL; nothing changes there.
        patterns: As of ``unpack_studies``.
        prefix: Likewise.
        storage: Likewise.

    Returns:
        As ``unpack_studies``; ``unequal`` has the training runs of one recipe, data and seed
        whose results differ.

    Raises:
        StudyError: If there is no such database.
    """
    from coarsefine.studies.tidying.moving import merge_into

    with as_study_errors():
        return merge_into(Place.of(other).url, Place.of(storage).url, patterns, prefix)
