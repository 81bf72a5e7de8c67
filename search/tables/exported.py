"""Which tables of a study can be exported."""

from collections.abc import Callable
from typing import Final

from coarsefine.db.engine import Database
from coarsefine.search.tables.curves import of_curves
from coarsefine.search.tables.final_test import of_test
from coarsefine.search.tables.ranking import of_ranking
from coarsefine.search.tables.table import ExportTable
from coarsefine.studies.results.ranking import Ranking

TABLES: Final[dict[str, Callable[[Database, Ranking, int | None], ExportTable]]] = {
    "ranking": lambda _, ranking, top: of_ranking(ranking, top),
    "curves": of_curves,
    "test": of_test,
}
