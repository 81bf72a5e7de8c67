"""How much was searched for a study's best trial: values, seeds, ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.scoring.splits import Splits, n_folds_of
from coarsefine.studies.spaces.dimensions import shown, symbol_of
from coarsefine.studies.states import UNFINISHED

# More values than so many are counted, not listed.
_MOST_LISTED = 6


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a study was tuned; studies that were tuned alike have equal ones.

    Attributes:
        searched: What was varied, by name.
        n_values: Different values, or points, with a complete trial.
        seeds: The fewest and the most seeds that such a trial has, of folds on each of them.
        ranges: Where the first stage looked, in words, by name.
        stages: How many there are.
        n_lost: Trials that ended without an accuracy.
    """

    searched: tuple[str, ...]
    n_values: int
    seeds: tuple[int, int]
    ranges: tuple[tuple[str, str], ...]
    stages: int
    n_lost: int

    @property
    def looked_at(self) -> str:
        """Return in words where the first stage looked."""
        return "; ".join(f"{symbol_of(name)} {text}" for name, text in self.ranges) or "nothing"

    @property
    def seeds_in_words(self) -> str:
        """Return in words how many seeds a value has."""
        low, high = self.seeds
        return str(low) if low == high else f"{low} to {high}"


def tuning_of(ranking: Ranking) -> Tuning:
    """Return how a study was tuned."""
    complete = [trial for trial in ranking.trials if trial.rank is not None]
    n_folds = n_folds_of(Splits.of(ranking.study))
    seeds = [trial.replicates // n_folds for trial in complete]
    first = ranking.stages[0].dimensions if ranking.stages else ()
    return Tuning(
        searched=ranking.searched,
        n_values=len({repr(tuple(trial.params.items())) for trial in complete}),
        seeds=(min(seeds, default=0), max(seeds, default=0)),
        ranges=tuple((each["name"], _range(each)) for each in first),
        stages=len(ranking.stages),
        n_lost=sum(t.rank is None and t.state not in UNFINISHED for t in ranking.trials),
    )


def _range(dimension: Mapping[str, Any]) -> str:
    low, high, values = (dimension.get(key) for key in ("low", "high", "values"))
    if low is not None and high is not None:
        return f"from {shown(low)} to {shown(high)}"
    listed = list(map(shown, values or ()))
    return ", ".join(listed) if len(listed) <= _MOST_LISTED else f"{len(listed)} values"


def unequal(tunings: Sequence[Tuning]) -> list[tuple[str, list[str]]]:
    """Return in what respects studies were not tuned alike, each with what holds of which study."""
    respects = (
        ("searched", [" and ".join(map(symbol_of, each.searched)) or "–" for each in tunings]),
        ("range of the first stage", [each.looked_at for each in tunings]),
        ("stages", [str(each.stages) for each in tunings]),
        ("values tried", [str(each.n_values) for each in tunings]),
        ("seeds of each value", [each.seeds_in_words for each in tunings]),
        ("trials without an accuracy", [str(each.n_lost) for each in tunings]),
    )
    return [(name, words) for name, words in respects if len(set(words)) > 1]
