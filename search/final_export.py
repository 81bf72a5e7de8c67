"""The final test as columns: a row a tested trial of each opening of the test set."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coarsefine.search.errors import ExportError
from coarsefine.search.export import of_one_kind
from coarsefine.search.hints import command as typed

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.db.records import TestOpeningRecord
    from coarsefine.studies.results.ranking import Ranking


def openings(database: "Database", ranking: "Ranking") -> "list[TestOpeningRecord]":
    """Return the openings of the test set, the earliest first.

    Raises:
        ExportError: If there is none yet.
    """
    from coarsefine.db import repository

    name = ranking.study.name
    found = repository.openings(database, ranking.study)
    if not found:
        raise ExportError(f"{name} has no final test; run\n    {typed('test', name)}")
    return found


def exact(
    database: "Database",
    ranking: "Ranking",
    opened: "Sequence[TestOpeningRecord]",
    top: int | None = None,
) -> dict[str, list[Any]]:
    """Return columns of a value a test run; their names are in ``docs/tables.md``.

    Args:
        database: That holds the study.
        ranking: Of the study.
        opened: Its openings of the test set.
        top: Only so many trials of each opening, the best in validation.
    """
    from coarsefine.db import repository
    from coarsefine.studies.results.notes.marks import is_hand_picked
    from coarsefine.studies.results.statistics import wilson

    study = ranking.study
    numbers = {
        row.id: row.position if row.number is None else row.number
        for row in repository.trial_rows(database, study)
    }
    runs = [
        (number, opening, run)
        for number, opening in enumerate(opened, 1)
        for run in opening.runs[:top]
    ]
    names = dict.fromkeys(name for _, _, run in runs for name in run.params)
    found: dict[str, list[Any]] = defaultdict(list)
    for number, opening, run in runs:
        accuracy = run.test_accuracy
        ends = (None, None) if accuracy is None else wilson(accuracy, opening.n_test)
        row = {
            "study": study.name,
            "data": study.data_name,
            "seed": study.seed,
            "opening": number,
            "opened_at": opening.opened_at.isoformat(timespec="seconds"),
            "refit": opening.refit,
            "hand_picked": is_hand_picked(opening),
            "rank": run.rank,
            "stage": run.stage,
            "trial": None if run.trial_id is None else numbers.get(run.trial_id),
            **{name: run.params.get(name) for name in names},
            "validation_accuracy": run.validation_accuracy,
            "final_validation_accuracy": run.final_validation_accuracy,
            "test_accuracy": accuracy,
            "interval_low": ends[0],
            "interval_high": ends[1],
            "test_loss": run.test_loss,
            "test_samples": opening.n_test,
            "trained_epochs": run.epochs,
            "seconds": run.seconds,
        }
        for name, value in row.items():
            found[name].append(value)
    return {
        name: of_one_kind(values) if name in names else values for name, values in found.items()
    }


def legend(opened: "Sequence[TestOpeningRecord]", ranking: "Ranking") -> tuple[str, ...]:
    """Return what the figures of the final test must not be read without, a sentence each."""
    from coarsefine.search.words import counted
    from coarsefine.studies.results.notes.final_training import final_notes

    sizes = sorted({opening.n_test for opening in opened})
    samples = " or ".join(counted(n, "test sample") for n in sizes)
    notes = [note for opening in opened for note in final_notes(ranking.study, opening)]
    return (
        f"95 % intervals: of {samples}; opened {counted(len(opened), 'time')} for this study",
        *dict.fromkeys(notes),
    )
