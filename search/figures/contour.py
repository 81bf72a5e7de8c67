"""What trials are ranked by over any two of the searched numbers: contours between the trials."""

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation

from coarsefine.search.errors import require
from coarsefine.search.figures.colours import Colours, colours_of
from coarsefine.search.figures.scales import Scale, set_scale
from coarsefine.search.figures.style import (
    BLACK,
    GREY,
    TICKS,
    house_style,
    new_sheet,
    plain,
)
from coarsefine.search.figures.trials import (
    axis_label,
    best_words,
    draw_best,
    entry,
    having,
    measured,
    numeric_parameters,
    scale_of,
    score_label,
    star_entry,
    unfinished_note,
)
from coarsefine.search.words import counted

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial

_FEWEST: Final = 6
# Of so many numbers, each two have a panel.
_MOST: Final = 4
_LEVELS: Final = 9


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if len(numeric_parameters(ranking)) < 2:
        return f"contour needs a search over two numbers or more, this one is over {ranking.over}"
    n = len(measured(ranking))
    return None if n >= _FEWEST else f"contour needs {_FEWEST} complete trials, there are {n}"


def drawn(subject: "Subject") -> Figure:
    """Return what trials are ranked by over each two of the searched numbers, a panel a pair.

    Raises:
        FigureError: If the study lacks something for it.
    """
    require(lacks(subject))
    ranking = subject.ranking
    trials, names = measured(ranking), numeric_parameters(ranking)[:_MOST]
    pairs = list(combinations(names, 2))
    colours, words = colours_of(ranking), plain(ranking.metric.words)
    symbols = [ranking.symbol(name) for name in names]
    with house_style():
        what = f"{words} by each two of {', '.join(symbols)}"
        if len(pairs) == 1:
            what = f"{words} by {symbols[0]} and {symbols[1]}, contours"
        heights = [3.0 if len(pairs) == 1 else 2.3] * len(pairs)
        sheet = new_sheet(ranking.study, what, heights=heights, share_x=False)
        for panel, pair in zip(sheet.panels, pairs, strict=True):
            scales = scale_of(ranking, pair[0]), scale_of(ranking, pair[1])
            for name, scale, axis in zip(pair, scales, ("x", "y"), strict=True):
                set_scale(panel, scale, axis)
                label = axis_label(ranking, name, scale)
                (panel.set_xlabel if axis == "x" else panel.set_ylabel)(label)
            _draw(panel, trials, pair, scales, colours)
        bar = sheet.figure.colorbar(
            ScalarMappable(colours.norm, colours.map),
            ax=list(sheet.panels),
            extend=colours.extend,
            pad=0.02,
            fraction=0.06,
        )
        bar.set_label(score_label(ranking))
        bar.ax.tick_params(**TICKS)
        others = len(ranking.searched) > 2
        n_more = len(numeric_parameters(ranking)) - len(names)
        return sheet.finished(
            [
                star_entry(best_words(ranking, trials[0])),
                entry("o", BLACK, "a trial; black edge: tied with the best", face=GREY, size=4),
            ],
            (
                "between trials, colours are interpolated",
                "of each pair, the other parameters differ from trial to trial" if others else "",
                colours.note,
                f"{counted(n_more, 'more number')} without a panel" if n_more else "",
                unfinished_note(ranking),
            ),
        )


def _draw(
    panel: Axes,
    trials: "list[RankedTrial]",
    pair: tuple[str, str],
    scales: tuple[Scale, Scale],
    colours: Colours,
) -> None:
    """Draw contours and trials; of several trials at a place, the best one stands for it."""
    best: dict[tuple[float, float], RankedTrial] = {}
    first, trials = trials[0], having(pair[0], having(pair[1], trials))
    if not trials:
        return
    for trial in trials:
        x, y = (s.place(float(trial.params[n])) for n, s in zip(pair, scales, strict=True))
        best.setdefault((x, y), trial)
    x, y = np.array(list(best)).T
    values = [colours.value(trial) or 0.0 for trial in best.values()]
    edges = [BLACK if trial.tied else "white" for trial in best.values()]
    seen = [np.log(each) if scale.log else each for each, scale in zip((x, y), scales, strict=True)]
    # Triangles follow distances as they are seen, not as they are counted.
    shape = [(each - each.min()) / (np.ptp(each) or 1.0) for each in seen]
    spread = np.linalg.matrix_rank(np.stack(shape) - np.mean(shape, axis=1, keepdims=True), 1e-6)
    if len(best) >= _FEWEST and spread == 2:
        triangles = Triangulation(shape[0], shape[1]).triangles
        levels = np.linspace(
            float(colours.norm.vmin or 0), float(colours.norm.vmax or 1), _LEVELS + 1
        )
        panel.tricontourf(
            Triangulation(x, y, triangles),
            np.clip(values, levels[0], levels[-1]),
            levels=levels,
            cmap=colours.map,
            norm=colours.norm,
            alpha=0.75,
            zorder=0,
        )
    panel.scatter(
        x,
        y,
        c=values,
        cmap=colours.map,
        norm=colours.norm,
        s=16,
        edgecolors=edges,
        linewidths=0.7,
        zorder=4,
        gid="trials",
    )
    if trials[0] is first:
        draw_best(panel, float(x[0]), float(y[0]))
