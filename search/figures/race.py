"""A race over seeds: how far each value is behind the best, seed by seed, and who left when."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from coarsefine.hints import Message, option
from coarsefine.search.errors import Lack, require
from coarsefine.search.figures.style import (
    BLACK,
    GREY,
    house_style,
    light_grid,
    mark,
    new_sheet,
)
from coarsefine.search.figures.trials import entry
from coarsefine.search.hints import spelled
from coarsefine.search.words import counted
from coarsefine.studies.results.notes.race import counted_in, on_race, raced_over
from coarsefine.studies.results.scoring.splits import Splits

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.racing import Lane, RaceRun

# So many times δ are always shown, and values further behind where others are near.
_LEAST: Final = 2.0
_BAND: Final = "#E8E8E8"
# Names of so many values have a line of the legend each.
_MOST_NAMED: Final = 10


def lacks(subject: "Subject") -> Lack:
    """Return why a study has no such figure, if so."""
    ranking = subject.ranking
    if any(stage.race is not None and stage.race.n_trials > 1 for stage in ranking.stages):
        return None
    splits = Splits.of(ranking.study)
    if splits is not None:
        return f"race needs a search whose replicates are seeds alone, got {splits.word}s"
    return Message(
        "race needs a search with ",
        option("replicates", "auto"),
        ": no values were raced over seeds",
    )


def drawn(subject: "Subject") -> Figure:
    """Return how far the mean of each value is behind the best one's, by number of seeds.

    Raises:
        FigureError: If no values were raced.
    """
    from coarsefine.studies.results.racing import read_race

    require(lacks(subject))
    run = read_race(subject.database, subject.ranking)
    delta = 100 * run.race.indifference
    with house_style():
        what = f"the race over {raced_over(run.ranking)} of the {run.stage} values"
        sheet = new_sheet(run.ranking.study, what, heights=[2.8])
        panel = sheet.first
        panel.set_xlabel(counted_in(run.ranking))
        panel.set_ylabel("behind the best (points)")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        light_grid(panel)
        panel.axhspan(-delta, 0, color=_BAND, zorder=0, gid="indifference")
        panel.axhline(0, color=BLACK, linewidth=0.8, zorder=1)
        shown, beyond = _in_view(run.lanes, delta)
        entries = [_drawn(panel, i, lane, run) for i, lane in enumerate(shown)]
        lowest = min([-delta, *(min(lane.behind) for lane in shown)])
        highest = max([0.0, *(max(lane.behind) for lane in shown)])
        room = 0.08 * (highest - lowest)
        panel.set_ylim(lowest - room, highest + room)
        panel.set_xlim(0.7, run.race.n_seeds + 0.3)
        left = entry("x", GREY, "left the race")
        band = entry("s", _BAND, f"within {delta:g} points of the best")
        return sheet.finished([*entries[:_MOST_NAMED], left, band], (*_notes(run), *beyond))


def _in_view(lanes: "Sequence[Lane]", delta: float) -> "tuple[list[Lane], list[str]]":
    """Return the values to draw, and in words those that are too far behind to be drawn."""
    last = [-lane.behind[-1] for lane in lanes if lane.left is None]
    limit = 3 * max([_LEAST * delta, *last])
    shown = [lane for lane in lanes if lane.left is None or -lane.behind[-1] <= limit]
    n_beyond = len(lanes) - len(shown)
    if not n_beyond:
        return shown, []
    far = max(-lane.behind[-1] for lane in lanes)
    return shown, [f"{counted(n_beyond, 'value')} left up to {far:.2f} points behind, not drawn"]


def _drawn(panel: Axes, position: int, lane: "Lane", run: "RaceRun") -> Line2D:
    own = mark(position)
    best = lane.trial.uuid == run.best.uuid
    seeds = range(1, len(lane.behind) + 1)
    (line,) = panel.plot(
        list(seeds),
        lane.behind,
        color=BLACK if best else own.colour,
        linestyle="-" if best else own.line,
        linewidth=1.8 if best else 1.1,
        label=run.ranking.point(lane.trial.params),
        gid=f"{lane.trial.stage}-{lane.trial.trial}",
    )
    if lane.left is not None:
        panel.plot([lane.left], [lane.behind[-1]], "x", color=own.colour, markersize=6, gid="left")
    return line


def _notes(run: "RaceRun") -> list[str]:
    over = counted_in(run.ranking)
    start = f"race over {raced_over(run.ranking)}, {run.stage}: "
    verdicts = [spelled(Message(note)) for note in on_race(run.ranking)]
    ended = [line.removeprefix(start) for line in verdicts if line.startswith(start)]
    return [f"means over the first {over}, which all values share", *ended]
