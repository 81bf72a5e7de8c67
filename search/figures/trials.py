"""What figures of a ranking's trials share: their marks, intervals and words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from coarsefine.search.figures.scales import Scale
from coarsefine.search.figures.style import BLACK, GREY, YELLOW, Mark, mark, plain
from coarsefine.search.words import counted
from coarsefine.studies.results.scoring.splits import replicates_in_words
from coarsefine.studies.spaces.dimensions import PARAMETERS
from coarsefine.studies.states import UNFINISHED

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

# More marks than these are drawn as pixels in files that are otherwise made of lines, and smaller.
MANY: Final = 300
# More marks than these touch each other at the bottom of a figure.
_CROWD: Final = 40
# What ended a trial without a result, and its mark at the bottom of a figure.
ENDS: Final[dict[str, tuple[str, str]]] = {
    "diverged": ("x", "diverged"),
    "pruned": ("|", "stopped early (pruned)"),
    "failed": ("1", "failed"),
}


def measured(ranking: "Ranking") -> "list[RankedTrial]":
    """Return the complete trials, best first."""
    value = ranking.metric.of
    return [t for t in ranking.trials if t.rank is not None and value(t) is not None]


def score(ranking: "Ranking", trial: "RankedTrial") -> float | None:
    """Return what trials are ranked by, as axes show it: shares in percent."""
    value = ranking.metric.of(trial)
    return None if trial.rank is None or value is None else unit(ranking) * value


def scores(ranking: "Ranking", trials: "Sequence[RankedTrial]") -> list[float]:
    """Return what complete trials are ranked by, as axes show it."""
    return [score(ranking, trial) or 0.0 for trial in trials]


def unit(ranking: "Ranking") -> float:
    """Return what scores are multiplied by on axes."""
    return 100.0 if ranking.metric.share else 1.0


def score_label(ranking: "Ranking") -> str:
    """Return what stands beside an axis of scores."""
    return (
        f"{plain(ranking.metric.words)} (%)"
        if ranking.metric.share
        else plain(ranking.metric.words)
    )


def no_complete_trial(figure: str, ranking: "Ranking") -> str | None:
    """Return that a figure needs a complete trial, if there is none."""
    return None if measured(ranking) else f"{figure} needs a complete trial, there is none"


def unfinished_note(ranking: "Ranking") -> str:
    """Return how many trials are not there yet, ``""`` for none."""
    n_left = sum(trial.state in UNFINISHED for trial in ranking.trials)
    return f"{counted(n_left, 'trial')} not finished yet" if n_left else ""


def stage_marks(ranking: "Ranking") -> dict[str, Mark]:
    """Return the mark of each stage."""
    return {stage.name: mark(position) for position, stage in enumerate(ranking.stages)}


def numeric_parameters(ranking: "Ranking") -> list[str]:
    """Return the parameters all of whose values are numbers, if there are two values or more.

    A trial that has no use for a parameter has no value of it.
    """
    names = dict.fromkeys(name for trial in ranking.trials for name in trial.params)
    found = []
    for name in names:
        values = [trial.params[name] for trial in having(name, ranking.trials)]
        if {type(each) for each in values} <= {int, float} and len(set(values)) > 1:
            found.append(name)
    return found


def values_of(ranking: "Ranking", name: str) -> list[float]:
    """Return what was tried of a numeric parameter, trial by trial that has it."""
    return [float(trial.params[name]) for trial in having(name, ranking.trials)]


def having(name: str, trials: "Sequence[RankedTrial]") -> "list[RankedTrial]":
    """Return the trials that have a value of a parameter; others had no use for it."""
    return [trial for trial in trials if trial.params.get(name) is not None]


def scale_of(ranking: "Ranking", name: str) -> Scale:
    """Return the axis that suits what was tried of a numeric parameter."""
    known = PARAMETERS.get(name)
    counts = known is not None and known.numeric and not known.continuous
    return Scale.of(values_of(ranking, name), counts=counts)


def axis_label(ranking: "Ranking", name: str, scale: Scale) -> str:
    """Return what stands beside the axis of a parameter, and where 0 lies on it."""
    label = plain(ranking.symbol(name))
    if scale.zero is not None:
        return f"{label} (logarithmic; 0 set apart, left of the break)"
    return label


def described(ranking: "Ranking", trial: "RankedTrial") -> str:
    """Return a trial's parameters in a few words."""
    return plain(ranking.point(trial.params))


def best_words(ranking: "Ranking", trial: "RankedTrial") -> str:
    """Return the winner, in words."""
    where = f" ({trial.stage})" if len(ranking.stages) > 1 else ""
    value = ranking.metric.of(trial)
    shown = "–" if value is None else ranking.metric.shown(value)
    return f"best: {described(ranking, trial)}{where}: {shown}"


def interval_note(ranking: "Ranking") -> str:
    """Return what the intervals of a figure are of."""
    known = [trial for trial in measured(ranking) if trial.interval is not None]
    n_single = sum(trial.replicates == 1 for trial in known)
    lines = []
    if n_single < len(known):
        replicates = sorted({trial.replicates for trial in known} - {1})
        several = str(replicates[0]) if len(replicates) == 1 else "several"
        what = replicates_in_words(ranking.study)
        lines.append(f"95 % intervals of the mean over {several} {what}")
    if n_single:
        of = " of an accuracy" if ranking.by == "accuracy" else ""
        lines.append(f"95 % intervals{of} on {ranking.n_validation:,} samples, one seed")
    return "; ".join(lines)


def draw_intervals(
    panel: Axes,
    places: Sequence[float],
    trials: "Sequence[RankedTrial]",
    colour: str,
    *,
    upright: bool = True,
    unit: float = 100.0,
    **options: Any,
) -> None:
    """Draw the 95 % interval of each trial's score, multiplied by ``unit``."""
    ends = [
        (place, trial.interval)
        for place, trial in zip(places, trials, strict=True)
        if trial.interval is not None
    ]
    if not ends:
        return
    at = [place for place, _ in ends]
    low, high = ([unit * interval[i] for _, interval in ends] for i in (0, 1))
    lines = panel.vlines if upright else panel.hlines
    style = {"linewidth": 0.9, "alpha": 0.8, "zorder": 2, **options}
    lines(at, low, high, colors=colour, **style)


def draw_points(
    panel: Axes,
    places: Sequence[float],
    scores: Sequence[float],
    trials: "Sequence[RankedTrial]",
    stage_mark: Mark,
    gid: str,
    *,
    upright: bool = True,
) -> None:
    """Draw a mark a trial: filled unless it can be told from the best.

    Args:
        panel: Where.
        places: On the axis of what was searched.
        scores: As the axis shows them.
        trials: Complete ones.
        stage_mark: Of the stage they belong to.
        gid: Names the marks in the file.
        upright: Whether scores are on the vertical axis.
    """
    many = len(trials) > MANY
    size = 7.0 if many else 22.0
    for filled in (False, True):
        these = [i for i, trial in enumerate(trials) if (trial.tied is not False) is filled]
        if not these:
            continue
        at, values = [places[i] for i in these], [scores[i] for i in these]
        panel.scatter(
            *((at, values) if upright else (values, at)),
            s=size,
            marker=stage_mark.shape,
            facecolors=stage_mark.colour if filled else "white",
            edgecolors=stage_mark.colour,
            linewidths=0.5 if many else 0.9,
            zorder=4 if filled else 3,
            rasterized=many,
            gid=f"{gid}-{'filled' if filled else 'hollow'}",
        )


def draw_best(panel: Axes, place: float, accuracy: float) -> None:
    """Draw the star of the winner around its mark."""
    panel.scatter(
        [place],
        [accuracy],
        s=110,
        marker="*",
        facecolors=YELLOW,
        edgecolors=BLACK,
        linewidths=0.8,
        zorder=6,
        gid="best",
    )


def draw_ends(
    panel: Axes, trials: "Sequence[RankedTrial]", places: Sequence[float]
) -> list[Line2D]:
    """Mark trials without a result at the bottom of a panel, and return the legend's entries."""
    entries = []
    for state, (shape, words) in ENDS.items():
        at = [p for p, trial in zip(places, trials, strict=True) if trial.state == state]
        if not at:
            continue
        panel.scatter(
            at,
            [0.03] * len(at),
            s=26 if len(at) <= _CROWD else 8,
            marker=shape,
            c=BLACK,
            linewidths=1.1 if len(at) <= _CROWD else 0.5,
            zorder=5,
            transform=panel.get_xaxis_transform(),
            gid=state,
        )
        entries.append(entry(shape, BLACK, f"{words} ({len(at):,})"))
    return entries


def entry(
    shape: str, colour: str, words: str, *, face: str | None = None, size: float = 5.0
) -> Line2D:
    """Return a legend's entry: a mark and words."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=shape,
        color=colour,
        markerfacecolor=colour if face is None else face,
        markersize=size,
        label=words,
    )


def star_entry(words: str) -> Line2D:
    """Return the legend's entry of the winner."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker="*",
        markerfacecolor=YELLOW,
        markeredgecolor=BLACK,
        markeredgewidth=0.8,
        markersize=9,
        label=words,
    )


def tie_entries(ranking: "Ranking") -> list[Line2D]:
    """Return what filled and hollow marks mean, if there are both."""
    tied = {trial.tied for trial in measured(ranking)}
    if not {True, False} <= tied:
        return []
    worse = "below" if ranking.metric.sign > 0 else "worse than"
    return [
        entry("o", GREY, "tied with the best (filled)"),
        entry("o", GREY, f"{worse} the best, beyond chance", face="white"),
    ]
