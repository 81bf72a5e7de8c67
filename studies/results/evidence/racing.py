"""Races over seeds: which values may still be the best, and when another seed tells nothing.

All values get a few seeds, and then only those that may be the best get more, one by one. A value
leaves when another is ahead by more than chance explains at all looks together (``looks``), and the
race ends when no value that is left can be better than the best measured one by more than δ: the
selection of the best with an indifference zone, fully sequential and with common random numbers
(Kim and Nelson 2001). Variances are those of ``ties``, pooled over values, so that three seeds are
enough to begin with, and the validation samples are a part of the noise that seeds do not lessen.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.pairs import Present, Real, Scores
from coarsefine.studies.results.evidence.ties import ALPHA, Judged, judge

End = Literal["best", "close", "samples", "seeds"]

# By so many standard errors a lead may be more, or less, than it seems.
_HOPE: Final = 1.0
_MOST_SEEDS, _MOST_SAMPLES = 1_000, 10_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How a race goes.

    Attributes:
        looks: After how many seeds it is looked at.
        delta: The largest difference that does not matter, > 0.
    """

    looks: Looks
    delta: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a race says after a seed.

    Attributes:
        best: The value with the highest mean of those that are left.
        left: (T,), which values leave now.
        end: Why the race ends: one value is left, the ``best``; those that are left are no better
            than it by more than δ, so ``close``; what limits are the ``samples``, or the ``seeds``
            that it may have. ``None`` if it goes on.
        above: By how much any value may be better than the best.
        below: By how much any that is left may be worse than it.
        ahead: By how much the best is better than all others at the least; <= 0 if that is open.
        samples: About how many validation samples end it, with as many seeds as it may have;
            ``None`` if none do.
        seeds: About how many seeds do.
    """

    best: int
    left: Present
    end: End | None
    above: float = 0.0
    below: float = 0.0
    ahead: float = 0.0
    samples: int | None = None
    seeds: int | None = None


def look(
    scores: Scores,
    present: Present,
    racing: Present,
    rules: Rules,
    *,
    unit: float = 1.0,
    alpha: float = ALPHA,
) -> Look:
    """Return what a race says of the seeds that there are.

    Args:
        scores: (T, S, N), by value, seed and sample; of runs that are not there, anything.
        present: (T, S).
        racing: (T,), which values are in the race: all with the same seeds. The others have left.
        rules: How the race goes.
        unit: By how much a score changes where a sample flips, squared.
        alpha: How often the truly best may leave.
    """
    judged = judge(scores, present, unit=unit, looks=rules.looks, alpha=alpha)
    return decided(judged, present, racing, rules, scores.shape[2])


def decided(
    judged: Judged, present: Present, racing: Present, rules: Rules, n_samples: int
) -> Look:
    """Return what a race says, by what is known of its values.

    Args:
        judged: All values, at all looks together.
        present: As in ``look``.
        racing: As in ``look``.
        rules: As in ``look``.
        n_samples: N.
    """
    among = np.flatnonzero(racing)
    leads = judged.leads[np.ix_(among, among)]
    margins = judged.margins[np.ix_(among, among)]
    # All of them have the same seeds: who is behind nobody is the best.
    best = int(np.flatnonzero((leads >= 0).all(axis=1))[0]) if len(among) > 1 else 0
    beaten = (leads - margins > 0).any(axis=0)
    left = np.zeros(len(present), np.bool_)
    left[among] = beaten
    others = np.flatnonzero(~beaten & (np.arange(len(among)) != best))
    rest = np.arange(len(among)) != best
    ahead = float((leads[best] - margins[:, best])[rest].min()) if rest.any() else 0.0
    first = int(among[best])
    if not len(others):
        return Look(first, left, "best", ahead=ahead)
    open_ones = among[others]
    pairs = Standing(
        lead=leads[best, others],
        margin=margins[best, others],
        multiple=judged.multiples[open_ones],
        least=judged.least,
        variance=np.square(judged.errors[first, open_ones]),
        seeds=judged.seed_variances[first, open_ones],
        flips=judged.flip_variances[first, open_ones],
        n_seeds=int(present[first].sum()),
    )
    above = max(0.0, float((pairs.margin - pairs.lead).max()))
    below = float((pairs.lead + margins[others, best]).max())
    end: End | None = None
    if above <= rules.delta:
        end = "close"
    elif pairs.hopeless(rules.delta).any():
        end = "samples"
    elif pairs.n_seeds >= rules.looks.most or not pairs.hopeful(rules).any():
        end = "seeds"
    return Look(
        *(first, left, end, above, below, ahead),
        pairs.samples_needed(n_samples, rules.delta, rules.looks.most),
        pairs.seeds_needed(rules.delta),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """The best beside the others that are left, an entry each.

    Attributes:
        lead: Of the best.
        margin: By how much it may be ahead by chance.
        multiple: What the margin is in standard errors once many seeds have shown how large these
            are.
        least: The margin that the fewest samples leave.
        variance: Of the lead.
        seeds: The part of it that more seeds lessen.
        flips: The part of that which more samples lessen, too.
        n_seeds: That all have.
    """

    lead: Real
    margin: Real
    multiple: Real
    least: float
    variance: Real
    seeds: Real
    flips: Real
    n_seeds: int

    @property
    def _samples(self) -> Real:
        """Return the part of the variance that seeds do not lessen."""
        return np.asarray(np.maximum(self.variance - self.seeds, 0.0))

    @property
    def _hoped(self) -> Real:
        """Return leads as they may come to be with more seeds."""
        return np.asarray(self.lead + _HOPE * np.sqrt(self.seeds))

    @property
    def _sure(self) -> Real:
        """Return leads as they may shrink to: the best one is in part the luckiest."""
        return np.asarray(np.maximum(self.lead - _HOPE * np.sqrt(self.variance), 0.0))

    def _open(self, delta: float) -> Present:
        return np.asarray(self.margin - self.lead > delta)

    def _after(self, n_seeds: float) -> Real:
        """Return the margins after so many seeds."""
        variance = self.seeds * self.n_seeds / n_seeds + self._samples
        return np.asarray(np.maximum(self.multiple * np.sqrt(variance), self.least))

    def hopeful(self, rules: Rules) -> Present:
        """Return which open pairs seeds may decide, be the lead a little larger than it seems."""
        within = self._after(rules.looks.most) <= self._hoped + rules.delta
        return np.asarray(self._open(rules.delta) & within)

    def hopeless(self, delta: float) -> Present:
        """Return which open pairs no number of seeds decides: the samples are too few."""
        return np.asarray(self._open(delta) & (self._after(math.inf) > self._hoped + delta))

    def samples_needed(self, n_samples: int, delta: float, n_seeds: int) -> int | None:
        """Return how many samples bring all margins down to leads and ``delta``."""
        fewer = self.n_seeds / max(n_seeds, self.n_seeds)
        room = np.square((self._sure + delta) / self.multiple)
        room -= (self.seeds - self.flips) * fewer
        if not (room > 0).all():
            return None
        share = float(((self.flips * fewer + self._samples) / room).max())
        most = n_samples * max(share, self.least / delta)
        return None if most > _MOST_SAMPLES else max(n_samples, math.ceil(most))

    def seeds_needed(self, delta: float) -> int | None:
        """Return how many seeds bring all margins down to leads and ``delta``."""
        room = np.square((self._sure + delta) / self.multiple) - self._samples
        if not (room > 0).all() or self.least > delta:
            return None
        most = float((self.n_seeds * self.seeds / room).max())
        return None if most > _MOST_SEEDS else max(self.n_seeds, math.ceil(most))
