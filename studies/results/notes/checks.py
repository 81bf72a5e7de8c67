"""The checks of a ranking that need nothing but the ranking."""

from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.budget import on_budget
from coarsefine.studies.results.notes.leaks import on_leaks
from coarsefine.studies.results.notes.learnt import on_learning
from coarsefine.studies.results.notes.marks import on_metric, on_ties
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.notes.planning import on_needed
from coarsefine.studies.results.notes.ranges import on_range

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import Ranking

# In the order in which their notes are shown.
CHECKS = (on_metric, on_learning, on_range, on_ties, on_needed, on_leaks, on_budget)


def ranking_notes(ranking: "Ranking") -> tuple[Note, ...]:
    """Return what a ranking alone does not show, such as a best value on the edge."""
    return tuple(note for check in CHECKS for note in check(ranking))
