"""Studies that come from another file or server, chosen and named."""

from collections.abc import Callable, Sequence

from coarsefine.db.merging import Merged, merge
from coarsefine.db.packing import (
    check_packed,
    made_whole,
    make_optunas_tables,
    opened_to_merge,
)
from coarsefine.studies.errors import StudyError
from coarsefine.studies.running.studies import check_name
from coarsefine.studies.tidying.selection import Filters, selected


def merge_into(
    source: str,
    target: str,
    names: Sequence[str] = (),
    prefix: str = "",
    *,
    packed: bool = False,
    said: Callable[[str], None] | None = None,
) -> Merged:
    """Write studies of one database into another, which is made if it is not there.

    Args:
        source: URL of the database where they are.
        target: URL of the one that they go to.
        names: Names or patterns of those that are meant; none for all.
        prefix: What goes before their names.
        packed: Whether it must be a packed file, and is checked.
        said: Hears a line if tables of an older version were brought up to date.

    Raises:
        StudyError: If a pattern is none's, or both are one database.
        StorageError: If the file is not as it was packed, or cannot be read or written.
    """
    if source == target:
        raise StudyError("the studies are to come from another database than this one")
    with opened_to_merge(source) as there:
        if packed:
            check_packed(there)
        studies = selected(there, Filters(names))
        called = {study.uuid: f"{prefix}{study.name}" for study in studies}
        for name in called.values():
            check_name(name)
        with made_whole(target, said) as here:
            if there.path is not None and there.path == here.path:
                raise StudyError("the studies are to come from another database than this one")
            make_optunas_tables(here)
            # The first is listed first: of one moment, what came last is.
            return merge(there, here, dict(reversed(list(called.items()))))
