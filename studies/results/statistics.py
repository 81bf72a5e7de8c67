"""How sure a ranking is: intervals of accuracies, and ties with the best.

``docs/statistics.md`` says what is claimed, where each method comes from, and how often it errs.
Imports no library: a ranking of thousands of trials should be there at once.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist, fmean, median
from typing import Final, Literal, NamedTuple

Interval = tuple[float, float]

CONFIDENCE: Final = 0.95
"""Of every interval, and of the best trial being among those that are not told from the first."""

# A trial is as noisy as the others unless chance makes it so in one ranking of a hundred.
_NOISY: Final = 0.01
# Means that differ by less than this, relatively, differ by rounding.
ROUNDING: Final = 1e-12


class Measured(NamedTuple):
    """What was measured of a complete trial.

    Attributes:
        point: Its parameters; trials of the same point are one value that was tried.
        accuracies: Validation accuracy by replicate, in [0, 1]; runs of the same replicate share
            first weights and batches.
    """

    point: Hashable
    accuracies: Mapping[int, float]


class Verdict(NamedTuple):
    """What can be said of a trial.

    Attributes:
        interval: 95 % interval of its accuracy; ``None`` if nothing is known of its noise.
        standard_deviation: Over replicates; ``None`` for one.
        difference: To the best trial, over the replicates that both have.
        margin: How large a difference may be by chance.
        tied: Whether it cannot be told from the best, or is the best and others are not told
            from it; ``None`` if nothing is known.
    """

    interval: Interval | None = None
    standard_deviation: float | None = None
    difference: float | None = None
    margin: float | None = None
    tied: bool | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the trials of a ranking were compared with the best.

    Attributes:
        method: ``paired`` over replicates, or ``binomial`` where seeds were not repeated.
        n_points: Different values that were compared, the best among them.
        n_tied: How many of them are tied; 0 if the best stands alone.
        n_replicates: The most that a trial has.
        df: Degrees of freedom of the noise; ``None`` where it is known.
        margin: Largest difference between two trials like the best that chance explains.
        seed_margin: What it would be if the validation sample were all there is; ``None`` where
            seeds were not repeated.
        sample_margin: What it would be at the least with any number of seeds.
        optimism: By how much the best of the tied ones looks better than it is, if all are equal;
            about the most that it can be where seeds were not repeated.
        n_noisy: Trials judged by their own noise, which is far above that of the others.
    """

    method: Literal["paired", "binomial"]
    n_points: int
    n_tied: int
    n_replicates: int
    df: int | None
    margin: float
    seed_margin: float | None
    sample_margin: float
    optimism: float
    n_noisy: int = 0

    @property
    def lacking(self) -> str:
        """Return what would tell more of the tied trials apart."""
        if self.seed_margin is None:
            # Of an accuracy near 100 %, a few samples are most of what one run leaves open.
            few = 2 * self.sample_margin > self.margin
            return "more validation samples and replicates" if few else "replicates"
        few = self.seed_margin < self.sample_margin
        return "more validation samples" if few else "more replicates"


# ------------------------------------------------------------------------------------ intervals


def binomial_error(accuracy: float, n_samples: int) -> float:
    """Return the standard error of an accuracy measured on so many samples."""
    return math.sqrt(accuracy * (1 - accuracy) / n_samples)


def wilson(accuracy: float, n_samples: int) -> Interval:
    """Return the 95 % interval of an accuracy measured on so many samples (Wilson 1927).

    >>> low, high = wilson(1.0, 100)
    >>> round(low, 4), high
    (0.963, 1.0)
    """
    z2 = _Z * _Z
    scale = 1 / (1 + z2 / n_samples)
    middle = scale * (accuracy + z2 / (2 * n_samples))
    half = scale * _Z * math.sqrt(_variance(accuracy) / n_samples + z2 / (4 * n_samples**2))
    # At 0 and 1 the end is exactly there, but for rounding.
    low = 0.0 if accuracy <= 0 else max(0.0, middle - half)
    high = 1.0 if accuracy >= 1 else min(1.0, middle + half)
    return low, high


def student(accuracies: Sequence[float], step: float = 0.0) -> Interval:
    """Return the 95 % interval of the mean of several accuracies (Student 1908).

    Args:
        accuracies: Two or more.
        step: Accuracies are multiples of this, as 1/N is for N samples: equal ones still differ by
            what the step hides.
    """
    return _student(fmean(accuracies), _deviation(accuracies), len(accuracies), step)


def _student(mean: float, deviation: float, n: int, step: float) -> Interval:
    variance = max(deviation * deviation, _hidden(step))
    half = student_quantile(n - 1) * math.sqrt(variance / n)
    return max(0.0, mean - half), min(1.0, mean + half)


def _deviation(values: Sequence[float]) -> float:
    """Return the standard deviation, exactly 0 of equal values.

    As exact as is needed, and twenty times as fast as Python's own, which reckons with fractions.
    """
    if min(values) == max(values):
        return 0.0
    mean = fmean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def _variance(accuracy: float) -> float:
    return max(0.0, accuracy * (1 - accuracy))


def _hidden(step: float) -> float:
    """Return the variance that rounding to multiples of ``step`` may hide (Sheppard 1898)."""
    return step * step / 12


# ------------------------------------------------------------------------------------ quantiles


@lru_cache(maxsize=256)
def student_quantile(df: float) -> float:
    """Return how many standard errors a two-sided 95 % interval reaches to either side.

    Args:
        df: Degrees of freedom, >= 1.

    >>> round(student_quantile(2), 3), round(student_quantile(1e9), 3)
    (4.303, 1.96)
    """
    return _quantile(_all_below(1), df, (1 + CONFIDENCE) / 2)


@lru_cache(maxsize=256)
def dunnett_quantile(n_others: int, df: float = math.inf) -> float:
    """Return how many standard errors of a difference the best of equals may be ahead of one.

    That is Dunnett's (1955) one-sided 95 % quantile, which multiple comparisons with the best use
    (Hsu 1984): differences of so many others to one, all with the same variance.

    Args:
        n_others: How many are compared with one, >= 1.
        df: Degrees of freedom of the variance, >= 1.

    >>> round(dunnett_quantile(9, 5), 2), round(dunnett_quantile(1), 3)
    (3.3, 1.645)
    """
    return _quantile(_all_below(n_others), df, CONFIDENCE)


@lru_cache(maxsize=256)
def range_quantile(n: int, df: float = math.inf) -> float:
    """Return how many standard errors of a difference the best of ``n`` equals is from the worst.

    That is Tukey's (1953) studentized range at 95 %, over √2.

    >>> round(range_quantile(8, 14) * math.sqrt(2), 2)
    4.99
    """
    return _quantile(_all_within(n), df, CONFIDENCE)


# Trapezoids on a bell curve converge fast.
_SHARED: Final = tuple((i / 4, math.exp(-((i / 4) ** 2) / 2)) for i in range(-32, 33))
_SHARED_TOTAL: Final = sum(weight for _, weight in _SHARED)
_ROOT2: Final = math.sqrt(2)


def _all_below(n: int) -> Callable[[float], float]:
    """Return the probability that ``n`` differences to one shared normal number are below ``d``.

    The differences have a variance of 1.
    """

    def probability(d: float) -> float:
        terms = (w * (math.erfc(-(d + z / _ROOT2)) / 2) ** n for z, w in _SHARED)
        return sum(terms) / _SHARED_TOTAL

    return probability


def _all_within(n: int) -> Callable[[float], float]:
    """Return the probability that all differences among ``n`` normal numbers are below ``d``."""

    def probability(d: float) -> float:
        # The largest is at z, the others are below it by no more than d √2.
        terms = (
            w * ((math.erfc(-z / _ROOT2) - math.erfc(-z / _ROOT2 + d)) / 2) ** (n - 1)
            for z, w in _SHARED
        )
        return n * sum(terms) / _SHARED_TOTAL

    return probability


def _quantile(probability: Callable[[float], float], df: float, confidence: float) -> float:
    """Return where a probability reaches ``confidence``, in estimated standard deviations.

    The estimate is integrated over, on a log scale.
    """
    scales = [(1.0, 1.0)]
    if df < _INFINITE:
        half = 6 / math.sqrt(df)
        low, high = -half - 6 / df, min(half, 2.0)
        grid = [low + (high - low) * i / 48 for i in range(49)]
        scales = [(math.exp(y), math.exp(df * y - df * math.expm1(2 * y) / 2)) for y in grid]
    total = sum(weight for _, weight in scales)

    def reached(d: float) -> bool:
        return sum(weight * probability(d * s) for s, weight in scales) >= confidence * total

    low, high = 0.0, 2.0
    while not reached(high):
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


# With so many degrees of freedom the variance is as good as known: quantiles agree to four digits.
_INFINITE: Final = 20_000


# ------------------------------------------------------------------------------------- verdicts


def compare(
    measured: Sequence[Measured], best: int, n_samples: int
) -> tuple[list[Verdict], Comparison | None]:
    """Return what can be said of each trial, and how it was compared with the best.

    Differences are tested against the noise of seeds and, as far as that is known without what
    each sample gave, of the validation sample; where seeds were not repeated, against that of two
    samples.

    Args:
        measured: Complete trials.
        best: Position of the one that the others are compared with.
        n_samples: Validation samples; 0 if that is not known.

    Returns:
        A verdict a trial, and ``None`` in place of the comparison if there is nothing to compare,
        or nothing is known of the noise.
    """
    step = 1 / n_samples if n_samples else 0.0
    noise = _noise(measured, step)
    points = {trial.point for trial in measured}
    n_others = max(1, len(points) - 1)
    least = fewest_samples(n_others) * step
    if noise is not None:
        compared = _paired(measured, best, n_others, noise, least)
    elif n_samples:
        compared = _binomial(measured, best, n_others, n_samples, least)
    else:
        compared = [(None, None)] * len(measured)
    ties = [None if d is None or m is None else -d <= m + ROUNDING for d, m in compared]
    tied = {trial.point for trial, tie in zip(measured, ties, strict=True) if tie}
    alone = len(tied) < 2
    verdicts = []
    for (_, accuracies), (difference, margin), close in zip(measured, compared, ties, strict=True):
        interval: Interval | None = None
        deviation = None
        if len(accuracies) > 1:
            values = list(accuracies.values())
            deviation = _deviation(values)
            interval = _student(fmean(values), deviation, len(values), step)
        elif n_samples and accuracies:
            (value,) = accuracies.values()
            interval = wilson(value, n_samples)
        tie = None if close is None else close and not alone
        verdicts.append(Verdict(interval, deviation, difference, margin, tie))
    if len(points) < 2 or verdicts[best].tied is None:
        return verdicts, None
    n_replicates = max(len(trial.accuracies) for trial in measured)
    n_tied = 0 if alone else len(tied)
    first = measured[best].accuracies
    if noise is not None:
        error = math.sqrt(noise.variances[best] / len(first))
        seeds: float | None = dunnett_quantile(n_others, noise.df) * _ROOT2 * error
        margin = _both(seeds or 0.0, least)
    else:
        error = math.sqrt(_variance(_mean(first)) / n_samples)
        seeds, margin = None, max(dunnett_quantile(n_others) * _ROOT2 * error, least)
    return verdicts, Comparison(
        method="binomial" if noise is None else "paired",
        n_points=len(points),
        n_tied=n_tied,
        n_replicates=n_replicates,
        df=None if noise is None else noise.df,
        margin=margin,
        seed_margin=seeds,
        sample_margin=least,
        optimism=expected_maximum(n_tied) * error if n_tied else 0.0,
        n_noisy=0 if noise is None else noise.n_noisy,
    )


def fewest_samples(n_others: int) -> float:
    """Return how many samples must speak for one trial and none for the other, at the least.

    By the sign test, as McNemar (1947) has it for two classifiers: ``n`` samples that all speak for
    the same one do so by chance with a probability of ``2**-n``; shared out among all comparisons.

    >>> round(fewest_samples(1), 1), round(fewest_samples(7), 1)
    (4.3, 7.1)
    """
    return math.log2(n_others / (1 - CONFIDENCE))


def _both(seeds: float, least: float) -> float:
    """Return the margin of seeds and sample together.

    The variance of a difference D is that of the seeds and that of the sample, which is D/N if it
    rests on the fewest samples, all for the same trial. So D = q √(v + D/N), solved for D.
    """
    return (least + math.sqrt(least * least + 4 * seeds * seeds)) / 2


def expected_maximum(n: int) -> float:
    """Return how far the largest of ``n`` standard normal numbers lies above 0 on average.

    By Blom's (1958) approximation, good to 0.02.

    >>> round(expected_maximum(1), 2), round(expected_maximum(8), 2)
    (0.0, 1.43)
    """
    return NormalDist().inv_cdf((n - 0.375) / (n + 0.25))


def _mean(accuracies: Mapping[int, float]) -> float:
    # Of thousands with one replicate each, every call counts.
    (first, *more) = accuracies.values()
    return fmean((first, *more)) if more else first


# A difference to the best, and how large it may be by chance.
_Compared = tuple[float | None, float | None]


def _binomial(
    measured: Sequence[Measured], best: int, n_others: int, n_samples: int, least: float
) -> list[_Compared]:
    """Compare shares of the same number of samples as if each trial had had samples of its own."""
    quantile = dunnett_quantile(n_others)
    first = _mean(measured[best].accuracies)
    compared: list[_Compared] = []
    for trial in measured:
        if not trial.accuracies:
            compared.append((None, None))
            continue
        accuracy = _mean(trial.accuracies)
        margin = quantile * math.sqrt(2 * _variance((first + accuracy) / 2) / n_samples)
        compared.append((accuracy - first, max(margin, least)))
    return compared


# ----------------------------------------------------------------------- paired over replicates


@dataclass(frozen=True, slots=True)
class _Noise:
    """How much accuracies of one trial differ beyond what all trials of a replicate share.

    Attributes:
        variances: Of one run, by trial.
        df: Degrees of freedom of the pooled variance.
        n_noisy: Trials that have a variance of their own.
    """

    variances: Sequence[float]
    df: int
    n_noisy: int


def _paired(
    measured: Sequence[Measured], best: int, n_others: int, noise: _Noise, least: float
) -> list[_Compared]:
    quantile = dunnett_quantile(n_others, noise.df)
    first = measured[best].accuracies
    compared: list[_Compared] = []
    for trial, variance in zip(measured, noise.variances, strict=True):
        own = trial.accuracies
        shared = [own[r] - first[r] for r in own if r in first]
        if not shared:
            compared.append((None, None))
            continue
        difference = fmean(shared)
        seeds = quantile * math.sqrt((variance + noise.variances[best]) / len(shared))
        compared.append((difference, _both(seeds, least)))
    return compared


def _noise(measured: Sequence[Measured], step: float) -> _Noise | None:
    """Return the noise of the trials: residuals of a two-way layout, trials by replicates.

    It is pooled over the trials. One whose residuals are far above those of the others, such as
    one about to diverge, is left out of the pool, and has its own.

    Returns:
        ``None`` unless two points were trained with the same two or more seeds.
    """
    blocks = _blocks(measured)
    n_free = sum((len(block.rows) - 1) * block.df for block in blocks)
    if not n_free:
        return None
    noisy: dict[Hashable, float] = {}
    if sum(len(block.rows) for block in blocks) >= _FEWEST:
        noisy = _noisy_trials(blocks, n_free, step)
    pooled, df = _pooled(blocks, noisy, step)
    variances = [max(pooled, noisy.get(trial.point, 0.0)) for trial in measured]
    return _Noise(variances, df, len(noisy))


def _noisy_trials(blocks: Sequence["_Block"], n_free: int, step: float) -> dict[Hashable, float]:
    """Return the trials that are far noisier than the others, and their variances."""
    n_points = sum(len(block.rows) for block in blocks)
    # They must not hide behind each other: start from what most of the trials have.
    own = [(block, block.about_medians()) for block in blocks]
    reference = median(
        variance * block.df / _chi2_median(block.df)
        for block, variances in own
        for variance in variances.values()
    )
    reference, df = max(reference, _hidden(step)), max(1, n_free // 2)
    noisy: dict[Hashable, float] = {}
    for _ in range(_PASSES):
        found: dict[Hashable, float] = {}
        for block, variances in own:
            most = reference * _noisy_limit(block.df, df, n_points)
            found |= {point: v for point, v in variances.items() if v > most}
        if found.keys() == noisy.keys():
            return found
        noisy = found
        reference, df = _pooled(blocks, noisy, step)
        if not df:
            return {}
        own = [(block, block.own(noisy)) for block in blocks]
    return noisy


def _pooled(
    blocks: Sequence["_Block"], noisy: Mapping[Hashable, float], step: float
) -> tuple[float, int]:
    """Return the variance of all but the noisy trials, and its degrees of freedom."""
    squares, df = 0.0, 0
    for block in blocks:
        kept = [point for point in block.rows if point not in noisy]
        if len(kept) > 1:
            squares += block.squares(kept)
            df += (len(kept) - 1) * block.df
    return max(squares / df if df else 0.0, _hidden(step)), df


# How often trials are sorted into noisy ones and others, at the most.
_PASSES: Final = 5
# Of fewer trials none can be out of line.
_FEWEST: Final = 4


class _Block:
    """Trials that have the same replicates: how each run deviates from its trial's mean.

    Attributes:
        rows: By point; of several trials of a point, the first.
        df: Replicates, less one.
    """

    def __init__(self, replicates: Sequence[int]) -> None:
        self.replicates = replicates
        self.df = len(replicates) - 1
        self.rows: dict[Hashable, list[float]] = {}

    def add(self, trial: Measured) -> None:
        if trial.point not in self.rows:
            values = [trial.accuracies[r] for r in self.replicates]
            mean = fmean(values)
            self.rows[trial.point] = [value - mean for value in values]

    def squares(self, points: Sequence[Hashable]) -> float:
        """Return the sum of squared residuals of some trials."""
        shared = self._shared(points)
        return sum(
            (value - common) ** 2
            for point in points
            for value, common in zip(self.rows[point], shared, strict=True)
        )

    def own(self, noisy: Mapping[Hashable, float]) -> dict[Hashable, float]:
        """Return each trial's own variance about what those that are not ``noisy`` share."""
        kept = [point for point in self.rows if point not in noisy] or list(self.rows)
        shared, n = self._shared(kept), len(kept)
        # A trial's own part of the mean is taken off its residuals.
        inside, outside = n / (n - 1) if n > 1 else 1.0, n / (n + 1)
        return {
            point: sum((v - c) ** 2 for v, c in zip(row, shared, strict=True))
            / self.df
            * (outside if point in noisy else inside)
            for point, row in self.rows.items()
        }

    def about_medians(self) -> dict[Hashable, float]:
        """Return each trial's own variance about what most of them share."""
        shared = [median(column) for column in zip(*self.rows.values(), strict=True)]
        return {
            point: sum((v - c) ** 2 for v, c in zip(row, shared, strict=True)) / self.df
            for point, row in self.rows.items()
        }

    def _shared(self, points: Sequence[Hashable]) -> list[float]:
        columns = zip(*(self.rows[point] for point in points), strict=True)
        return [fmean(column) for column in columns]


def _blocks(measured: Sequence[Measured]) -> list[_Block]:
    blocks: dict[tuple[int, ...], _Block] = {}
    for trial in measured:
        if len(trial.accuracies) > 1:
            replicates = tuple(sorted(trial.accuracies))
            blocks.setdefault(replicates, _Block(replicates)).add(trial)
    return list(blocks.values())


def _chi2_median(df: int) -> float:
    """Return the median of chi-squared, by Wilson and Hilferty's (1931) approximation."""
    return df * (1 - 2 / (9 * df)) ** 3


def _noisy_limit(df: int, df_pool: int, n: int) -> float:
    """Return how many times the pooled variance chance may make one of ``n``: an F quantile."""
    from scipy import special

    return float(special.fdtri(df, df_pool, 1 - _NOISY / n))
