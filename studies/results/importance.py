"""Which of several parameters matter: the share of the differences that each explains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Final

from coarsefine.db.connections.engine import Database
from coarsefine.studies.results.curves.runs import read_runs
from coarsefine.studies.results.predictions import scores_by_run
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.spaces.dimensions import shown, stored_range

# A random forest of fewer trials is all chance.
FEWEST: Final = 8


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of the variance of what trials are ranked by a parameter explains by itself.

    Attributes:
        by_seed: A share in [0, 1] for each seed that all trials were trained with.
    """

    name: str
    by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean over seeds."""
        return fmean(self.by_seed)

    @property
    def deviation(self) -> float | None:
        """Return the standard deviation over seeds; ``None`` for one."""
        return stdev(self.by_seed) if len(self.by_seed) > 1 else None


def lacks(ranking: Ranking) -> str | None:
    """Return why nothing can be said of a study's parameters, if so."""
    if len(ranking.searched) < 2:
        return f"importance needs a search over two parameters or more, this is over {ranking.over}"
    scores = [ranking.metric.of(trial) for trial in ranking.trials if trial.rank is not None]
    if len(scores) < FEWEST:
        return f"importance needs {FEWEST} complete trials, there are {len(scores)}"
    if len(set(scores)) < 2:
        what = ranking.metric.words.removeprefix("validation ")
        return f"importance needs trials that differ, all have the same {what}"
    return None


def read_importance(database: Database, ranking: Ranking) -> list[Importance]:
    """Return the importance of each parameter, the greatest first.

    Every seed that all complete trials have is judged by itself: how much these differ is the
    noise of the importance.

    Args:
        database: Where the study is.
        ranking: Of a study that ``lacks`` nothing.
    """
    from coarsefine.db.optuna.importance import importances

    trials = [trial for trial in ranking.trials if trial.rank is not None]
    known = scores_by_run(database, ranking.study, ranking.by)
    runs = read_runs(database, ranking, trials)
    own = [
        {run.replicate: known[run.id] for run in runs.get(trial.uuid or "", ()) if run.id in known}
        for trial in trials
    ]
    common = sorted(set.intersection(*(set(each) for each in own)))
    places = {
        name: _places(ranking, name, [trial.params[name] for trial in trials])
        for name in ranking.searched
    }
    by_seed = [
        importances(places, scores, seed=0)
        for replicate in common
        if len(set(scores := [each[replicate] for each in own])) > 1
    ]
    if not by_seed:
        means = [ranking.metric.of(trial) or 0.0 for trial in trials]
        by_seed = [importances(places, means, seed=0)]
    found = [Importance(name, tuple(each[name] for each in by_seed)) for name in places]
    return sorted(found, key=lambda each: -each.mean)


def _places(ranking: Ranking, name: str, values: Sequence[Any]) -> list[float | int]:
    """Return where values lie: on their range's scale in [0, 1], or the numbers of choices."""
    used = [value for value in values if value is not None]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in used):
        words = [shown(value) for value in values]
        known = list(dict.fromkeys(words))
        return [known.index(word) for word in words]
    low, high = min(used, default=0), max(used, default=0)
    if low == high:
        return [0.5] * len(values)
    stored = next(
        (d for stage in ranking.stages for d in stage.dimensions if d["name"] == name), {}
    )
    scale: Mapping[str, Any] = stored if low > 0 or "scale" in stored else {"scale": "linear"}
    searched = stored_range(scale, (float(low), float(high)))
    # A trial without a use for it stands in the middle: no value explains what it came to.
    return [
        0.5 if value is None else min(max(searched.position(float(value)), 0.0), 1.0)
        for value in values
    ]
