"""The searched numbers against what trials are ranked by."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coarsefine.search.errors import require
from coarsefine.search.figures.scales import Scale, set_scale
from coarsefine.search.figures.style import (
    BLACK,
    LIGHT,
    Sheet,
    house_style,
    light_grid,
    new_sheet,
    plain,
)
from coarsefine.search.figures.trials import (
    MANY,
    axis_label,
    best_words,
    draw_best,
    draw_ends,
    draw_intervals,
    draw_points,
    entry,
    having,
    interval_note,
    measured,
    numeric_parameters,
    scale_of,
    score,
    score_label,
    scores,
    stage_marks,
    star_entry,
    tie_entries,
    unfinished_note,
    unit,
    values_of,
)
from coarsefine.search.words import counted
from coarsefine.studies.planning.stages import Stage, searched_stages
from coarsefine.studies.results.optimum import located

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.optimum import Located
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

Windows = Mapping[str, Mapping[str, tuple[float, float]]]
# Where all accuracies span this many times what the better half does, it has a panel of its own.
_CROWDED, _FEWEST = 4.0, 6


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if not numeric_parameters(ranking):
        return (
            "values needs a search over a number with several values, this one is over "
            f"{ranking.over}"
        )
    return None


def drawn(subject: "Subject") -> Figure:
    """Return each searched number against what trials are ranked by, a panel a parameter.

    Raises:
        FigureError: If no number was searched.
    """
    require(lacks(subject))
    ranking, windows = subject.ranking, _ranges(subject)
    shown = numeric_parameters(ranking)
    symbols = [ranking.symbol(name) for name in shown]
    enlarged = len(shown) == 1 and _is_crowded(ranking)
    with house_style():
        sheet = new_sheet(
            ranking.study,
            f"{plain(ranking.metric.words)} by {' and '.join(symbols)}",
            heights=[1.8, 1.8] if enlarged else [2.6 if len(shown) == 1 else 2.0] * len(shown),
            share_x=enlarged,
        )
        entries: list[Line2D] = []
        found = located(ranking) if ranking.by == "accuracy" else None
        for i, panel in enumerate(sheet.panels):
            name = shown[0] if enlarged else shown[i]
            # Ends of trials are the same in each panel.
            entries = _panel(panel, ranking, name, _spans(ranking, name, windows))
            if found is not None:
                _show_optimum(panel, found)
        if enlarged:
            _enlarge(sheet, ranking)
        many = len(ranking.trials) > MANY
        return sheet.finished(
            _legend(ranking, entries),
            (
                "intervals are left out for so many trials" if many else interval_note(ranking),
                _range_note(ranking, sheet),
                f"band: the curve, bar: {found.words}" if found is not None else "",
                unfinished_note(ranking),
            ),
        )


def _ranges(subject: "Subject") -> Windows:
    """Return, by stage and parameter, from where to where was searched."""
    return {
        stage.name: {
            d.name: (d.range.low, d.range.high)
            for d in Stage.of(stage).dimensions
            if d.range is not None
        }
        for stage in searched_stages(subject.database, subject.ranking.study)
    }


def _panel(
    panel: Axes, ranking: "Ranking", name: str, spans: Mapping[str, tuple[float, float]]
) -> list[Line2D]:
    scale = scale_of(ranking, name)
    set_scale(panel, scale)
    panel.set_xlabel(axis_label(ranking, name, scale))
    panel.set_ylabel(score_label(ranking))
    light_grid(panel)
    _show_ranges(panel, ranking, spans, scale)
    trials = having(name, measured(ranking))
    one = len(numeric_parameters(ranking)) == 1 and all(len(t.params) == 1 for t in trials)
    if one and len(trials) <= MANY:
        _thread(panel, ranking, trials, name, scale)
    for stage, stage_mark in stage_marks(ranking).items():
        these = [trial for trial in trials if trial.stage == stage]
        places = [scale.place(float(trial.params[name])) for trial in these]
        if len(trials) <= MANY:
            draw_intervals(
                panel,
                places,
                these,
                stage_mark.colour,
                unit=unit(ranking),
                gid=f"{stage}-intervals",
            )
        draw_points(panel, places, scores(ranking, these), these, stage_mark, stage)
    best = ranking.best
    highest = None if best is None else score(ranking, best)
    if best is not None and having(name, [best]) and highest is not None:
        draw_best(panel, scale.place(float(best.params[name])), highest)
    elif ranking.metric.share:
        panel.set_ylim(0, 100)
    places = [scale.place(each) for each in values_of(ranking, name)]
    return draw_ends(panel, having(name, ranking.trials), places)


def _thread(
    panel: Axes, ranking: "Ranking", trials: "Sequence[RankedTrial]", name: str, scale: Scale
) -> None:
    """Draw a thin line through all means, in order of the values."""
    by_place: dict[float, list[float]] = {}
    for trial in trials:
        place = scale.place(float(trial.params[name]))
        by_place.setdefault(place, []).append(score(ranking, trial) or 0.0)
    places = sorted(by_place)
    means = [sum(by_place[p]) / len(by_place[p]) for p in places]
    apart = int(scale.zero is not None and places[:1] == [scale.zero])
    panel.plot(places[apart:], means[apart:], color=LIGHT, linewidth=0.9, zorder=1, gid="thread")


def _spans(
    ranking: "Ranking", name: str, windows: Windows | None
) -> dict[str, tuple[float, float]]:
    """Return from where to where each stage searched."""
    found = {}
    for stage in ranking.stages:
        known = (windows or {}).get(stage.name, {}).get(name)
        these = having(name, ranking.trials)
        tried = [float(t.params[name]) for t in these if t.stage == stage.name]
        positive = [each for each in tried if each > 0]
        if known is not None and known[0] < known[1]:
            found[stage.name] = known
        elif positive and min(positive) < max(positive):
            found[stage.name] = (min(positive), max(positive))
    return found


def _show_ranges(
    panel: Axes, ranking: "Ranking", spans: Mapping[str, tuple[float, float]], scale: Scale
) -> None:
    """Show where was searched, and that nothing was beyond."""
    if not spans or not ranking.refines:
        return
    marks = stage_marks(ranking)
    low, high = min(s[0] for s in spans.values()), max(s[1] for s in spans.values())
    left, right = scale.limits
    if scale.zero is None:
        _beyond(panel, left, low)
    _beyond(panel, high, right)
    first = next(iter(spans))
    for end in spans[first]:
        panel.axvline(end, color=LIGHT, linewidth=0.8, zorder=0.5, gid="edge")
    for stage, (start, stop) in spans.items():
        if stage != first:
            colour = marks[stage].colour
            panel.axvspan(
                start, stop, color=colour, alpha=0.13, linewidth=0, zorder=0, gid=f"{stage}-window"
            )


def _show_optimum(panel: Axes, found: "Located") -> None:
    """Draw the band that holds the curve, and a bar over the values that may be the best."""
    places, curve = np.exp(found.curve.places), found.curve
    limits = panel.get_ylim()
    panel.fill_between(
        places, 100 * curve.low, 100 * curve.high, color=LIGHT, alpha=0.35, linewidth=0, zorder=0.5,
        gid="optimum-band",
    )  # fmt: skip
    panel.set_ylim(limits)
    panel.plot(
        [found.low, found.high], [0.015, 0.015], transform=panel.get_xaxis_transform(),
        color=BLACK, linewidth=3, solid_capstyle="butt", gid="optimum",
    )  # fmt: skip


def _range_note(ranking: "Ranking", sheet: Sheet) -> str:
    if not any(patch.get_gid() == "not-searched" for patch in sheet.first.patches):
        return ""
    later = [stage.name for stage in ranking.stages[1:]]
    shaded = f"; shaded: the {' and '.join(later)} range" if later else ""
    return f"hatched: not searched{shaded}{'s' if len(later) > 1 else ''}"


def _beyond(panel: Axes, start: float, stop: float) -> None:
    if start < stop:
        panel.axvspan(
            start, stop, facecolor="none", edgecolor="#C8C8C8", hatch="////", linewidth=0,
            zorder=0, gid="not-searched",
        )  # fmt: skip


def _legend(ranking: "Ranking", ends: Sequence[Line2D]) -> list[Line2D]:
    marks = stage_marks(ranking)
    complete = measured(ranking)
    entries = []
    if ranking.best is not None:
        entries.append(star_entry(best_words(ranking, ranking.best)))
    for stage, stage_mark in marks.items():
        n = counted(sum(trial.stage == stage for trial in complete), "trial")
        entries.append(entry(stage_mark.shape, stage_mark.colour, f"{stage}: {n}"))
    return [*entries, *tie_entries(ranking), *ends]


def _is_crowded(ranking: "Ranking") -> bool:
    """Return whether bad values leave the good ones no room to differ."""
    trials = measured(ranking)
    if len(trials) < _FEWEST:
        return False
    (low, high), (lowest, highest) = _ends(ranking, _better_half(trials)), _ends(ranking, trials)
    return highest - lowest > _CROWDED * (high - low)


def _better_half(trials: "Sequence[RankedTrial]") -> "Sequence[RankedTrial]":
    return trials[: max(3, len(trials) // 2)]


def _ends(ranking: "Ranking", trials: "Sequence[RankedTrial]") -> tuple[float, float]:
    """Return the least and the greatest score that is drawn."""
    times = unit(ranking)
    ends = [
        (times * trial.interval[0], times * trial.interval[1])
        if trial.interval is not None and len(trials) <= MANY
        else (score(ranking, trial) or 0.0,) * 2
        for trial in trials
    ]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _enlarge(sheet: Sheet, ranking: "Ranking") -> None:
    """Let the lower panel show the better half alone."""
    whole, part = sheet.panels
    low, high = _ends(ranking, _better_half(measured(ranking)))
    room = 0.08 * (high - low) or 0.01 * unit(ranking)
    part.set_ylim(low - room, high + room)
    part.set_ylabel("the better half (%)" if ranking.metric.share else "the better half")
    whole.set_xlabel("")
