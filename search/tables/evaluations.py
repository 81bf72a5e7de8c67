"""Evaluations within epochs, to be exported."""

from coarsefine.db.connections.engine import Database
from coarsefine.search.errors import ExportError
from coarsefine.search.tables.ranking import best_of
from coarsefine.search.tables.table import ExportTable
from coarsefine.studies.results.evaluations import EVALUATIONS, read_evaluations
from coarsefine.studies.results.ranking import Ranking


def of_evaluations(database: Database, ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return what was measured within epochs: a row an evaluation of each training run.

    Raises:
        ExportError: If epochs were measured at their ends alone.
    """
    trials = ranking.trials if top is None else best_of(ranking, top)
    rows = read_evaluations(database, ranking, trials)
    if not rows:
        raise ExportError(
            f"{ranking.study.name} was measured at the ends of epochs only: its curves have all "
            "there is"
        )
    return ExportTable.of("evaluations", "evaluations", EVALUATIONS, rows, ranking)
