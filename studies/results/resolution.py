"""Where to look next, and whether looking finer would tell anything."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.judging.statistics import (
    ROUNDING,
    Comparison,
    dunnett_quantile,
    range_quantile,
)
from coarsefine.studies.results.learning import equally_good, has_learnt
from coarsefine.studies.results.ranking import RankedTrial, Ranking, StageSummary
from coarsefine.studies.spaces.dimensions import parameter, stored_range
from coarsefine.studies.spaces.ranges import is_same
from coarsefine.studies.spaces.refinement import ScoredPoint, Window, refine
from coarsefine.studies.states import UNFINISHED


def resolution_reached(ranking: Ranking, stage_name: str) -> str | None:
    """Return that a finer search of a stage's range would tell luck from luck, in words.

    That is so when the values inside the range, three or more of them from all stages, the best
    among them, differ by no more than equal ones do by chance (Tukey's range test), and the best
    does not lie on the edge of all that was searched: beyond it, a better one may lie.

    Returns:
        ``None`` if it is not so, cannot be known yet, or the search is over anything but one
        parameter with numbers for values.
    """
    stage = next((stage for stage in ranking.stages if stage.name == stage_name), None)
    name, comparison = ranking.numeric_parameter, ranking.comparison
    if stage is None or name is None or comparison is None or not ranking.refines:
        return None
    if not has_learnt(ranking):
        return None
    inside = _inside(ranking, stage, name)
    n_values = len({f"{trial.params[name]:.9g}" for trial in inside})
    if n_values < _FEWEST_EQUAL or not _equal(ranking, inside, n_values, comparison):
        return None
    window = overall_window(ranking)
    if window is not None and window.edges:
        return None
    scores = [value for value in map(ranking.metric.of, inside) if value is not None]
    spread = ranking.metric.amount(max(scores) - min(scores))
    return (
        f"resolution reached: the {n_values} values of {ranking.symbol(name)} from {stage.low:.4g} "
        f"to {stage.high:.4g} differ by {spread}, no more than equal ones do by chance; "
        f"{comparison.lacking}, not more values, would tell them apart"
    )


# Two values that are tied say little about those between them.
_FEWEST_EQUAL: Final = 3


def _inside(ranking: Ranking, stage: StageSummary, name: str) -> list[RankedTrial]:
    """Return the complete trials in a stage's range; none if the stage is not finished."""
    if any(trial.stage == stage.name and trial.state in UNFINISHED for trial in ranking.trials):
        return []
    if stage.low is None or stage.high is None:
        return []
    low, high = stage.low, stage.high
    return [
        trial
        for trial in ranking.trials
        if trial.state == "complete"
        and (
            low <= trial.params[name] <= high
            or is_same(trial.params[name], low)
            or is_same(trial.params[name], high)
        )
    ]


def _equal(
    ranking: Ranking, trials: Sequence[RankedTrial], n_values: int, comparison: Comparison
) -> bool:
    """Return whether trials, the best among them, may all be equal."""
    if all(trial.rank != 1 for trial in trials):
        return False
    df = math.inf if comparison.df is None else max(1.0, comparison.df)
    # One that was left behind with fewer seeds has a wide margin, and is not equal for that.
    most = max(trial.replicates for trial in trials)
    if any(trial.tied is False and trial.replicates < most for trial in trials):
        return False
    # Margins are those of the table, of one against the best; here all are compared with all.
    wider = range_quantile(n_values, df) / dunnett_quantile(comparison.n_points - 1, df)
    return all(
        trial.difference is not None
        and trial.margin is not None
        and -ranking.metric.sign * trial.difference <= max(1.0, wider) * trial.margin + ROUNDING
        for trial in trials
    )


def overall_window(ranking: Ranking) -> Window | None:
    """Return where to look after all stages together; ``None`` if it has nothing to warn of.

    All together: a best value at the end of a fine window has coarse ones beyond it.
    """
    name, best = ranking.numeric_parameter, ranking.best
    if name is None or best is None:
        return None
    values = [float(trial.params[name]) for trial in ranking.trials]
    ends = [(s.low, s.high) for s in ranking.stages if s.low is not None and s.high is not None]
    stored = next((d for s in ranking.stages for d in s.dimensions), None)
    if len(values) > _MANY and min(values) < float(best.params[name]) < max(values):
        return None  # to narrow ranges by thousands of values takes long
    tied = equally_good(ranking)
    points = [
        ScoredPoint(value, ranking.score_of(t), t.validation_loss, t.state, t.uuid in tied)
        for value, t in zip(values, ranking.trials, strict=True)
    ]
    try:
        bounds = parameter(name).bounds(ranking.sizes)
        if not ends:
            return refine(points, None, bounds=bounds)
        searched = stored_range(stored or {}, (min(e[0] for e in ends), max(e[1] for e in ends)))
        if searched.log is searched:
            return refine(points, searched, bounds=bounds)
        places = [replace(point, value=searched.placed(point.value)) for point in points]
        placed = bounds.placed(searched.placed)
        return refine(places, searched.log, bounds=placed, native=searched.native)
    except StudyError:
        return None  # nothing is complete yet


# So many values are never few.
_MANY = 100
