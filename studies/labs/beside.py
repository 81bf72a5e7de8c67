"""A lab's own figures beside those of its studies here: the same for a terminal and a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coarsefine.db.records import TestOpeningRecord
from coarsefine.studies.results.comparing.grids import Compared
from coarsefine.studies.spaces.dimensions import shown

HEADINGS = {
    "running_accuracy": "running training accuracy %",
    "train_accuracy": "training accuracy %",
    "validation_accuracy": "validation accuracy %",
    "test_accuracy": "test accuracy %",
    "best_accuracy": "best validation accuracy %",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """Figures of a lab and ours, by their names as lab files have them.

    Attributes:
        at: The value or variant that they are of.
        lab: Accuracies in [0, 1], seconds and others.
        here: The same; ``None`` where there is none.
    """

    at: str
    lab: Mapping[str, float]
    here: Mapping[str, float | None]


def beside(
    figures: Mapping[str, Mapping[str, float]],
    rows: Iterable[Compared],
    tested: Mapping[str, float],
) -> tuple[list[str], list[Beside]]:
    """Return the names of a lab's figures, and a row for each value that they are of.

    Args:
        figures: The lab's, by value or variant, then by name.
        rows: The trials.
        tested: Test accuracy by value or variant, in [0, 1].
    """
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    by_value = {_point(row.trial.params): row for row in rows}

    def here(at: str, name: str) -> float | None:
        if name == "test_accuracy":
            return tested.get(at)
        return None if at not in by_value else _measured(by_value[at], name)

    return names, [Beside(at, own, {n: here(at, n) for n in names}) for at, own in figures.items()]


def tested_at(openings: Sequence[TestOpeningRecord]) -> dict[str, float]:
    """Return the test accuracies of the latest final test, by value or variant."""
    measured = [opening for opening in openings if opening.runs]
    runs = measured[-1].runs if measured else ()
    return {_point(r.params): r.test_accuracy for r in runs if r.test_accuracy is not None}


def heading(name: str) -> str:
    """Return what stands above a figure."""
    return HEADINGS.get(name, name.replace("_", " "))


def _point(params: Mapping[str, object]) -> str:
    return ", ".join(map(shown, params.values()))


def _measured(row: Compared, name: str) -> float | None:
    own = {
        "validation_accuracy": row.trial.validation_accuracy,
        "train_accuracy": row.trial.train_accuracy,
    }
    return own[name] if name in own else getattr(row, name, None)
