"""What stands under the figures of a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coarsefine.search.figures.kinds import KINDS
from coarsefine.search.formats.words import clean
from coarsefine.studies.reports.parts import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands under a figure, which says itself whose it is.

    Attributes:
        number: From 1, in the order of the report.
        shows: A few words.
        spoken: What the figure says, for those who cannot see it.
    """

    number: int
    shows: str
    spoken: str


def numbered(report: Report, figures: "Mapping[str, Figure]") -> dict[str, Caption]:
    """Return the captions of the figures that the report has a place for, by the place's name."""
    if not figures:
        return {}
    shown = [place for place in report.pictures() if place.name in figures]
    found = {}
    for number, place in enumerate(shown, start=1):
        kind = KINDS[place.kind].shows if place.kind in KINDS else ""
        words = ": ".join(filter(None, (kind, clean(place.of))))
        found[place.name] = Caption(number, words, clean(str(figures[place.name].get_label())))
    return found
