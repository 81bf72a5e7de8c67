"""Batch size: what trials are ranked by against the time it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coarsefine.search.errors import FigureError, require
from coarsefine.search.figures.scales import room_for, set_log, set_scale, set_ticks
from coarsefine.search.figures.style import (
    BLACK,
    BLUE,
    GREY,
    TICKS,
    VERMILLION,
    house_style,
    light_grid,
    new_sheet,
    plain,
)
from coarsefine.search.figures.trials import (
    best_words,
    draw_best,
    draw_ends,
    draw_intervals,
    draw_points,
    entry,
    interval_note,
    measured,
    no_complete_trial,
    scale_of,
    score,
    score_label,
    stage_marks,
    star_entry,
    tie_entries,
    unfinished_note,
    unit,
    values_of,
)
from coarsefine.studies.planning.stages import Stage, searched_stages
from coarsefine.studies.results.curves.runs import read_runs

if TYPE_CHECKING:
    from coarsefine.db.records import RunRecord
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

_BATCH: Final = "batch_size"
# More points than these are not all named.
_MOST_NAMES: Final = 20


@dataclass(frozen=True, slots=True)
class _Timed:
    """A complete trial with what a run of it took.

    Attributes:
        score: What trials are ranked by, as axes show it.
        seconds: Mean over the replicates.
        fastest: Of the replicates.
        slowest: Of the replicates.
        updates: Mean over the replicates.
    """

    trial: "RankedTrial"
    size: float
    score: float
    seconds: float
    fastest: float
    slowest: float
    updates: float


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if any(set(trial.params) != {_BATCH} for trial in ranking.trials):
        return f"trade-off needs a search over the batch size, this one is over {ranking.over}"
    return no_complete_trial("trade-off", ranking)


def drawn(subject: "Subject") -> Figure:
    """Return scores against time with the Pareto front, and both against batch size.

    Raises:
        FigureError: If the batch size was not searched, or nothing was timed.
    """
    from coarsefine.studies.results.comparing.grids import pareto_front

    require(lacks(subject))
    ranking = subject.ranking
    # Times can be compared where each trial was trained by itself.
    stages = searched_stages(subject.database, ranking.study)
    alone = all(Stage.of(stage).run_options.alone for stage in stages)
    timed = _timed(ranking, read_runs(subject.database, ranking))
    if not timed:
        raise FigureError("trade-off needs a trial that was timed, there is none")
    sign, words = ranking.metric.sign, plain(ranking.metric.words)
    front = sorted(pareto_front([(each.seconds, sign * each.score) for each in timed]))
    with house_style():
        sheet = new_sheet(
            ranking.study, f"{words} and time by batch size", heights=[2.3, 2.1], share_x=False
        )
        upper, lower = sheet.panels
        _draw_times(upper, ranking, timed, [timed[i] for i in front])
        ends = _draw_sizes(lower, ranking, timed)
        best = ranking.best
        entries = [
            *([star_entry(best_words(ranking, best))] if best is not None else []),
            Line2D([], [], color=BLACK, linewidth=1.0, label="Pareto front"),
            entry("o", BLUE, words),
            entry("s", VERMILLION, "training time", face="white"),
            *tie_entries(ranking),
            *ends,
        ]
        repeated = any(each.slowest > each.fastest for each in timed)
        return sheet.finished(
            entries,
            (
                interval_note(ranking),
                "time: mean of a run, and from the fastest to the slowest" if repeated else "",
                "" if alone else "trials were trained together: times are shares of a common one",
                "equal epochs are unlike numbers of updates" if _unlike(timed) else "",
                unfinished_note(ranking),
            ),
        )


def _timed(ranking: "Ranking", runs: "Mapping[str, Sequence[RunRecord]]") -> list[_Timed]:
    """Return the complete trials that were timed, by batch size."""
    found = []
    for trial in measured(ranking):
        own = runs.get(trial.uuid or "", ())
        seconds = [run.seconds for run in own if run.seconds]
        if seconds:
            found.append(
                _Timed(
                    trial,
                    float(trial.params[_BATCH]),
                    score(ranking, trial) or 0.0,
                    fmean(seconds),
                    min(seconds),
                    max(seconds),
                    fmean(run.updates for run in own),
                )
            )
    return sorted(found, key=lambda each: each.size)


def _unlike(timed: Sequence[_Timed]) -> bool:
    updates = [each.updates for each in timed]
    return max(updates) > 1.05 * min(updates)


def _draw_times(
    panel: Axes, ranking: "Ranking", timed: Sequence[_Timed], front: Sequence[_Timed]
) -> None:
    light_grid(panel)
    panel.set_xlabel("training time of a run (seconds)")
    panel.set_ylabel(score_label(ranking))
    trials = [each.trial for each in timed]
    seconds = [each.seconds for each in timed]
    on_front = sorted(front, key=lambda each: each.seconds)
    panel.plot(
        [each.seconds for each in on_front],
        [each.score for each in on_front],
        color=BLACK,
        linewidth=1.0,
        drawstyle="steps-post",
        zorder=1,
        gid="front",
    )
    draw_intervals(panel, seconds, trials, BLUE, unit=unit(ranking), gid="intervals")
    for each in timed:
        if each.slowest > each.fastest:
            panel.plot(
                [each.fastest, each.slowest],
                [each.score] * 2,
                color=BLUE,
                linewidth=0.9,
                alpha=0.8,
                zorder=2,
            )
    first = next(iter(stage_marks(ranking).values()))
    draw_points(panel, seconds, [each.score for each in timed], trials, first, "times")
    for each in timed if len(timed) <= _MOST_NAMES else on_front[:_MOST_NAMES]:
        panel.annotate(
            f"{each.size:,.0f}",
            (each.seconds, each.score),
            xytext=(5, -9),
            textcoords="offset points",
            size=7,
            color=GREY,
            gid="batch-size",
        )
    best = ranking.best
    for each in timed:
        if each.trial is best:
            draw_best(panel, each.seconds, each.score)
    low, high = min(each.fastest for each in timed), max(each.slowest for each in timed)
    set_log(panel, low / 1.6, high * 1.6, "x")


def _draw_sizes(panel: Axes, ranking: "Ranking", timed: Sequence[_Timed]) -> list[Line2D]:
    """Draw accuracy and time against batch size; return the legend's entries of what failed."""
    light_grid(panel)
    scale = scale_of(ranking, _BATCH)
    set_scale(panel, scale)
    sizes = [each.size for each in timed]
    tried = sorted(set(values_of(ranking, _BATCH)))
    updates = {each.size: f"\n{each.updates:,.0f} updates" for each in timed}
    plain = [f"{size:,.0f}" for size in tried]
    full = [f"{text}{updates.get(size, '')}" for size, text in zip(tried, plain, strict=True)]
    for words in (full, plain):
        if room_for(scale, tried, words):
            set_ticks(panel, tried, words)
            break
    panel.set_xlabel("batch size")
    panel.set_ylabel(score_label(ranking), color=BLUE)
    trials = [each.trial for each in timed]
    draw_intervals(panel, sizes, trials, BLUE, unit=unit(ranking), gid="sizes-intervals")
    panel.plot(sizes, [each.score for each in timed], color=BLUE, linewidth=1, zorder=2)
    first = next(iter(stage_marks(ranking).values()))
    draw_points(panel, sizes, [each.score for each in timed], trials, first, "sizes")
    other = panel.twinx()
    other.set_ylabel("time of a run (seconds)", color=VERMILLION)
    other.tick_params(**TICKS)
    other.spines["right"].set_visible(True)
    other.plot(
        sizes,
        [each.seconds for each in timed],
        color=VERMILLION,
        linestyle=(0, (4, 1.5)),
        linewidth=1.0,
        marker="s",
        markersize=4,
        markerfacecolor="white",
        gid="seconds",
    )
    low, high = min(each.fastest for each in timed), max(each.slowest for each in timed)
    set_log(other, low / 1.6, high * 1.6)
    return draw_ends(panel, ranking.trials, values_of(ranking, _BATCH))
