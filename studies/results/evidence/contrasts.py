"""Trials of different studies compared by a test: better, equivalent, or undecided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from coarsefine.models import special
from coarsefine.studies.results.evidence.pairs import Real, Scores, compared
from coarsefine.studies.results.evidence.quantiles import cautious_share
from coarsefine.studies.results.evidence.spread import ASSUMED, Spread

ALPHA: Final = 0.05
# More of either would not be trained: a figure beyond it says no more than this one.
_MOST_SEEDS, _MOST_SAMPLES = 1_000, 1_000_000

Verdict = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """What can be said of the difference of two trials, over new seeds and new samples.

    Attributes:
        difference: Mean score of the first less that of the second.
        error: Its standard error.
        df: Degrees of freedom of the error.
        seed_variance: Variance that one seed adds; divided by R it is the seeds' part.
        flip_variance: The share of it that is due to single samples, and falls with their number.
        sample_variance: Variance that one sample adds; divided by N it is the samples' part.
        n_seeds: R, of the trial that has fewer.
        n_samples: N, likewise.
        p: Two-sided probability of such a difference where there is none.
        adjusted: The same after Holm (1979), over all contrasts that are looked at together.
        interval: 95 % for this contrast alone.
        verdict: ``better`` or ``worse`` if the difference is not 0 after adjustment; ``equivalent``
            if it is smaller than δ, even where it is not 0.
        by_at_least: Whether the difference is even larger than δ.
        assumed: Whether the seeds' part is an assumption: one of the trials has one seed.
        step: What the difference is rounded by: a correction for continuity, as Edwards (1948) has
            it for McNemar's test.
    """

    difference: float
    error: float
    df: float
    seed_variance: float
    flip_variance: float
    sample_variance: float
    n_seeds: int
    n_samples: int
    p: float = 1.0
    adjusted: float = 1.0
    interval: tuple[float, float] = (-np.inf, np.inf)
    verdict: Verdict = "undecided"
    by_at_least: bool = False
    assumed: bool = False
    step: float = 0.0


def contrast(
    a: Scores,
    b: Scores,
    *,
    same_samples: bool = True,
    same_seeds: bool = True,
    spread: Spread | None = None,
    unit: float = 1.0,
) -> Contrast:
    """Return the difference of two trials with its error.

    Args:
        a: (R, N), by seed and sample.
        b: (R', N').
        same_samples: Whether both were measured on the same samples, in the same order.
        same_seeds: Whether the first seeds of both are the same. The rest is not looked at.
        spread: What is known of seeds from elsewhere: where one of the trials has one, and of such
            pairs where both have the same seeds and samples (``between``).
        unit: By how much a score changes where a sample flips, squared; 0 for losses.
    """
    if same_samples and a.shape[1] != b.shape[1]:
        raise ValueError(f"the same samples must be as many, got {a.shape[1]} and {b.shape[1]}")
    n_samples = min(a.shape[1], b.shape[1])
    n_seeds = min(len(a), len(b))
    if same_seeds and same_samples:
        a, b = a[:n_seeds], b[:n_seeds]
    known = ASSUMED if spread is None else spread
    difference = float(a.mean(dtype=np.float64) - b.mean(dtype=np.float64))
    if same_samples:
        by_sample = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
        sample_part = float(by_sample.var(ddof=1)) / n_samples
    else:
        sample_part = sum(
            float(each.mean(axis=0, dtype=np.float64).var(ddof=1)) / each.shape[1]
            for each in (a, b)
        )
    flips = 0.0
    if n_seeds == 1:
        seed_part, df = (known.ratio - 1) * sample_part + known.extra, known.df
    elif same_samples and same_seeds:
        pairs = compared(np.stack((a, b)).astype(np.float64), np.ones((2, n_seeds), np.bool_))
        seed_part = float(pairs.seed[0, 1]) / (n_seeds * n_samples)
        flips = float(pairs.rest[0, 1]) / (n_seeds * n_samples)
        sample_part = float(pairs.kept[0, 1]) / n_samples
        df = n_seeds - 1.0
        if spread is not None and flips > 0:
            seed_part, df = spread.ratio * flips, spread.df
    else:
        seed_part, flips, df = _apart(a, b)
        sample_part = max(0.0, sample_part - flips)
    sample_part += 1.5 * unit / n_samples**2
    variance = seed_part + sample_part
    if n_seeds > 1:
        df = float(cautious_share(np.array(seed_part), np.array(sample_part), np.array(df)))
    return Contrast(
        difference=difference,
        error=float(np.sqrt(variance)),
        df=df,
        seed_variance=seed_part * n_seeds,
        flip_variance=min(flips, seed_part) * n_seeds,
        sample_variance=sample_part * n_samples,
        n_seeds=n_seeds,
        n_samples=n_samples,
        assumed=n_seeds == 1,
        step=float(np.sqrt(unit)) / (n_seeds * n_samples),
    )


def contrast_of_accuracies(
    a: Sequence[float],
    b: Sequence[float],
    n_samples: tuple[int, int],
    *,
    same_seeds: bool = True,
    spread: Spread = ASSUMED,
) -> Contrast:
    """Return the difference of two trials of which accuracies are all that was kept.

    Which samples they share is not known: each counts as measured on samples of its own, which errs
    on the side of undecided.

    Args:
        a: By seed.
        b: By seed.
        n_samples: How many samples each was measured on, >= 1.
        same_seeds: Whether the first seeds of both are the same. The rest is not looked at.
        spread: What is known of seeds where one of them has one.
    """
    n_seeds = min(len(a), len(b))
    if same_seeds:
        a, b = a[:n_seeds], b[:n_seeds]
    one, other = np.array(a, np.float64), np.array(b, np.float64)
    means = float(one.mean()), float(other.mean())
    sample_part = sum(
        max(mean * (1 - mean), 1 / n) / n for mean, n in zip(means, n_samples, strict=True)
    )
    # Rounding to whole samples hides a twelfth of a step, squared, of either (Sheppard 1898).
    hidden = sum(1 / (12 * n**2) for n in n_samples)
    if n_seeds == 1:
        seed_part, df = spread.extra, spread.df
    elif same_seeds:
        seed_part, df = max(float((one - other).var(ddof=1)), hidden) / n_seeds, n_seeds - 1.0
    else:
        parts = [float(each.var(ddof=1)) / len(each) for each in (one, other)]
        seed_part = max(sum(parts), hidden / n_seeds)
        df = _welch(parts, (len(one), len(other)))
    if n_seeds > 1:
        df = float(cautious_share(np.array(seed_part), np.array(sample_part), np.array(df)))
    n = min(n_samples)
    return Contrast(
        difference=means[0] - means[1],
        error=float(np.sqrt(seed_part + sample_part)),
        df=float(df),
        seed_variance=seed_part * n_seeds,
        flip_variance=0.0,
        sample_variance=sample_part * n,
        n_seeds=n_seeds,
        n_samples=n,
        assumed=n_seeds == 1,
        step=1 / (n_seeds * n),
    )


def _welch(parts: Sequence[float], n_seeds: Sequence[int]) -> float:
    """Return the degrees of freedom of a sum of variances (Welch 1947)."""
    shares = sum(part**2 / (n - 1) for part, n in zip(parts, n_seeds, strict=True))
    return max(1.0, sum(parts) ** 2 / shares) if shares > 0 else min(n_seeds) - 1.0


def _apart(a: Scores, b: Scores) -> tuple[float, float, float]:
    """Return the seeds' part of two trials with seeds of their own, and its degrees of freedom.

    The part of it that is due to flips of samples is in the samples' means, too: it comes second.
    """
    parts, flips = [], []
    for each in (a, b):
        n_seeds, n_samples = each.shape
        by_seed = each.mean(axis=1, dtype=np.float64)
        by_sample = each.mean(axis=0, dtype=np.float64)
        rest = each - by_seed[:, None] - by_sample + by_seed.mean()
        square = float(np.square(rest).sum(dtype=np.float64)) / ((n_seeds - 1) * (n_samples - 1))
        parts.append(float(by_seed.var(ddof=1)) / n_seeds)
        flips.append(square / (n_seeds * n_samples))
    return sum(parts), sum(flips), _welch(parts, (len(a), len(b)))


def decided(
    contrasts: Sequence[Contrast], delta: float, alpha: float = ALPHA
) -> tuple[Contrast, ...]:
    """Return contrasts with p values, intervals and verdicts, adjusted for how many there are.

    All follow from one interval: the difference is not 0 if 0 lies outside, it is larger than
    ``delta`` if all of the interval is, and equivalent (Schuirmann 1987) if all of it is within
    ``delta`` of 0. So each of the two one-sided tests has half of ``alpha``. Of several contrasts,
    each of the three questions is adjusted after Holm.

    Args:
        contrasts: All that are looked at together.
        delta: The largest difference that does not matter, > 0.
        alpha: How often any verdict may be wrong.
    """
    if not contrasts:
        return ()
    d, error, df, step = (
        np.array([getattr(each, name) for each in contrasts])
        for name in ("difference", "error", "df", "step")
    )
    error = np.where(error > 0, error, np.finfo(float).tiny)
    p, beyond, within = (
        np.minimum(1.0, 2 * tail((distance - step) / error, df))
        for distance in (np.abs(d), np.abs(d) - delta, delta - np.abs(d))
    )
    adjusted, beyond, within = holm(p), holm(beyond), holm(within)
    half = np.where(
        np.isfinite(df),
        special.stdtrit(np.where(np.isfinite(df), df, 1.0), 1 - alpha / 2),
        special.ndtri(1 - alpha / 2),
    )
    found = []
    for i, each in enumerate(contrasts):
        verdict: Verdict = "undecided"
        if within[i] <= alpha:
            verdict = "equivalent"
        elif adjusted[i] <= alpha:
            verdict = "better" if d[i] > 0 else "worse"
        width = half[i] * error[i] + step[i]
        ends = (float(d[i] - width), float(d[i] + width))
        found.append(
            replace(
                each,
                p=float(p[i]),
                adjusted=float(adjusted[i]),
                interval=ends,
                verdict=verdict,
                by_at_least=bool(beyond[i] <= alpha),
            )
        )
    return tuple(found)


def holm(p: Real) -> Real:
    """Return p values adjusted for their number (Holm 1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted


@dataclass(frozen=True, slots=True)
class Needed:
    """What would decide a contrast if its difference stays as it is; ``None`` if nothing would.

    Attributes:
        seeds: Seeds in all, on the same samples.
        samples: Samples in all, with the same seeds.
    """

    seeds: int | None
    samples: int | None


def needed(each: Contrast, delta: float, n_contrasts: int = 1, alpha: float = ALPHA) -> Needed:
    """Return how many seeds, or how many samples, would decide an undecided contrast.

    Args:
        each: As measured.
        delta: The largest difference that does not matter.
        n_contrasts: How many are looked at together.
        alpha: How often any verdict may be wrong.
    """
    distance = max(abs(each.difference), abs(delta - abs(each.difference))) - each.step
    if distance <= 0:
        return Needed(None, None)
    level = alpha / n_contrasts / 2

    def decides(n_seeds: int, n_samples: int) -> bool:
        flips = each.flip_variance * each.n_samples / n_samples
        seed_part = (each.seed_variance - each.flip_variance + flips) / n_seeds
        variance = seed_part + each.sample_variance / n_samples
        if n_seeds < 2:
            return bool(distance >= -special.ndtri(level) * np.sqrt(variance))
        df = (n_seeds - 1) * (variance / seed_part) ** 2 if seed_part > 0 else 1e9
        return bool(distance >= -special.stdtrit(df, level) * np.sqrt(variance))

    # What is undecided by a hair takes one more: degrees of freedom are cautious there.
    seeds = least_number(lambda n: decides(n, each.n_samples), each.n_seeds + 1, _MOST_SEEDS)
    samples = least_number(lambda n: decides(each.n_seeds, n), each.n_samples + 1, _MOST_SAMPLES)
    return Needed(seeds, samples)


def least_number(decides: Callable[[int], bool], start: int, most: int) -> int | None:
    """Return the least number from ``start`` to ``most`` that decides."""
    high = max(1, start)
    while not decides(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return max(high, start)


def tail(t: Real, df: Real) -> Real:
    """Return the probability that Student's t, or a normal number, is above ``t``."""
    finite = np.where(np.isfinite(df), df, 1.0)
    return np.asarray(np.where(np.isfinite(df), special.stdtr(finite, -t), special.ndtr(-t)))


def mcnemar(a: Scores, b: Scores) -> float:
    """Return the exact two-sided p value of McNemar's (1947) test of two networks.

    Args:
        a: (N,), whether the first was right.
        b: (N,), whether the second was.
    """
    first = int(np.count_nonzero((a > 0) & (b == 0)))
    second = int(np.count_nonzero((a == 0) & (b > 0)))
    n = first + second
    return min(1.0, 2 * float(special.bdtr(min(first, second), n, 0.5))) if n else 1.0
