"""The curves of the trials that were trained once more for a final test."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from coarsefine.search.errors import require
from coarsefine.search.figures import curves

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject


def lacks(subject: "Subject") -> str | None:
    """Return why nothing was trained for a study's final test, if so."""
    opening = subject.latest_opening()
    if opening is None or opening.stage is None or subject.ranking.study.recipe.get("trainer"):
        return "final-curves needs a final test that trained once more (refit train+validation)"
    return None


def drawn(subject: "Subject") -> Figure:
    """Return the curves of the trials that were trained for the latest final test."""
    from coarsefine.studies.results.curves.runs import read_final_curves

    require(lacks(subject))
    trained = read_final_curves(subject.database, subject.ranking)
    return curves.curves(subject.ranking, trained, subject.against, final=True)
