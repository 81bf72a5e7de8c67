"""How much more seeds move an accuracy than the samples that flip would: pooled over trials.

Of a pair with the mean squares MS_seed and MS_rest, MS_seed / MS_rest is about 1 if each sample
flips by itself from seed to seed, and more if seeds move many samples together. How many samples
flip is known for each pair, from thousands of samples; the ratio only from a handful of seeds. So
the ratio is what is pooled, robustly: one noisy trial must not change what is said of the others.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coarsefine.models import special
from coarsefine.studies.results.evidence.pairs import Pairs, Present, Real

# A trial counts at the most as this quantile of trials like the others (Huber 1964).
_HUBER: Final = 0.8
# A trial is noisier than the others if chance makes it so in one ranking of twenty.
_NOISY: Final = 0.05
# One that may be noisier, as chance makes so many in a ranking, is not judged by the others' noise:
# two seeds or three cannot show that it is like them.
_DOUBTFUL: Final = 1.0
# Among fewer trials none can be out of line.
_FEWEST: Final = 4
# A ratio means little where fewer samples flipped.
_FEWEST_FLIPS: Final = 5.0
# What the pooled ratio counts, in degrees of freedom, against a pair's own.
_WEIGHT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Spread:
    """How much seeds move differences.

    Attributes:
        ratio: MS_seed / MS_rest; 1 if samples flip independently of each other.
        df: Degrees of freedom of the ratio; infinite if it is assumed.
        extra: A variance that a seed adds to the difference of two runs, whatever their samples.
    """

    ratio: float = 1.0
    df: float = np.inf
    extra: float = 0.0


NETWORKS: Final = Spread()
"""Of the claim about the trained networks themselves: other seeds play no part."""

ASSUMED_DEVIATION: Final = 0.003
"""Standard deviation over seeds of the difference of two runs, beyond what their samples show,
that is assumed where no seed was repeated: 0.3 points."""

ASSUMED: Final = Spread(extra=ASSUMED_DEVIATION**2)
"""What is assumed where no seed was repeated and nothing else is known."""


def usable_ratios(pairs: Pairs, unit: float) -> tuple[Real, Present]:
    """Return MS_seed / MS_rest of each pair, NaN where it means little, and where that is not so.

    Args:
        pairs: (T, T).
        unit: By how much a score changes where a sample flips, squared.
    """
    flips = np.nan_to_num(pairs.rest) * pairs.n_samples * pairs.n_seeds
    usable: Present = pairs.replicated & ~np.eye(len(flips), dtype=bool)
    usable &= (flips > 0) & (flips >= _FEWEST_FLIPS * unit)
    ratio = np.full(flips.shape, np.nan)
    np.divide(pairs.seed, pairs.rest, out=ratio, where=usable)
    return ratio, np.asarray(usable)


def trial_ratios(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a ratio for each trial, the median of its pairs', (..., T).

    One noisy trial is in one pair of each of the others, and in all of its own.
    """
    n_trials = ratios.shape[-1]
    off = ~np.eye(n_trials, dtype=bool)
    others = ratios[..., off].reshape(*ratios.shape[:-2], n_trials, n_trials - 1)
    unknown: Present = np.asarray(np.isnan(others))
    if not unknown.any():
        return np.asarray(np.median(others, axis=-1))
    none: Present = np.asarray(unknown.all(axis=-1))
    filled = np.where(none[..., None], 0.0, others)
    return np.where(none, np.nan, np.nanmedian(filled, axis=-1))


def robust_mean(values: NDArray[np.float64], df: Real) -> NDArray[np.float64]:
    """Return the mean of ratios, of which none counts more than is usual.

    Args:
        values: (..., T), NaN where there is none.
        df: (T,), degrees of freedom of each.
    """
    known = np.isfinite(values)
    n_known = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=-1, keepdims=True) / n_known
    if values.shape[-1] >= _FEWEST:
        limit = special.chdtri(df, 1 - _HUBER) / df
        # What is left of a mean of equal ratios after the cut.
        left = special.chdtr(df + 2, limit * df) + limit * (1 - _HUBER)
        share = np.where(known, left, 0.0).sum(axis=-1, keepdims=True) / n_known
        share = np.where(share > 0, share, 1.0)
        for _ in range(15):
            cut = np.minimum(filled, limit * mean)
            mean = cut.sum(axis=-1, keepdims=True) / n_known / share
    return np.asarray(mean[..., 0])


@dataclass(frozen=True, slots=True)
class Pooled:
    """The pooled ratio, and that of each pair drawn towards it.

    Attributes:
        spread: Pooled over the trials that are not noisy.
        ratios: (T, T), what each pair is judged by.
        drawn: (B, T, T), what it would be in draws whose true ratio is 1.
        noisy: (T,), trials far noisier than the others, left out of what is pooled.
        alone: (T,), trials that may be noisier than the others; their pairs have their own ratio.
    """

    spread: Spread
    ratios: Real
    drawn: NDArray[np.float64]
    noisy: Present
    alone: Present


def pool(ratios: Real, drawn: NDArray[np.float64], df: Real, known: Spread | None = None) -> Pooled:
    """Return the pooled ratio.

    Args:
        ratios: (T, T), NaN where there is none.
        drawn: (B, T, T), ratios of draws whose true ratio is 1, to know how the pooling errs.
        df: (T, T), degrees of freedom of each pair's.
        known: What other trials of the same recipe said before.
    """
    n_trials = len(ratios)
    usable = np.isfinite(ratios)
    own = np.maximum(np.where(usable, df, 0).max(axis=1), 1)
    noisy: Present = np.zeros(n_trials, np.bool_)
    alone = noisy
    ratio, n_free, scales = _pooled(ratios, drawn, own, noisy)
    if n_trials >= _FEWEST and ratio > 0:
        most = special.fdtri(own, max(n_free, 1.0), 1 - _NOISY / n_trials)
        noisy = np.asarray(np.nan_to_num(trial_ratios(ratios) / ratio) > most)
        if noisy.any() and (~noisy).sum() >= _FEWEST - 1:
            ratio, n_free, scales = _pooled(ratios, drawn, own, noisy)
        else:
            noisy = np.zeros_like(noisy)
        least = special.fdtri(own, max(n_free, 1.0), 1 - min(0.5, _DOUBTFUL / n_trials))
        alone = noisy | np.asarray(np.nan_to_num(trial_ratios(ratios) / ratio) > least)
    if known is not None and np.isfinite(known.df):
        total = n_free + known.df
        ratio = (n_free * ratio + known.df * known.ratio) / total
        scales, n_free = (n_free * scales + known.df) / total, total
    judged = _towards(np.asarray(ratio), ratios, df)
    either = (alone[:, None] | alone[None]) & usable
    judged = np.where(either, np.maximum(np.nan_to_num(ratios), ratio), judged)
    pooled = Spread(float(ratio), float(n_free))
    return Pooled(pooled, judged, _towards(scales, drawn, df), noisy, alone)


def _pooled(
    ratios: Real, drawn: NDArray[np.float64], df: Real, noisy: Present
) -> tuple[float, float, NDArray[np.float64]]:
    """Return the pooled ratio, its degrees of freedom, and the pooled ratio of each draw."""
    kept = np.flatnonzero(~noisy)
    among = np.ix_(kept, kept)
    measured = float(robust_mean(trial_ratios(ratios[among]), df[kept]))
    draws = robust_mean(trial_ratios(drawn[:, among[0], among[1]]), df[kept])
    mean = float(draws.mean())
    return measured / mean, 2 * mean**2 / float(draws.var()), draws / mean


def _towards(pooled: NDArray[np.float64], own: NDArray[np.float64], df: Real) -> Real:
    """Return each pair's ratio, drawn towards the pooled one and never below it."""
    common = pooled[..., None, None]
    own = np.where(np.isnan(own), common, own)
    return np.asarray(np.maximum(common, (_WEIGHT * common + df * own) / (_WEIGHT + df)))
