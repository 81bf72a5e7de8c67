"""Which studies there are, and studies side by side."""

from typing import TYPE_CHECKING

from coarsefine.search.library.facts import named
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.place import PathLike, Place
from coarsefine.search.library.results import Comparison
from coarsefine.search.library.settings import several
from coarsefine.search.library.study import Study

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    import pandas as pd

    from coarsefine.studies.results.ranking import RankedTrial


def list_studies(
    *patterns: str,
    tags: "str | Collection[str]" = (),
    search: str | None = None,
    data: str | None = None,
    since: "datetime | str | None" = None,
    trash: bool = False,
    storage: PathLike | None = None,
) -> "pd.DataFrame":
    """Return a row a study, the most recent first, see ``docs/library.md``.

    Args:
        patterns: Names, or shell patterns as in ``"mnist/*"``; none for all.
        tags: Only studies that have this one, or all of these.
        search: Only those of this search, as in ``"lambda"``.
        data: Only those on this data set; may be a pattern.
        since: Only those changed since then: a moment, a date such as ``"2026-03-02"``, or
            ``"7d"`` ago.
        trash: Those in the trash instead.
        storage: As for ``Study``.

    Raises:
        StudyError: If there is no such database, or a pattern is none's.
    """
    import pandas as pd

    from coarsefine.studies.tidying.selection import Filters, moment_of, selected

    with as_study_errors(), Place.of(storage).reading() as database:
        filters = Filters(patterns, several(tags), search, data, moment_of(since))
        summaries = selected(database, filters, trashed=trash)
    columns = {
        "study": [each.name for each in summaries],
        "search": [each.search for each in summaries],
        "data": [each.data_name for each in summaries],
        "stages": [", ".join(each.stages) for each in summaries],
        "trials": [sum(each.trials.values()) for each in summaries],
        "complete": [each.trials.get("complete", 0) for each in summaries],
        "best_validation_accuracy": [each.best_accuracy for each in summaries],
        "test_openings": [each.test_openings for each in summaries],
        "created_at": [each.created_at for each in summaries],
        "updated_at": [each.updated_at for each in summaries],
        "tags": [", ".join(each.tags) for each in summaries],
        "note": [each.note for each in summaries],
    }
    return pd.DataFrame(columns).astype({"best_validation_accuracy": "float64"})


def compare_studies(
    *studies: Study | str,
    trials: "Sequence[RankedTrial | str | None]" = (),
    indifference: float = 0.5,
    storage: PathLike | None = None,
) -> Comparison:
    """Return studies side by side, and what a test says of each two of them.

    Args:
        studies: Two or more, or their names; all in one database.
        trials: Which trial stands for each study, as ``"fine:6"`` or from a ranking, ``None`` for
            its best; nothing for the best of all.
        indifference: The largest difference of accuracies that does not matter, in percentage
            points.
        storage: As for ``Study``; ``None`` for where the first of them is kept.

    Raises:
        StudyError: If one of them is not there.
    """
    from coarsefine.studies.results.comparing.side_by_side import side_by_side

    with as_study_errors():
        kept = next((each.kept.place for each in studies if isinstance(each, Study)), None)
        place = kept if storage is None and kept is not None else Place.of(storage)
        names = [each.name if isinstance(each, Study) else each for each in studies]
        with place.reading() as database:
            chosen = [None if each in (None, "best") else named(each) for each in trials]
            return Comparison(side_by_side(database, names, chosen, indifference / 100))
