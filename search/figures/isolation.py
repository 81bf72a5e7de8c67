"""Isolation plots: for each value of one parameter, the best over all the others.

Where trials have all different values, as sampled ones do, a slice of the axis takes the place of a
value. What is flat along the slices matters little, however much trials with other settings differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coarsefine.search.errors import require
from coarsefine.search.figures.scales import Scale, set_scale
from coarsefine.search.figures.style import GREY, LIGHT, house_style, light_grid, new_sheet, plain
from coarsefine.search.figures.trials import (
    axis_label,
    best_words,
    draw_best,
    draw_intervals,
    draw_points,
    entry,
    having,
    interval_note,
    measured,
    numeric_parameters,
    scale_of,
    score_label,
    scores,
    stage_marks,
    star_entry,
    tie_entries,
    unfinished_note,
    unit,
)
from coarsefine.search.words import value

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

_FEWEST: Final = 6
# Up to so many different values are slices of their own; more are put into so many.
_MOST_VALUES, _LEAST_SLICES = 10, 4
# A panel goes on by this part of what it shows, above and below.
_ROOM: Final = 0.06


@dataclass(frozen=True, slots=True)
class Slices:
    """The trials of one parameter, slice by slice.

    Attributes:
        places: Where each trial lies on the axis, best trial first.
        trials: In the same order.
        best: The positions of the best trial of each slice.
        edges: Between slices; none where each value is one.
    """

    places: list[float]
    trials: "list[RankedTrial]"
    best: list[int]
    edges: list[float]


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if len(ranking.searched) < 2:
        return f"isolation needs a search over two parameters or more, this is over {ranking.over}"
    if not numeric_parameters(ranking):
        return f"isolation needs a search over a number, this one is over {ranking.over}"
    n = len(measured(ranking))
    return None if n >= _FEWEST else f"isolation needs {_FEWEST} complete trials, there are {n}"


def drawn(subject: "Subject") -> Figure:
    """Return a panel a parameter: the best of each value or slice, and all trials behind it.

    Raises:
        FigureError: If the study lacks something for it.
    """
    require(lacks(subject))
    ranking = subject.ranking
    trials, marks = measured(ranking), stage_marks(ranking)
    numbers = numeric_parameters(ranking)
    names = [n for n in ranking.searched if len({value(t.params.get(n)) for t in trials}) > 1]
    with house_style():
        sheet = new_sheet(
            ranking.study,
            f"the best {plain(ranking.metric.words)} over all other parameters, by "
            + ", ".join(ranking.symbol(name) for name in names),
            heights=[1.9] * len(names),
            share_x=False,
        )
        sliced = False
        for name, panel in zip(names, sheet.panels, strict=True):
            scale = scale_of(ranking, name) if name in numbers else None
            slices = _by_number(name, trials, scale) if scale else _by_choice(name, trials)
            sliced = sliced or bool(slices.edges)
            if scale is None:
                words = list(dict.fromkeys(value(t.params.get(name)) for t in trials))
                panel.set_xticks(range(len(words)), [plain(word) for word in words])
                panel.set_xlim(-0.5, len(words) - 0.5)
                panel.set_xlabel(plain(ranking.symbol(name)))
            else:
                set_scale(panel, scale)
                panel.set_xlabel(axis_label(ranking, name, scale))
            light_grid(panel)
            _draw(panel, slices, ranking, ordered=scale is not None)
        entries = [star_entry(best_words(ranking, trials[0]))]
        entries += [entry(mark.shape, mark.colour, stage) for stage, mark in marks.items()]
        entries.append(entry(".", GREY, "all other trials", size=4))
        per_slice = "dashed lines part the slices that the best are of" if sliced else ""
        return sheet.finished(
            [*entries, *tie_entries(ranking)],
            (
                per_slice,
                "the best of many trials is overestimated more than that of few",
                interval_note(ranking),
                unfinished_note(ranking),
            ),
        )


def slices_of(places: Sequence[float], scale: Scale) -> tuple[list[int], list[float]]:
    """Return the slice of each place, and the edges between slices.

    Args:
        places: On the axis, several different ones.
        scale: The axis.

    Returns:
        Numbers of slices, and edges in ascending order; no edges where each place is a slice.

    >>> slices_of([1.0, 2.0, 1.0], Scale(False, 1.0, 2.0))
    ([0, 1, 0], [])
    """
    different = sorted({float(f"{place:.9g}") for place in places})
    if len(different) <= _MOST_VALUES:
        return [different.index(float(f"{place:.9g}")) for place in places], []
    n = min(_MOST_VALUES, max(_LEAST_SLICES, round(math.sqrt(len(places)))))
    seen = np.log(places) if scale.log else np.asarray(places)
    edges = np.linspace(seen.min(), seen.max(), n + 1)[1:-1]
    found = np.searchsorted(edges, seen, side="right")
    return [int(each) for each in found], list(np.exp(edges) if scale.log else edges)


def _by_number(name: str, trials: "Sequence[RankedTrial]", scale: Scale) -> Slices:
    used = having(name, trials)
    places = [scale.place(float(trial.params[name])) for trial in used]
    slices, edges = slices_of(places, scale)
    return Slices(places, used, _first_of_each(slices), edges)


def _by_choice(name: str, trials: "Sequence[RankedTrial]") -> Slices:
    words = [value(trial.params.get(name)) for trial in trials]
    known = list(dict.fromkeys(words))
    slices = [known.index(word) for word in words]
    return Slices([float(each) for each in slices], list(trials), _first_of_each(slices), [])


def _first_of_each(slices: Sequence[int]) -> list[int]:
    """Return the position of the first of each slice: trials stand in the ranking's order."""
    return [slices.index(each) for each in sorted(set(slices))]


def _draw(panel: Axes, slices: Slices, ranking: "Ranking", *, ordered: bool) -> None:
    values = scores(ranking, slices.trials)
    others = [i for i in range(len(values)) if i not in set(slices.best)]
    panel.scatter(
        [slices.places[i] for i in others],
        [values[i] for i in others],
        s=5,
        color=LIGHT,
        zorder=1,
        gid="others",
    )
    for edge in slices.edges:
        panel.axvline(edge, color=LIGHT, linewidth=0.6, linestyle=(0, (3, 3)), zorder=0)
    order = sorted(slices.best, key=lambda i: slices.places[i])
    if ordered:
        panel.plot(
            [slices.places[i] for i in order],
            [values[i] for i in order],
            color=GREY,
            linewidth=0.9,
            zorder=2,
            gid="isolation",
        )
    for stage, mark in stage_marks(ranking).items():
        these = [i for i in order if slices.trials[i].stage == stage]
        at, best = [slices.places[i] for i in these], [slices.trials[i] for i in these]
        draw_intervals(panel, at, best, mark.colour, unit=unit(ranking), gid=f"{stage}-intervals")
        draw_points(panel, at, [values[i] for i in these], best, mark, stage)
    if ranking.best is not None and slices.trials[0] is ranking.best:
        draw_best(panel, slices.places[0], values[0])
    # All other trials may be far below: they have no say in what a panel shows.
    times = unit(ranking)
    ends = [values[i] for i in slices.best]
    for i in slices.best:
        ends += [times * end for end in slices.trials[i].interval or ()]
    room = max(_ROOM * (max(ends) - min(ends)), 0.002 * times)
    high = max(ends) + room
    panel.set_ylim(max(0.0, min(ends) - room), min(100.5, high) if ranking.metric.share else high)
    panel.set_ylabel(score_label(ranking))
