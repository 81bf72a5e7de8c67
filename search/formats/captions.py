"""What stands under the figures of a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coarsefine.search.formats.words import clean
from coarsefine.studies.reports.parts import Picture, Report

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
    """Return the captions of the figures that the report has a place for, by kind."""
    if not figures:
        return {}
    from coarsefine.search.figures.kinds import KINDS

    places = [block.kind for block in report.blocks() if isinstance(block, Picture)]
    shown = [kind for kind in dict.fromkeys(places) if kind in figures]
    return {
        kind: Caption(number, KINDS[kind].shows, clean(str(figures[kind].get_label())))
        for number, kind in enumerate(shown, start=1)
    }
