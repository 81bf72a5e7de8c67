"""What the stages of a study searched, in lines."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from coarsefine.search.words import value
from coarsefine.studies.results.ranking import Ranking

# Of values given one by one, so many are named.
_MOST_NAMED: Final = 6


def stage_lines(ranking: Ranking) -> list[str]:
    """Return what each stage searched, and why there."""
    lines = []
    for stage in ranking.stages:
        searched = [
            f"{ranking.symbol(each['name'])} {where}"
            for each in stage.dimensions
            if (where := _where(each))
        ]
        ends = f" {', '.join(searched)}" if searched else ""
        lines.append(f"{stage.name}:{ends} ({stage.reason})")
    return lines


def states_line(ranking: Ranking) -> str:
    """Return how many trials are in which state, in the order of the ranking."""
    states = Counter(trial.state for trial in ranking.trials)
    return ", ".join(f"{n} {state}" for state, n in states.items()) or "none"


def _where(dimension: Mapping[str, Any]) -> str:
    """Return the range that a stage searched, or its values."""
    low, high = dimension["low"], dimension["high"]
    if low is not None and high is not None and low != high:
        return f"from {value(low)} to {value(high)}"
    values = list(map(value, dimension["values"] or ()))
    if len(values) > _MOST_NAMED:
        return f"{', '.join(values[: _MOST_NAMED - 1])}, … {values[-1]}"
    return ", ".join(values)
