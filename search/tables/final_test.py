"""Final tests: in a terminal, and for exports."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import StudyRecord, TestOpeningRecord
from coarsefine.search.errors import ExportError
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import spelled
from coarsefine.search.tables.column import TextColumn, fitting, text_columns
from coarsefine.search.tables.table import ExportTable, usual_columns
from coarsefine.search.words import counted
from coarsefine.studies.results.column import exact_cells
from coarsefine.studies.results.notes.test_set import HAND_PICKED, is_hand_picked
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.statistics import wilson
from coarsefine.studies.results.tested import FINAL_TEST, of_opening, trials_of_openings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.running.final_test import FinalTest


def test_table(console: "Console", study: StudyRecord, opening: TestOpeningRecord) -> "Table":
    """Return what the tested trials reached on the test set."""
    rows = of_opening(opening)
    columns = text_columns(FINAL_TEST, rows)
    if is_hand_picked(opening):
        columns.append(
            TextColumn("chosen", lambda r: f"{HAND_PICKED}, rank {r.run.rank}", right=False)
        )
    title = f"{study.name}: {counted(opening.n_test, 'test sample')}, refit {opening.refit}"
    return fitting(console, title, columns, rows)


def of_test(database: Database, ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return what the final test found: a row a tested trial of each opening of the test set.

    Raises:
        ExportError: If the test set was not opened yet.
    """
    study = ranking.study
    openings = repository.openings(database, study)
    if not openings:
        raise ExportError(f"{study.name} has no final test; run\n    {typed('test', study.name)}")
    rows = trials_of_openings(database, study, openings, top)
    cells, columns = exact_cells(FINAL_TEST, rows, ranking)
    searched = tuple(dict.fromkeys(name for row in rows for name in row.params))
    return ExportTable(
        name="test",
        rows="test runs",
        cells=cells,
        columns=columns,
        usual=usual_columns(FINAL_TEST, rows, searched),
        legend=partial(_legend, openings, ranking),
    )


def _legend(openings: Sequence[TestOpeningRecord], ranking: Ranking) -> tuple[str, ...]:
    """Return what the figures of the final test must not be read without, a sentence each."""
    from coarsefine.studies.results.notes.final_training import final_notes

    sizes = sorted({opening.n_test for opening in openings})
    samples = " or ".join(counted(n, "test sample") for n in sizes)
    notes = [note for opening in openings for note in final_notes(ranking.study, opening)]
    return (
        f"95 % intervals: of {samples}; opened {counted(len(openings), 'time')} for this study",
        *dict.fromkeys(map(spelled, notes)),
    )


def final_test_json(result: "FinalTest") -> dict[str, Any]:
    """Return what ``test --json`` prints: a stable contract, see ``docs/cli.md``."""
    from coarsefine.studies.results.notes.final_training import final_notes

    opening = result.opening
    return {
        "study": result.study.name,
        "data": result.study.data_name,
        "opened": result.n_openings,
        "opened_by_others": [{"study": name, "times": n} for name, n in result.others],
        "test_samples": opening.n_test,
        "note": opening.note,
        "trials": [
            {
                "rank": run.rank,
                "stage": run.stage,
                "params": run.params,
                "validation_accuracy": run.validation_accuracy,
                "test_accuracy": run.test_accuracy,
                "test_loss": run.test_loss,
                "refit": opening.refit,
                "interval": None
                if run.test_accuracy is None
                else list(wilson(run.test_accuracy, opening.n_test)),
                "hand_picked": is_hand_picked(opening),
            }
            for run in opening.runs
        ],
        "notes": [spelled(note) for note in (*final_notes(result.study, opening), *result.notes)],
    }
