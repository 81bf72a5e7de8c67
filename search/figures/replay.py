"""A study under sloppier protocols: which value each names, and how far its headline is off."""

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coarsefine.search.errors import require
from coarsefine.search.figures.style import (
    BLACK,
    BLUE,
    LIGHT,
    TICKS,
    VERMILLION,
    WIDTH,
    Sheet,
    house_style,
    light_grid,
    new_figure,
    origin,
)
from coarsefine.search.figures.trials import entry, no_complete_trial
from coarsefine.studies.results.notes.replaying import honest, left_out

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.replay.protocols import Protocol

_ROW: Final = 0.3
# Points that the axis shows on either side, at the least.
_LEAST: Final = 0.5
# Rows that cases of one protocol are spread over.
_SPREAD: Final = 0.28


def drawn(subject: "Subject") -> Figure:
    """Return how far the headlines of sloppier protocols are off, and which value they name.

    Raises:
        FigureError: If fewer than two values were tried.
    """
    from coarsefine.studies.results.replay.reading import read_replay

    require(lacks(subject))
    found = read_replay(subject.database, subject.ranking)
    protocols = found.protocols
    with house_style():
        figure = new_figure(WIDTH, 0.55 + _ROW * max(1, len(protocols)))
        left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [3, 1]})
        study = found.ranking.study
        what = "what sloppier protocols would have concluded"
        sheet = Sheet(figure, (left, right), study.name, what, origin(study))
        for panel in sheet.panels:
            panel.tick_params(**TICKS)
        beyond = _draw_headlines(left, protocols)
        _draw_others(right, protocols)
        entries = [
            entry("o", BLUE, "names the same value"),
            entry("D", VERMILLION, "names another value", face="none"),
            entry("|", BLACK, "mean of several cases", size=9),
        ]
        notes = (honest(found), *beyond, *left_out(found))
        return sheet.finished(entries, notes)


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    missing = no_complete_trial("replay", ranking)
    if missing is not None:
        return missing
    points = {repr(dict(trial.params)) for trial in ranking.trials if trial.rank is not None}
    return "replay needs two values or more that were trained" if len(points) < 2 else None


def _draw_headlines(panel: Axes, protocols: "tuple[Protocol, ...]") -> list[str]:
    """Draw each case; return which lie beyond the axis, in words."""
    light_grid(panel, "x")
    panel.axvline(0, color=BLACK, linewidth=0.8, zorder=1)
    # Networks that are hardly trained would squeeze all others.
    usual = [end for p in protocols if p.name != "stopped-early" for end in p.ends]
    limit = 1.15 * max(_LEAST, *(100 * abs(end) for end in usual), 0.0)
    rng = np.random.default_rng(0)
    beyond = []
    for row, protocol in enumerate(protocols):
        shown = [case for case in protocol.cases if 100 * abs(case.flattery) <= limit]
        many = len(protocol.cases) > 1
        for another in (False, True):
            these = [100 * case.flattery for case in shown if case.another == another]
            places = -row + (rng.uniform(-_SPREAD, _SPREAD, len(these)) if len(these) > 6 else 0.0)
            panel.scatter(
                these,
                np.broadcast_to(places, len(these)),
                s=9 if len(these) > 6 else 22,
                marker="D" if another else "o",
                facecolors="none" if another else BLUE,
                edgecolors=VERMILLION if another else BLUE,
                linewidths=0.8,
                zorder=3,
                gid=f"{protocol.name}-{'another' if another else 'same'}",
            )
        mean = 100 * protocol.flattery
        if many and abs(mean) <= limit:
            panel.scatter(
                [mean], [-row], s=110, marker="|", c=BLACK, linewidths=1.4, zorder=4, gid="mean"
            )
        outside = len(protocol.cases) - len(shown)
        if outside:
            low, _ = protocol.ends
            n = len(protocol.cases)
            beyond.append(
                f"{protocol.words}: {outside} of {n} cases lie beyond the axis, down to "
                f"{100 * low:.2f} points"
            )
    panel.set_yticks([-row for row in range(len(protocols))], [p.words for p in protocols])
    panel.set_ylim(-len(protocols) + 0.45, 0.55)
    panel.set_xlim(-limit, limit)
    panel.set_xlabel("headline too high by (points)")
    return beyond


def _draw_others(panel: Axes, protocols: "tuple[Protocol, ...]") -> None:
    for row, protocol in enumerate(protocols):
        n = len(protocol.cases)
        panel.barh(-row, 100 * protocol.n_another / n, height=0.55, color=LIGHT, gid="another")
        panel.text(
            3, -row, f"{protocol.n_another} of {n}", va="center", size=7, color=BLACK, gid="another"
        )
    panel.set_xlim(0, 100)
    panel.xaxis.set_major_locator(MaxNLocator(2, integer=True))
    panel.set_xlabel("another\nvalue (%)")
    panel.tick_params(axis="y", length=0, labelleft=False)
    panel.spines["left"].set_visible(False)
