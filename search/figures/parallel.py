"""Parallel coordinates: an axis a parameter, and a line a trial, which ends at its score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coarsefine.search.errors import require
from coarsefine.search.figures.colours import colours_of
from coarsefine.search.figures.scales import Scale, tick_text
from coarsefine.search.figures.style import (
    BLACK,
    GREY,
    house_style,
    new_sheet,
    plain,
    shortened,
)
from coarsefine.search.figures.trials import (
    MANY,
    best_words,
    measured,
    numeric_parameters,
    scale_of,
    score_label,
    scores,
    unfinished_note,
)
from coarsefine.search.words import counted
from coarsefine.studies.spaces.dimensions import shown

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import Ranking

_FEWEST: Final = 2
# Beyond the highest and the lowest value of an axis, where its ends are written.
_ROOM: Final = 0.09
_LONGEST: Final = 12
# How far above the end of an axis its lowest value is, where some trials have none.
_APART: Final = 0.12
_MOST_CHOICES: Final = 6


@dataclass(frozen=True, slots=True)
class _Axis:
    """An upright axis.

    Attributes:
        label: Below it.
        places: Of each trial, in [0, 1].
        ends: What is written at its lower and its upper end.
        between: What is written between them, by place.
    """

    label: str
    places: Sequence[float]
    ends: tuple[str, str]
    between: tuple[tuple[float, str], ...] = ()


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if len(ranking.searched) < 2:
        return f"parallel needs a search over two parameters or more, this is over {ranking.over}"
    n = len(measured(ranking))
    return None if n >= _FEWEST else f"parallel needs {_FEWEST} complete trials, there are {n}"


def drawn(subject: "Subject") -> Figure:
    """Return a line a complete trial through what it had of each parameter, to its score.

    Raises:
        FigureError: If the study lacks something for it.
    """
    require(lacks(subject))
    ranking = subject.ranking
    trials = measured(ranking)
    colours, values, sign = colours_of(ranking), scores(ranking, trials), ranking.metric.sign
    worst, best = (sign * end(sign * value for value in values) for end in (min, max))
    axes = [_axis(ranking, name, [t.params[name] for t in trials]) for name in ranking.searched]
    # The worst may be far below: lines would end on top of each other.
    floor, digits = colours.worst, 1 if ranking.metric.share else 3
    reach = sign * (best - floor) or 1.0
    last = [max(0.0, sign * (value - floor) / reach) for value in values]
    beyond = "≤" if sign > 0 else "≥"
    lowest = (
        f"{worst:.{digits}f}" if sign * (worst - floor) >= 0 else f"{beyond} {floor:.{digits}f}"
    )
    label = score_label(ranking).removeprefix("validation ")
    axes.append(_Axis(label, last, (lowest, f"{best:.{digits}f}")))
    with house_style():
        what = f"{', '.join(ranking.symbol(name) for name in ranking.searched)} of each trial"
        sheet = new_sheet(ranking.study, what, heights=[3.1])
        panel = sheet.first
        _draw_axes(panel, axes)
        order = range(len(trials) - 1, -1, -1)  # the best on top
        lines = [np.array([(i, axis.places[t]) for i, axis in enumerate(axes)]) for t in order]
        panel.add_collection(
            LineCollection(
                lines,
                colors=[colours.of(values[t]) for t in order],
                linewidths=[1.0 if trials[t].tied else 0.6 for t in order],
                alpha=0.9,
                zorder=2,
                rasterized=len(trials) > MANY,
                gid="trials",
            )
        )
        panel.plot(
            range(len(axes)),
            [axis.places[0] for axis in axes],
            color=BLACK,
            linewidth=1.8,
            marker="o",
            markersize=4,
            zorder=5,
            gid="best",
        )
        winner = Line2D([], [], color=BLACK, marker="o", markersize=4, linewidth=1.8)
        winner.set_label(best_words(ranking, trials[0]))
        return sheet.finished(
            [winner],
            (
                "lines of tied trials are thicker" if any(t.tied for t in trials) else "",
                f"{counted(colours.n_beyond, 'trial')} end below the axis"
                if colours.n_beyond
                else "",
                unfinished_note(ranking),
            ),
        )


def _axis(ranking: "Ranking", name: str, values: Sequence[Any]) -> _Axis:
    """Return the axis of a parameter, of numbers on the scale that suits them."""
    label = plain(shortened(ranking.symbol(name), _LONGEST))
    if name in numeric_parameters(ranking):
        scale = scale_of(ranking, name)
        numbers = [float(value) for value in values if value is not None]
        seen = iter(_places([scale.place(number) for number in numbers], scale))
        low, high = (tick_text(float(f"{end:.3g}")) for end in (min(numbers), max(numbers)))
        if len(numbers) == len(values):
            return _Axis(label, list(seen), (low, high))
        # Trials without a use for it pass below its lowest value.
        places = [0.0 if each is None else 1 - (1 - _APART) * (1 - next(seen)) for each in values]
        return _Axis(label, places, ("not used", high), ((_APART, low),))
    words = [_word(value) for value in values]
    known = list(dict.fromkeys(words))
    at = {word: i / max(1, len(known) - 1) for i, word in enumerate(known)}
    between = tuple((at[word], word) for word in known[1:-1])[:_MOST_CHOICES]
    return _Axis(label, [at[word] for word in words], (known[0], known[-1]), between)


def _places(values: Sequence[float], scale: Scale) -> list[float]:
    seen = np.log(values) if scale.log else np.asarray(values)
    low, high = float(seen.min()), float(seen.max())
    return [float((each - low) / ((high - low) or 1.0)) for each in seen]


def _word(value: Any) -> str:
    return plain(shortened(shown(value), _LONGEST))


def _draw_axes(panel: Axes, axes: Sequence[_Axis]) -> None:
    panel.set_xlim(-0.35, len(axes) - 0.65)
    panel.set_ylim(-_ROOM, 1 + _ROOM)
    panel.set_yticks([])
    panel.set_xticks(range(len(axes)), [axis.label for axis in axes])
    panel.tick_params(axis="x", length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)
    for i, axis in enumerate(axes):
        panel.plot([i, i], [0, 1], color=GREY, linewidth=0.8, zorder=1)
        style: dict[str, Any] = {"ha": "center", "size": 6.5, "color": BLACK, "zorder": 6}
        panel.text(i, -_ROOM / 3, axis.ends[0], va="top", **style)
        if axis.ends[1] != axis.ends[0] or len(set(axis.places)) > 1:
            panel.text(i, 1 + _ROOM / 3, axis.ends[1], va="bottom", **style)
        for place, word in axis.between:
            panel.annotate(
                word,
                (i, place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                size=6.5,
                zorder=6,
            )
