"""Which tables of a study can be exported."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.search.tables.table import ExportTable
    from coarsefine.studies.results.ranking import Ranking

    Read = Callable[[Database, Ranking, int | None], ExportTable]


def _read_by(module: str, name: str) -> "Read":
    """Return what reads a table; it is imported when one is read, because start-up counts."""

    def table(database: "Database", ranking: "Ranking", top: int | None) -> "ExportTable":
        read: Read = getattr(import_module(module), name)
        return read(database, ranking, top)

    return table


TABLES: "Final[dict[str, Read]]" = {
    "ranking": _read_by("coarsefine.search.tables.ranking", "ranking_of"),
    "curves": _read_by("coarsefine.search.tables.curves", "of_curves"),
    "evaluations": _read_by("coarsefine.search.tables.evaluations", "of_evaluations"),
    "classes": _read_by("coarsefine.search.tables.classes", "of_classes"),
    "pairs": _read_by("coarsefine.search.tables.pairs", "of_pairs"),
    "test": _read_by("coarsefine.search.tables.final_test", "of_test"),
}
