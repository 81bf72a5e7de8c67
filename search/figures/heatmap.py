"""What trials are ranked by over two searched numbers: cells of grids, dots of samplers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from coarsefine.search.errors import require
from coarsefine.search.figures.colours import Colours, colours_of
from coarsefine.search.figures.scales import Scale, set_scale
from coarsefine.search.figures.style import (
    BLACK,
    GREY,
    LIGHT,
    TICKS,
    Mark,
    house_style,
    new_sheet,
    plain,
)
from coarsefine.search.figures.trials import (
    ENDS,
    MANY,
    axis_label,
    best_words,
    draw_best,
    entry,
    measured,
    no_complete_trial,
    numeric_parameters,
    scale_of,
    score_label,
    stage_marks,
    star_entry,
    unfinished_note,
)
from coarsefine.search.words import counted

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

# A stage is drawn as cells if so many of the crossings of its values were tried.
_FILLED: Final = 0.5
_FEWEST: Final = 2
_MOST_WORDS: Final = 64
# Of cells without a result: no light grey, which print makes of the best.
_NOTHING: Final = "#C8C8C8"
# Below this share of the colours, words are white.
_DARK: Final = 0.55

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell on the axes, and the trial that is its colour."""

    left: float
    bottom: float
    right: float
    top: float
    trial: "RankedTrial"

    def corners(self) -> list[Place]:
        """Return its corners, one after the other."""
        return [
            (self.left, self.bottom),
            (self.right, self.bottom),
            (self.right, self.top),
            (self.left, self.top),
        ]

    def holds(self, place: Place) -> bool:
        """Return whether a place lies inside."""
        return self.left <= place[0] <= self.right and self.bottom <= place[1] <= self.top


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    two = all(len(trial.params) == 2 for trial in ranking.trials)
    if not two or len(numeric_parameters(ranking)) != 2:
        return f"heatmap needs a search over two numbers, this one is over {ranking.over}"
    return no_complete_trial("heatmap", ranking)


def drawn(subject: "Subject") -> Figure:
    """Return what trials are ranked by over the two numbers that were searched.

    Stages that tried all crossings of some values are drawn as cells, others as dots; later
    stages lie above those they refine.

    Raises:
        FigureError: If the study lacks something for it.
    """
    require(lacks(subject))
    ranking = subject.ranking
    trials = measured(ranking)
    x, y = numeric_parameters(ranking)
    scales = scale_of(ranking, x), scale_of(ranking, y)
    colours = colours_of(ranking)
    with house_style():
        what = f"{plain(ranking.metric.words)} by {ranking.symbol(x)} and {ranking.symbol(y)}"
        sheet = new_sheet(ranking.study, what, heights=[3.3])
        panel = sheet.first
        for name, scale, axis in zip((x, y), scales, ("x", "y"), strict=True):
            set_scale(panel, scale, axis)
            (panel.set_xlabel if axis == "x" else panel.set_ylabel)(
                axis_label(ranking, name, scale)
            )
        entries: list[Artist] = [star_entry(best_words(ranking, trials[0]))]
        cells = [_cells(ranking, stage.name, (x, y), scales) for stage in ranking.stages]
        for position, (stage, mark) in enumerate(stage_marks(ranking).items()):
            own = [trial for trial in ranking.trials if trial.stage == stage]
            these, outlined = cells[position], position > 0
            later = [cell for others in cells[position + 1 :] for cell in others]
            if these:
                _draw_cells(panel, these, scales, colours, later, stage, outlined=outlined)
            else:
                _draw_dots(panel, own, (x, y), scales, colours, mark, stage)
            entries.append(_stage_entry(stage, mark, own, as_cells=bool(these), outlined=outlined))
        _fit(panel, scales, [cell for these in cells for cell in these])
        draw_best(panel, *_place(trials[0], (x, y), scales))
        bar = sheet.figure.colorbar(
            ScalarMappable(colours.norm, colours.map),
            ax=panel,
            extend=colours.extend,
            pad=0.02,
            fraction=0.06,
        )
        bar.set_label(score_label(ranking))
        bar.ax.tick_params(**TICKS)
        return sheet.finished(
            [*entries, *_end_entries(ranking)],
            (
                _tie_note(ranking, cells),
                colours.note,
                "white cells have no result" if any(map(_is_wordless, cells)) else "",
                unfinished_note(ranking),
            ),
        )


def _tie_note(ranking: "Ranking", cells: Sequence[Sequence["_Cell"]]) -> str:
    if not any(trial.tied for trial in ranking.trials):
        return ""
    marks = ["="] if any(0 < len(these) <= _MOST_WORDS for these in cells) else []
    marks += ["black edge"] if not all(cells) else []
    return f"{' or '.join(marks)}: tied with the best" if marks else ""


def _is_wordless(cells: Sequence["_Cell"]) -> bool:
    """Return whether cells are too many to say in each of them why it has no colour."""
    return len(cells) > _MOST_WORDS and any(cell.trial.rank is None for cell in cells)


# ---------------------------------------------------------------------------------------- cells


def _cells(
    ranking: "Ranking", stage: str, names: tuple[str, str], scales: tuple[Scale, Scale]
) -> list[_Cell]:
    """Return a stage's cells; none if what it tried is no grid.

    What another stage had tried before is part of the grid.
    """
    tried: dict[tuple[str, str], RankedTrial] = {}
    lines: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for trial in ranking.trials:
        place = _place(trial, names, scales)
        # The first in the ranking stands for a place that was tried twice.
        tried.setdefault((_key(place[0]), _key(place[1])), trial)
        if trial.stage == stage:
            for line, at in zip(lines, place, strict=True):
                line[_key(at)] = at
    across, up = (sorted(line.values()) for line in lines)
    n_crossings = len(across) * len(up)
    # A sampler's ten thousand trials have a hundred million crossings: they are not looked for.
    if min(len(across), len(up)) < _FEWEST or len(tried) < _FILLED * n_crossings:
        return []
    left, bottom = _edges(across, scales[0]), _edges(up, scales[1])
    found = [
        _Cell(left[i], bottom[j], left[i + 1], bottom[j + 1], there)
        for i, a in enumerate(across)
        for j, b in enumerate(up)
        if (there := tried.get((_key(a), _key(b)))) is not None
    ]
    return found if len(found) >= _FILLED * n_crossings else []


def _place(trial: "RankedTrial", names: tuple[str, str], scales: tuple[Scale, Scale]) -> Place:
    x, y = (
        scale.place(float(trial.params[name])) for name, scale in zip(names, scales, strict=True)
    )
    return x, y


def _key(place: float) -> str:
    # Up to rounding: a fine grid's lines are computed anew.
    return f"{place:.9g}"


def _edges(line: Sequence[float], scale: Scale) -> list[float]:
    """Return the edges of cells around some places: half-way, as it is seen on the axis."""
    if not scale.log:
        halves = [(a + b) / 2 for a, b in pairwise(line)]
        return [2 * line[0] - halves[0], *halves, 2 * line[-1] - halves[-1]]
    halves = [math.sqrt(a * b) for a, b in pairwise(line)]
    return [line[0] ** 2 / halves[0], *halves, line[-1] ** 2 / halves[-1]]


def _middle(low: float, high: float, scale: Scale) -> float:
    return math.sqrt(low * high) if scale.log else (low + high) / 2


def _draw_cells(
    panel: Axes,
    cells: Sequence[_Cell],
    scales: tuple[Scale, Scale],
    colours: Colours,
    later: Sequence[_Cell],
    stage: str,
    *,
    outlined: bool,
) -> None:
    """Draw a stage's cells, with their scores unless later ones lie on them."""
    known = [cell for cell in cells if colours.value(cell.trial) is not None]
    unknown = [cell for cell in cells if colours.value(cell.trial) is None]
    values = [colours.value(cell.trial) or 0.0 for cell in known]
    many = len(cells) > MANY
    for these, gid, style in (
        (known, f"{stage}-cells", {"facecolors": [colours.of(v) for v in values]}),
        (unknown, f"{stage}-without", {"facecolors": "white", "hatch": "////"}),
    ):
        edge = "white" if these is known else _NOTHING
        panel.add_collection(
            PolyCollection(
                [cell.corners() for cell in these],
                # Many cells touch each other: edges would cover them.
                edgecolors="face" if many else edge,
                linewidths=0.2 if many else 0.6,
                rasterized=many,
                gid=gid,
                **style,
            ),
            autolim=False,
        )
    if outlined:
        left, right = min(c.left for c in cells), max(c.right for c in cells)
        bottom, top = min(c.bottom for c in cells), max(c.top for c in cells)
        panel.add_patch(
            Rectangle(
                (left, bottom),
                right - left,
                top - bottom,
                fill=False,
                edgecolor=BLACK,
                linewidth=1.2,
                gid=f"{stage}-window",
            )
        )
    if len(cells) > _MOST_WORDS:
        return
    digits = 1 if colours.ranking.metric.share else 3
    for cell in cells:
        middle = (
            _middle(cell.left, cell.right, scales[0]),
            _middle(cell.bottom, cell.top, scales[1]),
        )
        if any(other.holds(middle) for other in later) or cell.trial.rank == 1:
            continue
        shown = colours.value(cell.trial)
        words = "×" if shown is None else f"{shown:.{digits}f}"
        if cell.trial.state == "pruned":
            words = "|"
        # White on dark, black on light.
        dark = shown is not None and colours.light(shown) < _DARK
        panel.text(
            *middle,
            f"{words}{'=' if cell.trial.tied else ''}",
            ha="center",
            va="center",
            size=5.5,
            color="white" if dark else BLACK,
            gid="score",
        )


# ----------------------------------------------------------------------------------------- dots


def _draw_dots(
    panel: Axes,
    trials: "Sequence[RankedTrial]",
    names: tuple[str, str],
    scales: tuple[Scale, Scale],
    colours: Colours,
    mark: Mark,
    stage: str,
) -> None:
    many = len(trials) > MANY
    # The best lie on top.
    known = [trial for trial in reversed(trials) if colours.value(trial) is not None]
    places = [_place(trial, names, scales) for trial in known]
    panel.scatter(
        [place[0] for place in places],
        [place[1] for place in places],
        c=[colours.value(trial) or 0.0 for trial in known],
        cmap=colours.map,
        norm=colours.norm,
        s=9 if many else 34,
        marker=mark.shape,
        edgecolors=[BLACK if trial.tied else LIGHT for trial in known],
        linewidths=[(0.3 if many else 0.9) if t.tied else (0.0 if many else 0.4) for t in known],
        rasterized=many,
        zorder=3,
        gid=f"{stage}-dots",
    )
    for state, (shape, _) in ENDS.items():
        ended = [_place(t, names, scales) for t in trials if t.state == state]
        if ended:
            panel.scatter(
                [place[0] for place in ended],
                [place[1] for place in ended],
                s=4 if many else 24,
                marker=shape,
                c=BLACK,
                linewidths=0.4 if many else 0.9,
                zorder=3,
                gid=f"{stage}-{state}",
            )


# ---------------------------------------------------------------------------------------- words


def _fit(panel: Axes, scales: tuple[Scale, Scale], cells: Sequence[_Cell]) -> None:
    """Let the axes end with the cells, or beyond the outermost dots."""
    if not cells:
        return
    for axis, ends in (
        (0, (min(c.left for c in cells), max(c.right for c in cells))),
        (1, (min(c.bottom for c in cells), max(c.top for c in cells))),
    ):
        low, high = scales[axis].low, scales[axis].high
        low = low if scales[axis].zero is None else scales[axis].place(0)
        limits = min(ends[0], low), max(ends[1], high)
        (panel.set_ylim if axis else panel.set_xlim)(*limits)


def _stage_entry(
    stage: str, mark: Mark, trials: "Sequence[RankedTrial]", *, as_cells: bool, outlined: bool
) -> Artist:
    words = f"{stage}: {counted(len(trials), 'trial')}"
    if as_cells:
        edge = BLACK if outlined else LIGHT
        return Patch(facecolor="none", edgecolor=edge, linewidth=1.2, label=f"{words} (cells)")
    return entry(mark.shape, GREY, words, face="none")


def _end_entries(ranking: "Ranking") -> list[Line2D]:
    counts = {state: sum(t.state == state for t in ranking.trials) for state in ENDS}
    return [
        entry(shape, BLACK, f"{words} ({counts[state]:,})")
        for state, (shape, words) in ENDS.items()
        if counts[state]
    ]
