"""How large the weights become: ‖W‖ as training goes on, and against a searched number."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coarsefine.search.errors import require
from coarsefine.search.figures.scales import set_log, set_scale
from coarsefine.search.figures.style import LIGHT, house_style, light_grid, mark, new_sheet
from coarsefine.search.figures.trials import (
    axis_label,
    described,
    entry,
    measured,
    no_complete_trial,
    numeric_parameters,
    scale_of,
)

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.curves.runs import TrialCurves
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

_WORDS: Final = "‖W‖ = √(Σ W²)"
_MOST_LINES: Final = 6
# Beyond this factor differences are seen on a logarithmic axis alone.
_WIDE: Final = 20.0


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    trainer = subject.ranking.study.recipe.get("trainer")
    if trainer:
        return f"norms are of this program's networks; {trainer} trains this study"
    return no_complete_trial("norms", subject.ranking)


def drawn(subject: "Subject") -> Figure:
    """Return ‖W‖ by epoch of some trials, and of all against the number that was searched."""
    from coarsefine.studies.results.curves.runs import read_curves

    require(lacks(subject))
    ranking = subject.ranking
    complete = measured(ranking)
    searched = numeric_parameters(ranking)
    name = searched[0] if len(searched) == 1 else None
    chosen = subject.trials or _spread(complete, name)
    every = read_curves(subject.database, ranking, complete if name else chosen)
    known = [each for each in every if _norm(each, -1) is not None]
    require(None if known else "norms needs curves with Σ W²; those of this study are older")
    lines = [each for each in known if each.trial in chosen]
    with house_style():
        heights = [2.0, 1.9] if name else [2.2]
        sheet = new_sheet(ranking.study, "size of the weights", heights=heights, share_x=False)
        _by_epoch(sheet.first, lines)
        if name:
            _by_value(sheet.panels[1], ranking, name, known)
        legend = [
            entry(mark(i).shape, mark(i).colour, described(ranking, each.trial))
            for i, each in enumerate(lines)
        ]
        several = any(len(each.replicates) > 1 for each in known)
        notes = (
            "over the weights of all layers; biases are not counted",
            "means over the replicates" if several else "",
        )
        return sheet.finished(legend, notes)


def _spread(complete: "Sequence[RankedTrial]", name: str | None) -> "tuple[RankedTrial, ...]":
    """Return the trials whose curves are drawn: over the whole range of a number, or the best."""
    if name is None or len(complete) <= _MOST_LINES:
        return tuple(complete[:_MOST_LINES])
    ordered = sorted(complete, key=lambda trial: float(trial.params[name]))
    last = len(ordered) - 1
    return tuple(ordered[round(i * last / (_MOST_LINES - 1))] for i in range(_MOST_LINES))


def _norm(each: "TrialCurves", epoch: int) -> float | None:
    """Return the mean of ‖W‖ over the seeds after an epoch; -1 is the last."""
    squares = [curve[epoch].squared_weights for curve in each.replicates]
    known = [math.sqrt(square) for square in squares if square is not None]
    return fmean(known) if len(known) == len(squares) else None


def _by_epoch(panel: Axes, lines: "Sequence[TrialCurves]") -> None:
    light_grid(panel)
    panel.set_ylabel(_WORDS)
    panel.set_xlabel("epochs")
    drawn: list[float] = []
    for position, each in enumerate(lines):
        n = min(map(len, each.replicates))
        points = [(each.replicates[0][i].epoch, _norm(each, i)) for i in range(n)]
        shown = [(epoch, norm) for epoch, norm in points if norm is not None]
        own = mark(position)
        panel.plot(
            [epoch for epoch, _ in shown],
            [norm for _, norm in shown],
            color=own.colour,
            marker=own.shape,
            markersize=4,
            markevery=max(1, len(shown) // 9),
            gid=f"norm-{position}",
        )
        drawn += [norm for _, norm in shown]
    _fit(panel, drawn)
    panel.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _by_value(panel: Axes, ranking: "Ranking", name: str, known: "Sequence[TrialCurves]") -> None:
    scale = scale_of(ranking, name)
    set_scale(panel, scale)
    light_grid(panel)
    panel.set_xlabel(axis_label(ranking, name, scale))
    panel.set_ylabel("‖W‖ in the end")
    points = sorted(
        (scale.place(float(each.trial.params[name])), norm)
        for each in known
        if (norm := _norm(each, -1)) is not None
    )
    places, norms = [place for place, _ in points], [norm for _, norm in points]
    panel.plot(places, norms, color=LIGHT, linewidth=0.9, zorder=1)
    panel.plot(places, norms, "o", color=mark(0).colour, markersize=4, gid="norms")
    _fit(panel, norms)


def _fit(panel: Axes, norms: Sequence[float]) -> None:
    positive = [norm for norm in norms if norm > 0]
    if positive and max(positive) > _WIDE * min(positive):
        set_log(panel, min(positive) / 1.2, max(positive) * 1.2)
    else:
        panel.set_ylim(0, 1.08 * max(norms) or 1)
