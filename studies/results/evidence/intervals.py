"""Intervals of one trial's score: for new seeds and samples, and for these samples alone."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from coarsefine.models import special
from coarsefine.studies.results.evidence.pairs import Scores
from coarsefine.studies.results.evidence.quantiles import cautious_share, normal_quantile
from coarsefine.studies.results.evidence.spread import Spread

Interval = tuple[float, float]

CONFIDENCE: Final = 0.95

ASSUMED_RUN: Final = Spread(extra=0.003**2)
"""What is assumed of one run's accuracy where no seed was repeated: it varies over seeds by 0.3
points (standard deviation) beyond what its samples show."""

NETWORK: Final = Spread()
"""Of the claim about the trained network itself."""


class Estimate(NamedTuple):
    """What is known of a trial's mean score over new seeds and new samples.

    Attributes:
        error: Standard error of the measured mean.
        interval: 95 %.
    """

    error: float
    interval: Interval


def interval(scores: Scores, spread: Spread = ASSUMED_RUN, *, share: bool = True) -> Interval:
    """Return the 95 % interval of a trial's mean score over new seeds and new samples.

    The variance is that of a two-way layout of seeds by samples, its degrees of freedom by
    Satterthwaite (1946), with the seeds' part at an upper limit: two seeds that agree by chance do
    not make a short interval.

    Args:
        scores: (R, N), by seed and sample.
        spread: What is known of seeds where R = 1; ``NETWORK`` for the network itself.
        share: Whether scores are 0 and 1: then the interval is Wilson's (1927) for as many
            independent samples as have this variance, and lies in [0, 1].
    """
    return estimate(scores, spread, share=share).interval


def estimate(
    scores: Scores, spread: Spread = ASSUMED_RUN, *, share: bool = True, unit: float = 1.0
) -> Estimate:
    """Return the same interval with the standard error that it follows from.

    Args:
        scores: As for ``interval``.
        spread: Likewise.
        share: Likewise.
        unit: By how much a score changes where a sample flips, squared.
    """
    n_seeds, n_samples = scores.shape
    mean = float(scores.mean(dtype=np.float64))
    df = np.inf
    if n_seeds == 1:
        part = spread.ratio * _sample_variance(scores) / n_samples
        variance = part + spread.extra
        if np.isfinite(spread.df):
            df = float(cautious_share(np.array(part), np.array(0.0), np.array(spread.df)))
    else:
        part, kept = _parts(scores, share=share)
        variance = part + kept
        if _sample_variance(scores) > 0:
            df = float(cautious_share(np.array(part), np.array(kept), np.array(n_seeds - 1.0)))
    quantile, error = t_quantile(df), math.sqrt(variance)
    if not share:
        return Estimate(error, (mean - quantile * error, mean + quantile * error))
    extra = spread.extra if n_seeds == 1 else 0.0
    return Estimate(error, interval_of_share(mean, variance, n_samples / unit, quantile, extra))


def standard_error(scores: Scores, *, share: bool = True) -> float:
    """Return the standard error of a trial's mean score over new seeds and new samples.

    Args:
        scores: (R, N), by seed and sample; R > 1.
        share: Whether scores are 0 and 1.
    """
    return math.sqrt(sum(_parts(scores, share=share)))


def _sample_variance(scores: Scores) -> float:
    by_sample = scores.mean(axis=0, dtype=np.float64)
    return float(by_sample.var(ddof=1)) if len(by_sample) > 1 else 0.0


def _parts(scores: Scores, *, share: bool) -> tuple[float, float]:
    """Return the seeds' part of the variance of the mean, and the samples' beyond it."""
    n_seeds, n_samples = scores.shape
    mean = float(scores.mean(dtype=np.float64))
    by_sample = scores.mean(axis=0, dtype=np.float64)
    by_seed = scores.mean(axis=1, dtype=np.float64)
    residual = scores - by_seed[:, None] - by_sample + mean
    rest = float(np.square(residual).sum(dtype=np.float64))
    rest /= (n_seeds - 1) * max(1, n_samples - 1)
    part = float(by_seed.var(ddof=1)) / n_seeds
    kept = max(0.0, _sample_variance(scores) - rest / n_seeds) / n_samples
    # Equal counts hide what rounding to whole samples does (Sheppard 1898).
    return (max(part, 1 / (12 * n_samples**2 * n_seeds)) if share else part), kept


def estimate_of_accuracies(
    accuracies: Sequence[float],
    n_samples: int,
    spread: Spread = ASSUMED_RUN,
    *,
    share: bool = True,
) -> Estimate | None:
    """Return the 95 % interval for new seeds and samples where accuracies are all that was kept.

    How much of the sample's noise all seeds share is not known: all of it, then, which errs on the
    long side.

    Args:
        accuracies: By seed.
        n_samples: 0 if that is not known: then it is for new seeds on these samples.
        spread: What is known of seeds where there is one.
        share: Whether they lie in [0, 1].

    Returns:
        ``None`` if nothing is known of the noise.
    """
    n_seeds = len(accuracies)
    if not n_seeds or (n_seeds == 1 and not n_samples):
        return None
    if n_seeds == 1:
        return _of_one_run(accuracies[0], n_samples, spread.extra)
    mean, variance = mean_and_variance(accuracies)
    kept = mean * (1 - mean) / n_samples if n_samples else 0.0
    part = variance / n_seeds
    if n_samples:
        part = max(part, 1 / (12 * n_samples**2 * n_seeds))
    df = float(cautious_share(np.array(part), np.array(kept), np.array(n_seeds - 1.0)))
    error = math.sqrt(part + kept)
    if not n_samples:
        return Estimate(error, _around(mean, t_quantile(df) * error, share=share))
    return Estimate(error, interval_of_share(mean, part + kept, n_samples, t_quantile(df), 0.0))


def interval_of_accuracies(accuracies: Sequence[float], n_samples: int) -> Interval | None:
    """Return the interval alone."""
    found = estimate_of_accuracies(accuracies, n_samples)
    return None if found is None else found.interval


@lru_cache(maxsize=4096)
def _of_one_run(accuracy: float, n_samples: int, extra: float) -> Estimate:
    variance = accuracy * (1 - accuracy) / n_samples + extra
    ends = interval_of_share(accuracy, variance, n_samples, t_quantile(np.inf), extra)
    return Estimate(math.sqrt(variance), ends)


def on_these_samples(scores: Scores, *, share: bool = True) -> Interval | None:
    """Return the 95 % interval of the mean over new seeds, on these samples (Student 1908).

    ``None`` for one seed.
    """
    n_seeds, n_samples = scores.shape
    if n_seeds < 2:
        return None
    return over_seeds(scores.mean(axis=1, dtype=np.float64).tolist(), n_samples, share=share)


def over_seeds(values: Sequence[float], n_samples: int, *, share: bool = True) -> Interval | None:
    """Return the same interval where scores are known by seed alone.

    Args:
        values: By seed.
        n_samples: 0 if that is not known.
        share: Whether they lie in [0, 1].
    """
    n_seeds = len(values)
    if n_seeds < 2:
        return None
    mean, variance = mean_and_variance(values)
    if share and n_samples:
        variance = max(variance, 1 / (12 * n_samples**2))
    return _around(mean, t_quantile(n_seeds - 1.0) * math.sqrt(variance / n_seeds), share=share)


def mean_and_variance(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of two values or more and their variance, by exact sums."""
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _around(mean: float, half: float, *, share: bool) -> Interval:
    low, high = mean - half, mean + half
    return (max(0.0, low), min(1.0, high)) if share else (low, high)


@lru_cache(maxsize=1024)
def t_quantile(df: float) -> float:
    """Return how many standard errors a 95 % interval reaches, known with so many degrees."""
    level = (1 + CONFIDENCE) / 2
    return float(normal_quantile(level) if not np.isfinite(df) else special.stdtrit(df, level))


def interval_of_share(
    mean: float, variance: float, n_samples: float, quantile: float, extra: float = 0.0
) -> Interval:
    """Return Wilson's (1927) interval for as many samples as would have this variance.

    Args:
        mean: In [0, 1].
        variance: Of the mean.
        n_samples: As many there are, where the mean is 0 or 1 and all samples agree.
        quantile: How many standard errors it reaches.
        extra: The part of the variance that has nothing to do with samples.
    """
    binomial = mean * (1 - mean)
    effective = binomial / variance if variance > 0 and binomial > 0 else n_samples
    if not binomial:
        effective = 1 / (1 / n_samples + 4 * extra)
    # No more seeds make more samples of what each of them shares.
    z2 = quantile * quantile
    scale = 1 / (1 + z2 / effective)
    middle = scale * (mean + z2 / (2 * effective))
    half = scale * quantile * math.sqrt(binomial / effective + z2 / (4 * effective**2))
    low = 0.0 if mean <= 0 else max(0.0, middle - half)
    high = 1.0 if mean >= 1 else min(1.0, middle + half)
    return float(low), float(high)
