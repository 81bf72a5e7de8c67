"""What makes the figures of a final test worth less than they look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.leaks import (
    above_ceiling,
    same_to_all_digits,
    surprisingly_same,
)
from coarsefine.studies.results.notes.note import Note, counted, points

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord, TestOpeningRecord

HAND_PICKED = "hand-picked"
"""Begins the note of an opening for trials that the ranking did not choose."""


def is_hand_picked(opening: "TestOpeningRecord") -> bool:
    """Return whether its trials were picked by hand."""
    return opening.note.startswith(HAND_PICKED)


def on_test(
    study: "StudyRecord",
    opening: "TestOpeningRecord",
    n_before: int,
    others: Sequence[tuple[str, int]],
) -> tuple[Note, ...]:
    """Return what makes the figures of an opening worth less than they look, a note each.

    Args:
        study: Whose trials were tested.
        opening: What came of it.
        n_before: Earlier openings for this study.
        others: Other studies for which the same test set was opened, and how often.
    """
    found = []
    if n_before:
        line = f"the test set had been opened {counted(n_before, 'time')} before for this study"
        advice = "; whoever chooses by what it said needs another test set"
        found.append(Note("opened-before", line, advice))
    if others:
        listed = " and ".join(f"{counted(n, 'time')} for {name}" for name, n in others)
        line = (
            f"the same test set was opened {listed}: it is no longer unseen where one study "
            "learns from another"
        )
        found.append(Note("opened-by-others", line))
    if is_hand_picked(opening):
        ranks = " and ".join(str(run.rank) for run in opening.runs)
        line = (
            f"{HAND_PICKED}, rank {ranks}: the ranking by validation accuracy did not choose "
            "what was tested"
        )
        found.append(Note("hand-picked", line, "; say so where you report it"))
    for run in opening.runs:
        test = run.test_accuracy
        if test is None:
            continue
        n_classes = study.data.get("n_classes")
        # How many samples the final training has kept is not on record.
        validation = (
            (run.validation_accuracy, study.data.get("n_validation")),
            (run.final_validation_accuracy, None),
        )
        if any(
            same_to_all_digits(accuracy, test, n_classes)
            and surprisingly_same(test, opening.n_test, n_samples)
            for accuracy, n_samples in validation
        ):
            line = (
                f"rank {run.rank}: test and validation accuracy are the same to all digits, "
                f"{points(test)} %"
            )
            found.append(Note("same-digits", line, ": suspect a leak, or a copy"))
        found += above_ceiling(study, "test", test, opening.n_test)
    return tuple(found)
