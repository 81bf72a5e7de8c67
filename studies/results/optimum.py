"""Where the best value of the one number that a study searches lies."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coarsefine.studies.results.evidence.optimum import FEWEST, Optimum, optimum_of
from coarsefine.studies.results.judging.statistics import dunnett_quantile
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.spaces.dimensions import PARAMETERS
from coarsefine.studies.spaces.refinement import UNKNOWN, Ends


@dataclass(frozen=True, slots=True)
class Located:
    """The optimum of a study over one number.

    Attributes:
        parameter: Its name.
        symbol: Its letter.
        curve: Over the logarithm of its values; scores are shares.
        low: The least value that may be the best, with 95 % confidence.
        high: The largest.
    """

    parameter: str
    symbol: str
    curve: Optimum
    low: float
    high: float

    @property
    def words(self) -> str:
        """Return it in a sentence; an end of what was tried is no end of what may be best."""
        below, beyond = self.curve.at_edge
        low = f"{self.low:.2g} or less" if below else f"{self.low:.2g}"
        high = f"{self.high:.2g} or more" if beyond else f"{self.high:.2g}"
        return f"the best {self.symbol} lies between {low} and {high} (95 % confidence)"

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        below, beyond = self.curve.at_edge
        return {
            "parameter": self.parameter,
            "low": self.low,
            "high": self.high,
            "may_lie_below": below,
            "may_lie_beyond": beyond,
            "words": self.words,
        }


def known_ends(found: Located | None) -> Ends:
    """Return from where to where the next stage has to look; ``None`` for ends that are open.

    The curve is known at places of its own: between two of them is as good as at one.
    """
    if found is None:
        return UNKNOWN
    step = float(found.curve.places[1] - found.curve.places[0])
    below, beyond = found.curve.at_edge
    return (
        None if below else found.low * math.exp(-step),
        None if beyond else found.high * math.exp(step),
    )


def located(ranking: Ranking) -> Located | None:
    """Return where the optimum of a study lies, as far as its trials tell.

    Scores are of the metric that the ranking goes by; their errors follow from the margins that
    trials are compared by, which leave out what all of them share.

    Returns:
        ``None`` unless one number was searched continuously, with four values > 0 or more, by a
        score that is a share, and networks have learnt.
    """
    name, comparison = ranking.numeric_parameter, ranking.comparison
    known = None if name is None else PARAMETERS.get(name)
    if name is None or known is None or not known.continuous or comparison is None:
        return None
    if not ranking.metric.share or not has_learnt(ranking) or comparison.n_points < FEWEST:
        return None
    rows = [
        (math.log(trial.params[name]), score, trial.margin or comparison.margin)
        for trial in ranking.trials
        if trial.params[name] > 0 and trial.margin is not None and trial.state == "complete"
        for score in [ranking.metric.of(trial)]
        if score is not None
    ]
    if len({place for place, *_ in rows}) < FEWEST:
        return None
    places, scores, margins = np.array(rows, np.float64).T
    # A margin is that many standard errors of a difference, which has the noise of two trials.
    errors = margins / (dunnett_quantile(len(rows) - 1, comparison.df or math.inf) * math.sqrt(2))
    found = optimum_of(places, scores, errors)
    if found is None:
        return None
    # What diverged is no better, so the best lies on this side of it.
    diverged = [t.params[name] for t in ranking.trials if t.state == "diverged"]
    below, beyond = found.at_edge
    below &= not any(value < math.exp(places.min()) for value in diverged)
    beyond &= not any(value > math.exp(places.max()) for value in diverged)
    found = replace(found, at_edge=(below, beyond))
    low, high = (math.exp(end) for end in found.interval)
    return Located(name, ranking.symbol(name), found, low, high)
