"""The curves of a study's trials."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from coarsefine.search.figures import curves

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no curves, if so."""
    return None if subject.chosen() else "curves needs a complete trial, or the name of another one"


def drawn(subject: "Subject") -> Figure:
    """Return the curves of some trials."""
    from coarsefine.studies.results.curves.runs import read_curves

    trained = read_curves(subject.database, subject.ranking, subject.chosen())
    return curves.curves(subject.ranking, trained, subject.against)
