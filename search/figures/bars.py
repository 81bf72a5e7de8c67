"""Choices side by side: hidden layers, tricks, optimizers, named variants."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coarsefine.search.errors import require
from coarsefine.search.figures.fonts import give_tick_fonts
from coarsefine.search.figures.style import (
    BLACK,
    GREY,
    LIGHT,
    TICKS,
    WIDTH,
    Sheet,
    fitted,
    house_style,
    light_grid,
    new_figure,
    origin,
    plain,
)
from coarsefine.search.figures.trials import (
    ENDS,
    best_words,
    draw_best,
    draw_intervals,
    draw_points,
    entry,
    interval_note,
    measured,
    no_complete_trial,
    score,
    score_label,
    scores,
    stage_marks,
    star_entry,
    tie_entries,
    unfinished_note,
    unit,
)
from coarsefine.search.words import value
from coarsefine.studies.results.curves.runs import read_runs
from coarsefine.studies.spaces.dimensions import PARAMETERS

if TYPE_CHECKING:
    from coarsefine.db.records import RunRecord
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

MOST: Final = 60
_ROW: Final = 0.26
# Inches of a choice's name.
_NAME_WIDTH: Final = 1.5


def drawn(subject: "Subject") -> Figure:
    """Return the score of each choice with its interval, and the updates it took.

    Choices are drawn in the order of the search.

    Raises:
        FigureError: If all that was searched are numbers, or there are too many choices.
    """
    require(lacks(subject))
    ranking = subject.ranking
    runs = read_runs(subject.database, ranking)
    trials = in_order(ranking)
    with house_style():
        figure = new_figure(WIDTH, 0.55 + _ROW * len(trials))
        left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [3.4, 1]})
        what = f"{plain(ranking.metric.words)} by {_searched(ranking)}"
        study = ranking.study
        sheet = Sheet(figure, (left, right), study.name, what, origin(study))
        for panel in sheet.panels:
            panel.tick_params(**TICKS)
        _draw_scores(left, ranking, trials)
        _draw_updates(right, trials, runs)
        entries = [
            *([] if ranking.best is None else [star_entry(best_words(ranking, ranking.best))]),
            entry("o", stage_marks(ranking)[trials[0].stage].colour, plain(ranking.metric.words)),
            *([entry("|", GREY, "training accuracy", size=8)] if _has_training(ranking) else []),
            *tie_entries(ranking),
        ]
        return sheet.finished(entries, (interval_note(ranking), unfinished_note(ranking)))


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    trials = ranking.trials
    if not trials or not set(trials[0].params) - _numbers(ranking):
        return f"bars needs a search over choices, this one is over {ranking.over}"
    if len(trials) > MOST:
        return f"bars shows {MOST} trials or fewer, this search has {len(trials):,}"
    return no_complete_trial("bars", ranking)


def _numbers(ranking: "Ranking") -> set[str]:
    """Return the parameters that are numbers, of which values and others make better figures."""
    names = {name for trial in ranking.trials for name in trial.params}
    return {name for name in names if name in PARAMETERS and PARAMETERS[name].numeric}


def in_order(ranking: "Ranking") -> "list[RankedTrial]":
    """Return the trials in the order in which they were planned: a study's own."""
    place = {stage.name: position for position, stage in enumerate(ranking.stages)}
    return sorted(ranking.trials, key=lambda t: (place.get(t.stage, len(place)), t.trial))


def _searched(ranking: "Ranking") -> str:
    names = dict.fromkeys(name for trial in ranking.trials for name in trial.params)
    words = [{"hidden": "hidden layers"}.get(name, ranking.symbol(name)) for name in names]
    return " and ".join(words)


def _draw_scores(panel: Axes, ranking: "Ranking", trials: "Sequence[RankedTrial]") -> None:
    light_grid(panel, "x")
    rows = {trial.uuid: -position for position, trial in enumerate(trials)}
    names = [fitted(_name(trial), _NAME_WIDTH, 7.5) for trial in trials]
    panel.set_yticks([-position for position in range(len(trials))], names)
    give_tick_fonts(panel.yaxis, names)
    panel.set_ylim(-len(trials) + 0.4, 0.6)
    panel.set_xlabel("accuracy (%)" if _has_training(ranking) else score_label(ranking))
    for stage, mark in stage_marks(ranking).items():
        these = [trial for trial in measured(ranking) if trial.stage == stage]
        places = [float(rows[trial.uuid]) for trial in these]
        draw_intervals(
            panel,
            places,
            these,
            mark.colour,
            upright=False,
            unit=unit(ranking),
            linewidth=1.4,
            gid=f"{stage}-intervals",
        )
        draw_points(panel, places, scores(ranking, these), these, mark, stage, upright=False)
    trained = [trial for trial in measured(ranking) if trial.train_accuracy is not None]
    trained = trained if _has_training(ranking) else []
    panel.scatter(
        [100 * (trial.train_accuracy or 0.0) for trial in trained],
        [rows[trial.uuid] for trial in trained],
        s=42,
        marker="|",
        c=GREY,
        linewidths=1.1,
        zorder=2,
        gid="training",
    )
    best = ranking.best
    if best is not None:
        draw_best(panel, score(ranking, best) or 0.0, rows[best.uuid])
    for trial in trials:
        if trial.rank is None:
            panel.text(
                0.02,
                rows[trial.uuid],
                ENDS.get(trial.state, ("", "not finished yet"))[1],
                transform=panel.get_yaxis_transform(),
                va="center",
                size=7,
                color=BLACK,
                gid=trial.state,
            )


def _has_training(ranking: "Ranking") -> bool:
    """Return whether trials keep what they are ranked by of training samples, too."""
    return ranking.by == "accuracy"


def _name(trial: "RankedTrial") -> str:
    return ", ".join(
        value(each) if len(trial.params) == 1 else f"{name.replace('_', ' ')} {value(each)}"
        for name, each in trial.params.items()
    )


def _draw_updates(
    panel: Axes, trials: "Sequence[RankedTrial]", runs: "Mapping[str, Sequence[RunRecord]]"
) -> None:
    found = [
        (-position, fmean(run.updates for run in own))
        for position, trial in enumerate(trials)
        if (own := runs.get(trial.uuid or ""))
    ]
    most = max((updates for _, updates in found), default=1) or 1
    panel.barh(
        [row for row, _ in found],
        [updates for _, updates in found],
        height=0.55,
        color=LIGHT,
        gid="updates",
    )
    for row, updates in found:
        panel.text(
            0.03 * most,
            row,
            f"{updates:,.0f}",
            va="center",
            size=6.5,
            color=BLACK,
            gid="updates",
        )
    panel.set_xlim(0, 1.05 * most)
    panel.xaxis.set_major_locator(MaxNLocator(2, integer=True))
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.set_xlabel("updates")
    panel.tick_params(axis="y", length=0, labelleft=False)
    panel.spines["left"].set_visible(False)
