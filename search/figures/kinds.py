"""The kinds of figures: help, completion, ``plot``, reports and the dashboard follow this list.

It is read without matplotlib: the file of a figure is imported when one is drawn.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from coarsefine.hints import Message
from coarsefine.search.errors import FigureError, Lack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from coarsefine.search.figures.subject import Subject

_STUDY: Final = frozenset({"study"})
_EITHER: Final = frozenset({"study", "trial"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: What it is called on the command line, and its file.
        shows: What it shows, in a few words.
        module: Its file in this folder, with two functions of a ``Subject``: ``lacks`` returns
            what a study lacks for it, or ``None`` if the figure can be drawn, and is cheap: the
            dashboard asks it of every trial of a page. ``drawn`` returns the figure, or raises a
            FigureError that says what the study lacks.
        takes: Options of ``plot`` that change it.
        n_best: How many of the best trials it shows unless others are named.
        in_report: Whether reports show it among the figures of the whole search.
        in_dashboard: On which pages of the dashboard it stands: of a ``study``, of a ``trial``.
    """

    name: str
    shows: str
    module: str
    takes: tuple[str, ...] = ()
    n_best: int = 1
    in_report: bool = False
    in_dashboard: frozenset[str] = frozenset()

    def lacks(self, subject: "Subject") -> Lack:
        """Return what a study lacks for it, or ``None`` if the figure can be drawn."""
        lacking: Lack = self._file().lacks(self._of(subject))
        return lacking

    def draw(self, subject: "Subject") -> "Figure":
        """Return the figure, or raise a FigureError that says what the study lacks."""
        figure: Figure = self._file().drawn(self._of(subject))
        return figure

    def _file(self) -> Any:
        return import_module(f"coarsefine.search.figures.{self.module}")

    def _of(self, subject: "Subject") -> "Subject":
        return subject if subject.n_best else replace(subject, n_best=self.n_best)


def drawn(
    subject: "Subject", kinds: "Iterable[Kind] | None" = None
) -> "tuple[dict[str, Figure], dict[str, Message]]":
    """Return the figures that suit a study by kind, and why others were left out.

    Args:
        subject: What is drawn.
        kinds: Those to try; all unless named.
    """
    figures: dict[str, Figure] = {}
    left_out: dict[str, Message] = {}
    for kind in KINDS.values() if kinds is None else kinds:
        try:
            figures[kind.name] = kind.draw(subject)
        except FigureError as error:
            left_out[kind.name] = error.message
    return figures, left_out


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "curves",
            "accuracy, loss, cost and η by epoch",
            "trained",
            takes=("--trial", "--best", "--against"),
            n_best=3,
            in_dashboard=_EITHER,
        ),
        Kind(
            "final-curves",
            "the same of the final training",
            "final_curves",
            takes=("--against",),
        ),
        Kind(
            "values",
            "the searched numbers against what trials are ranked by",
            "values",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "heatmap",
            "what trials are ranked by over two searched numbers",
            "heatmap",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "contour",
            "what trials are ranked by over each two of the searched numbers",
            "contour",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "sizes",
            "what trials are ranked by, by the number of training samples",
            "sizes",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "bars",
            "what choices are ranked by, with the updates they took",
            "bars",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "trade-off",
            "what trials are ranked by against time, by batch size",
            "trade_off",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "race",
            "how far values are behind the best, seed by seed",
            "race",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "isolation",
            "the best over all other parameters, by each parameter",
            "isolation",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "parallel",
            "what each trial had of each parameter, and its score",
            "parallel",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "importance",
            "what explains the differences in what trials are ranked by",
            "importance",
            in_report=True,
            in_dashboard=_STUDY,
        ),
        Kind(
            "norms",
            "the size of the weights by epoch, and against what was searched",
            "norms",
            in_report=True,
        ),
        Kind(
            "within",
            "loss and accuracy at each evaluation within epochs",
            "within",
            takes=("--trial", "--best"),
        ),
        Kind(
            "weights",
            "the first layer's weights as images",
            "weights",
            takes=("--trial", "--best"),
            in_dashboard=_EITHER,
        ),
        Kind(
            "certainty",
            "the probability given to the true class, right and wrong",
            "certainty",
            takes=("--trial", "--best"),
            n_best=3,
        ),
        Kind(
            "range-test",
            "loss and accuracy while η rises",
            "range_test",
        ),
        Kind(
            "gradients",
            "errors of the gradients, by parameter",
            "gradients",
        ),
        Kind(
            "confusion",
            "the confusion matrix of the latest final test, or on the validation samples",
            "confused",
            takes=("--trial", "--on"),
            in_dashboard=_EITHER,
        ),
        Kind(
            "replay",
            "what sloppier protocols would have concluded",
            "replay",
        ),
    )
}
"""By name, in the order in which pages have them."""

OF_SEARCHES: Final = tuple(kind.name for kind in KINDS.values() if kind.in_report)
"""The figures of a whole search in reports; each has a place where the search suits it."""


def taking(option: str) -> tuple[str, ...]:
    """Return the kinds that an option of ``plot`` changes.

    >>> taking("--on")
    ('confusion',)
    """
    return tuple(kind.name for kind in KINDS.values() if option in kind.takes)
