"""Data-set size: what trials are ranked by, by the number of training samples."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coarsefine.search.errors import FigureError, require
from coarsefine.search.figures.scales import Scale, room_for, set_scale, set_ticks
from coarsefine.search.figures.style import (
    BLUE,
    VERMILLION,
    house_style,
    light_grid,
    new_sheet,
    plain,
)
from coarsefine.search.figures.trials import (
    ENDS,
    entry,
    measured,
    no_complete_trial,
    unfinished_note,
    unit,
)
from coarsefine.studies.results.curves.runs import read_runs
from coarsefine.studies.results.predictions import scores_by_run
from coarsefine.studies.results.scoring.splits import validated_on

if TYPE_CHECKING:
    from coarsefine.db.records import RunRecord, StudyRecord
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

_SIZE: Final = "train"


class _Part(NamedTuple):
    """Scores of the validation samples, or of the training samples, and how they are drawn."""

    words: str
    colour: str
    shape: str
    line: Any
    face: str


_VALIDATION: Final = _Part("validation", BLUE, "o", "-", BLUE)
_TRAINING: Final = _Part("training", VERMILLION, "s", (0, (4, 1.5)), "white")
# What runs keep of their training samples, by what trials are ranked by; of other metrics nothing.
_TRAINED: "Final[Mapping[str, Callable[[RunRecord], float | None]]]" = {
    "accuracy": attrgetter("train_accuracy"),
    "loss": attrgetter("train_loss"),
}


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if any(set(trial.params) != {_SIZE} for trial in ranking.trials):
        return (
            "sizes needs a search over the number of training samples, this one is over "
            f"{ranking.over}"
        )
    return no_complete_trial("sizes", ranking)


def drawn(subject: "Subject") -> Figure:
    """Return training and validation scores by the number of training samples.

    Several replicates are drawn one by one, with their mean and one standard deviation to either
    side.

    Raises:
        FigureError: If the size was not searched, or no trial is complete.
    """
    require(lacks(subject))
    ranking = subject.ranking
    runs = read_runs(subject.database, ranking)
    scores = scores_by_run(subject.database, ranking.study, ranking.by)
    trials = sorted(
        (trial for trial in measured(ranking) if runs.get(trial.uuid or "")),
        key=lambda trial: samples_of(ranking.study, trial),
    )
    if not trials:
        raise FigureError("sizes needs a complete trial, there is none")
    places = [samples_of(ranking.study, trial) for trial in trials]
    own = [runs[trial.uuid or ""] for trial in trials]
    shown = {_VALIDATION: [[scores.get(run.id) for run in each] for each in own]}
    trained = _TRAINED.get(ranking.by)
    if trained is not None:
        shown[_TRAINING] = [[trained(run) for run in each] for each in own]
    what = plain(ranking.metric.words).removeprefix("validation ")
    with house_style():
        sheet = new_sheet(ranking.study, f"{what} by number of training samples", heights=[2.8])
        panel = sheet.first
        light_grid(panel)
        scale = Scale.of(places, counts=True)
        set_scale(panel, scale)
        words = [f"{place:,}" for place in places]
        if room_for(scale, places, words):
            set_ticks(panel, places, words)
        panel.set_xlabel("training samples")
        panel.set_ylabel(f"{what} (%)" if ranking.metric.share else what)
        for part, values in shown.items():
            _draw(panel, places, values, part, unit(ranking))
        replicates = max(trial.replicates for trial in trials)
        entries = [
            Line2D(
                [],
                [],
                color=part.colour,
                marker=part.shape,
                markersize=4.5,
                markerfacecolor=part.face,
                linestyle=part.line,
                label=part.words,
            )
            for part in shown
        ]
        if replicates > 1:
            entries.append(entry("o", BLUE, "one draw of the samples and seed", face="none"))
        return sheet.finished(
            entries,
            (
                f"means of {replicates} with one standard deviation to either side"
                if replicates > 1
                else "",
                f"validated on {validated_on(ranking.study)}, the same for all",
                _ends_note(ranking),
                unfinished_note(ranking),
            ),
        )


def _draw(
    panel: Axes,
    places: Sequence[int],
    values: "Sequence[Sequence[float | None]]",
    part: _Part,
    times: float,
) -> None:
    """Draw the means of one kind of score, their spread, and each replicate."""
    found = []
    for place, own in zip(places, values, strict=True):
        known = [times * value for value in own if value is not None]
        if known:
            found.append((place, known))
    means = [fmean(scores) for _, scores in found]
    at = [place for place, _ in found]
    panel.plot(
        at,
        means,
        color=part.colour,
        marker=part.shape,
        markersize=4.5,
        markerfacecolor=part.face,
        linestyle=part.line,
        zorder=3,
        gid=part.words,
    )
    repeated = [(p, mean, a) for (p, a), mean in zip(found, means, strict=True) if len(a) > 1]
    if not repeated:
        return
    panel.errorbar(
        [place for place, _, _ in repeated],
        [mean for _, mean, _ in repeated],
        yerr=[stdev(scores) for _, _, scores in repeated],
        fmt="none",
        ecolor=part.colour,
        elinewidth=0.9,
        capsize=2.5,
        zorder=2,
    )
    panel.scatter(
        [place for place, _, scores in repeated for _ in scores],
        [score for _, _, scores in repeated for score in scores],
        s=9,
        marker=part.shape,
        facecolors="none",
        edgecolors=part.colour,
        linewidths=0.6,
        alpha=0.8,
        zorder=4,
        gid=f"{part.words}-replicates",
    )


def _ends_note(ranking: "Ranking") -> str:
    counts = {state: sum(t.state == state for t in ranking.trials) for state in ENDS}
    return "; ".join(
        f"{words}: {counts[state]:,}" for state, (_, words) in ENDS.items() if counts[state]
    )


def samples_of(study: "StudyRecord", trial: "RankedTrial") -> int:
    """Return how many training samples a trial had, where a fraction was searched, too."""
    size = trial.params[_SIZE]
    if isinstance(size, int):
        return size
    n_all = int(study.data["n_train"])
    if study.recipe["data"]["split"] != "canonical":
        n_all += int(study.data["n_validation"])
    return max(1, round(float(size) * n_all))
