"""What trials made of each class: in a terminal, and for exports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coarsefine.db.connections.engine import Database
from coarsefine.search.errors import ExportError
from coarsefine.search.tables.column import fitting, text_columns
from coarsefine.search.tables.ranking import best_of
from coarsefine.search.tables.table import ExportTable
from coarsefine.search.words import counted
from coarsefine.studies.results.classes import CLASSES, Confusion, OfClass, confusions_of
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.spaces.dimensions import described

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Nobody reads the figures of more classes in a terminal: the export has them.
MOST_CLASSES = 30


def classes_table(console: "Console", found: Confusion) -> "Table":
    """Return what a trial made of each class."""
    trial = found.trial
    runs = f"; {counted(trial.replicates, 'run')}" if trial.replicates > 1 else ""
    title = f"By class, {trial.name}: "
    rows = found.rows[:MOST_CLASSES]
    columns = text_columns(CLASSES, rows)
    return fitting(console, f"\n{title}{described(trial.params)}{runs}", columns, rows)


def confusion_lines(found: Confusion, most: int = 3) -> list[str]:
    """Return which classes are most often taken for which others, a line each.

    >>> import numpy as np
    >>> confusion_lines(Confusion(None, np.array([[8, 2], [0, 5]]), ("cat", "dog")))
    ['cat taken for dog: 2 of 10 samples']
    """
    wrong = [
        (-int(n), true, predicted)
        for (true, predicted), n in _cells(found)
        if n and true != predicted
    ]
    return [
        f"{found.names[true]} taken for {found.names[predicted]}: {-n:,} of "
        f"{int(found.counts[true].sum()):,} samples"
        for n, true, predicted in sorted(wrong)[:most]
    ]


def _cells(found: Confusion) -> Any:
    import numpy as np

    return np.ndenumerate(found.counts)


def of_classes(database: Database, ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return what each complete trial made of each class: a row a class, best trial first.

    Raises:
        ExportError: If no trial has kept what it predicted.
    """
    trials = ranking.trials if top is None else best_of(ranking, top)
    rows = [row for found in confusions_of(database, ranking, trials) for row in found.rows]
    if not rows:
        raise ExportError(
            f"no complete trial of {ranking.study.name} has kept what it predicted, so there is "
            "nothing to say of classes"
        )
    return table_of(ranking, rows)


def table_of(ranking: Ranking, rows: Sequence[OfClass]) -> ExportTable:
    """Return figures of classes to be exported."""
    return ExportTable.of("classes", "classes", CLASSES, rows, ranking)
