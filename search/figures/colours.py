"""Colours of what trials are ranked by: from the worst that has one of its own to the best."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.colors import Normalize

from coarsefine.search.figures.style import COLOUR_MAP
from coarsefine.search.figures.trials import measured, score, scores
from coarsefine.search.words import counted

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

# Scores this many times farther from the best than the median have the darkest colour.
_DEPTH: Final = 3.0


@dataclass(frozen=True, slots=True)
class Colours:
    """The scale of colours of a ranking.

    Attributes:
        norm: From scores, as axes show them, to places on the map.
        map: The name of the map: the best are light, whether more is better or less.
        n_beyond: Trials that have the darkest colour and are worse than that says.
    """

    ranking: "Ranking"
    norm: Normalize
    map: str
    n_beyond: int

    def value(self, trial: "RankedTrial") -> float | None:
        """Return a complete trial's score, as axes show it."""
        return score(self.ranking, trial)

    def of(self, value: float) -> Any:
        """Return the colour of a score."""
        return mpl.colormaps[self.map](self.norm(value))

    def light(self, value: float) -> float:
        """Return how light the colour of a score is, in [0, 1]."""
        place = float(self.norm(value))
        return place if self.ranking.metric.sign > 0 else 1 - place

    @property
    def worst(self) -> float:
        """Return the score of the darkest colour."""
        return float((self.norm.vmin if self.ranking.metric.sign > 0 else self.norm.vmax) or 0.0)

    @property
    def extend(self) -> str:
        """Return at which end of the scale there are worse trials."""
        if not self.n_beyond:
            return "neither"
        return "min" if self.ranking.metric.sign > 0 else "max"

    @property
    def note(self) -> str:
        """Return how many trials are worse than the scale shows, if any are."""
        side = "below" if self.ranking.metric.sign > 0 else "above"
        n = self.n_beyond
        return f"{counted(n, 'trial')} {side} the scale of colours" if n else ""


def colours_of(ranking: "Ranking") -> Colours:
    """Return how what trials are ranked by becomes colours.

    Args:
        ranking: With a complete trial.
    """
    sign = ranking.metric.sign
    ordered = sorted((sign * each for each in scores(ranking, measured(ranking))), reverse=True)
    best, median = ordered[0], ordered[len(ordered) // 2]
    low = ordered[-1]
    if best > median:
        low = max(low, best - _DEPTH * (best - median))
    if best - low < 1e-9:
        low = best - 1
    norm = Normalize(low, best) if sign > 0 else Normalize(-best, -low)
    n_beyond = sum(each < low - 1e-9 for each in ordered)
    return Colours(ranking, norm, COLOUR_MAP + ("" if sign > 0 else "_r"), n_beyond)
