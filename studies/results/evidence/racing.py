"""Races over seeds: which values may still be the best, and when another seed tells nothing.

All values get a few seeds, and then only those that may be the best get more, one by one. A value
leaves when another is ahead by more than chance explains at all looks together (``looks``), and the
race ends when no value that is left can be better than the best measured one by more than δ: the
selection of the best with an indifference zone, fully sequential and with common random numbers
(Kim and Nelson 2001). Variances are those of ``ties``, pooled over values, so that three seeds are
enough to begin with, and the validation samples are a part of the noise that seeds do not lessen.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.pairs import Present, Scores
from coarsefine.studies.results.evidence.standing import Standing
from coarsefine.studies.results.evidence.ties import ALPHA, Judged, judge

End = Literal["best", "close", "samples", "seeds"]


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
        n_samples: N; 0 where more samples would be other splits, of which little is known.
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
    pairs = Standing.of(judged, present, first, among[others], rules.looks.now)
    above = max(0.0, float((pairs.margin - pairs.lead).max()))
    below = float((pairs.lead + margins[others, best]).max())
    end: End | None = None
    if above <= rules.delta:
        end = "close"
    elif pairs.hopeless(rules.delta).any():
        end = "samples"
    elif (
        pairs.n_seeds >= rules.looks.most or not pairs.hopeful(rules.delta, rules.looks.most).any()
    ):
        end = "seeds"
    distance = pairs.sure + rules.delta
    samples = pairs.samples_needed(n_samples, distance, rules.looks.most) if n_samples else None
    seeds = pairs.seeds_needed(distance)
    return Look(first, left, end, above, below, ahead, samples, seeds)
