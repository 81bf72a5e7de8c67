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
# What another study says counts as so many degrees of freedom at the most, however many seeds it
# has: the true ratios of similar studies differ, too, as if by a standard deviation of √(2/8) = ½.
_MOST_KNOWN: Final = 8.0
# It does not count where the trials' own ratio is among such a share, the lowest or the highest, of
# ratios that are measured where the true ones are the same. If seeds move the other study less,
# margins come to be too narrow, which breaks the promise: so the highest share is large.
_LOWEST, _HIGHEST = 0.1, 0.4


@dataclass(frozen=True, slots=True)
class Spread:
    """How much seeds move differences.

    Attributes:
        ratio: MS_seed / MS_rest; 1 if samples flip independently of each other.
        df: Degrees of freedom of the ratio; infinite if it is assumed.
        extra: A variance that a seed adds to the difference of two runs, whatever their samples.
        joint: Whether the ratio is that of some trials together with those of another study.
    """

    ratio: float = 1.0
    df: float = np.inf
    extra: float = 0.0
    joint: bool = False

    def joined(self, known: "Spread | None") -> "Spread":
        """Return the ratio together with that of another study, where the two agree.

        Both count by their degrees of freedom, as a variance does that is moderated by others
        (Smyth 2004), the other one by no more than ``_MOST_KNOWN``. Whether they agree is asked by
        the F test of two variances.

        Args:
            known: Of the other study; ``None`` where there is none, and an assumed one is none.
        """
        if known is None or not np.isfinite(known.df) or known.ratio <= 0:
            return self
        df = min(known.df, _MOST_KNOWN)
        low, high = (special.fdtri(max(self.df, 1.0), df, p) for p in (_LOWEST, 1 - _HIGHEST))
        if not low * known.ratio <= self.ratio <= high * known.ratio:
            return self
        ratio = (self.df * self.ratio + df * known.ratio) / (self.df + df)
        return Spread(ratio, self.df + df, joint=True)


NETWORKS: Final = Spread()
"""Of the claim about the trained networks themselves: other seeds play no part."""

ASSUMED_DEVIATION: Final = 0.003
"""Standard deviation over seeds of the difference of two runs, beyond what their samples show,
that is assumed where no seed was repeated: 0.3 points."""

ASSUMED: Final = Spread(extra=ASSUMED_DEVIATION**2)
"""What is assumed where no seed was repeated and nothing else is known."""


def not_measured(spread: Spread | None, pairs: Pairs) -> Spread:
    """Return what is taken for the spread over seeds of trials that show none.

    Args:
        spread: What is known; ``None`` for nothing.
        pairs: Of the trials. If they have seeds, hardly any sample flips from one to the next, and
            they are unlike those whose ratio is known.
    """
    unlike = spread is not None and np.isfinite(spread.df) and pairs.replicated.any()
    return ASSUMED if spread is None or unlike else spread


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
        known: What trials of a similar study say.
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
    pooled = Spread(float(ratio), float(n_free)).joined(known)
    if pooled.joint:
        # The other study's ratio does not change from draw to draw.
        scales = 1 + (scales - 1) * (n_free / pooled.df)
    judged = _towards(np.asarray(pooled.ratio), ratios, df)
    either = (alone[:, None] | alone[None]) & usable
    judged = np.where(either, np.maximum(np.nan_to_num(ratios), pooled.ratio), judged)
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
