"""Curves: in a terminal, and for exports."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from coarsefine.db.connections.engine import Database
from coarsefine.db.records import EpochRecord
from coarsefine.search.tables.column import fitting, text_columns
from coarsefine.search.tables.ranking import best_of
from coarsefine.search.tables.table import ExportTable, usual_columns
from coarsefine.studies.results.curves.columns import EPOCHS, curve_cells, measured_on
from coarsefine.studies.results.ranking import Ranking

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.db.records import StudyRecord


def curve_table(
    console: "Console", study: "StudyRecord", title: str, curve: Sequence[EpochRecord]
) -> "Table":
    """Return some epochs of a training run of a study."""
    said = measured_on(study)
    title = f"{title} ({said})" if said else title
    return fitting(console, title, text_columns(EPOCHS, curve), curve)


def of_curves(database: Database, ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return the curves of a study: a row an epoch of each training run."""
    if top is not None:
        ranking = replace(ranking, trials=best_of(ranking, top))
    cells, columns = curve_cells(database, ranking)
    usual = usual_columns(EPOCHS, (), ranking.searched)
    return ExportTable("curves", "epochs", cells, columns, usual)
