"""Each two trials of a ranking compared: for exports."""

from coarsefine.db.connections.engine import Database
from coarsefine.search.errors import ExportError
from coarsefine.search.tables.table import ExportTable
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.trial_pairs import PAIRS, trial_pairs


def of_pairs(database: Database, ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return what can be said of each two trials that are judged together.

    Args:
        database: Not read: the ranking has it all.
        ranking: Of the study.
        top: Only pairs of this many of the best trials; ``None`` for all.

    Raises:
        ExportError: If there are no two, or nothing is known of their noise.
    """
    rows = [row for row in trial_pairs(ranking) if top is None or (row.other.rank or 0) <= top]
    if not rows:
        raise ExportError(
            f"{ranking.study.name} has no two trials of which more than the scores is known, so "
            "there are no pairs"
        )
    return ExportTable.of("pairs", "pairs", PAIRS, rows, ranking)
