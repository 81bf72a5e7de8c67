"""How sure a ranking is: intervals of accuracies, and ties with the best.

``docs/statistics.md`` says what is claimed, where each method comes from, and how often it errs.
Imports no library before it is asked for a quantile: what shows nothing to compare starts at once.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coarsefine.studies.results.evidence.pairs import Real
    from coarsefine.studies.results.evidence.splits import Varied
    from coarsefine.studies.results.evidence.ties import Judged
    from coarsefine.studies.results.scoring.scorer import Scorer
    from coarsefine.studies.results.scoring.seeds import SeedNoise

Interval = tuple[float, float]

CONFIDENCE: Final = 0.95
"""Of every interval, and of the best trial being among those that are not told from the first."""

INDIFFERENT: Final = 0.005
"""The largest difference that does not matter, unless another one is stated."""

# Means that differ by less than this, relatively, differ by rounding.
ROUNDING: Final = 1e-12


class Measured(NamedTuple):
    """What was measured of a complete trial.

    Attributes:
        point: Its parameters; trials of the same point are one value that was tried.
        values: Validation accuracy by replicate, in [0, 1], or another score of which more is
            better; runs of the same replicate share first weights and batches.
        noise: Variance of a run's value for having been measured on these samples; ``None`` for
            that of an accuracy.
    """

    point: Hashable
    values: Mapping[int, float]
    noise: float | None = None


def point_of(params: Mapping[str, Any]) -> Hashable:
    """Return what trials of the same parameters have in common."""
    point = tuple(params.items())
    try:
        hash(point)
    except TypeError:
        return repr(point)
    return point


class Verdict(NamedTuple):
    """What can be said of a trial.

    Attributes:
        standard_error: Of its score over new seeds and samples, which the interval follows from;
            ``None`` if nothing is known of its noise.
        interval: 95 % interval of its score for new seeds and samples; ``None`` likewise.
        standard_deviation: Over replicates; ``None`` for one.
        difference: To the best trial, over the replicates that both have.
        margin: How large a difference may be by chance.
        tied: Whether it cannot be told from the best, or is the best and others are not told
            from it; ``None`` if nothing is known.
        seed_interval: 95 % interval for new seeds on these samples; ``None`` for one replicate.
    """

    standard_error: float | None = None
    interval: Interval | None = None
    standard_deviation: float | None = None
    difference: float | None = None
    margin: float | None = None
    tied: bool | None = None
    seed_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Needed:
    """What would tell trials apart, if differences and noise stay as they are.

    Attributes:
        difference: Of the best and the other: the second, or the last of those that are tied.
        seed_error: The part of its standard error that more seeds lessen.
        sample_error: The part that they do not.
        n_seeds: That they have.
        seeds: About how many seeds in all would do, on these samples; ``None`` if none would.
        samples: About how many validation samples would, with these seeds.
    """

    difference: float
    seed_error: float
    sample_error: float
    n_seeds: int
    seeds: int | None
    samples: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the trials of a ranking were compared with the best.

    Attributes:
        method: By what each run predicted for each of the ``samples``, or by the ``accuracies``
            where not all runs kept that.
        n_points: Different values that were compared, the best among them.
        n_tied: How many of them are tied; 0 if the best stands alone.
        n_replicates: The most that a trial has.
        df: Degrees of freedom of what is known of seeds; ``None`` where it is assumed.
        margin: How large a difference to the best may be by chance: the median over tied trials, or
            over all that are not noisy where none is tied.
        network_margin: The same for these trained networks on new samples, other seeds left out;
            ``None`` where seeds were repeated, or outcomes are missing.
        seed_share: Which share of that noise more seeds would lessen; ``None`` for one seed.
        sample_margin: What the margin would be at the least.
        optimism: By how much the best is overestimated for having been chosen, on average.
        n_noisy: Trials judged by their own noise, which is far above that of the others.
        optimism_by_place: The same as ``optimism`` for each tied value by its place among them,
            the best first; nothing where none is tied.
        without: Trials compared that have runs without outcomes, by stage and number, or by their
            place among those that were compared.
        seed_deviation: Where seeds were not repeated, the standard deviation between seeds, beyond
            what the samples show, that was assumed.
        seeds_from: The study that it was measured in; ``None`` where it is assumed. Where seeds
            were repeated, the study whose seeds count beside these; ``None`` if none does.
        to_second: What would tell the best from the second; ``None`` where they are not tied, or
            too little is known of seeds or samples.
        to_all_tied: What would show which of the tied ones are worse by no more than a difference
            that does not matter.
        varied: What splits and seeds do to a run, where replicates are splits: of the tied trials,
            or of the best.
        judged: What pairs were judged by: positions of trials among those that are ranked, what was
            found of each two, and how many seeds both have, (T, T).
    """

    method: Literal["samples", "accuracies"]
    n_points: int
    n_tied: int
    n_replicates: int
    df: float | None
    margin: float
    network_margin: float | None
    seed_share: float | None
    sample_margin: float
    optimism: float
    n_noisy: int = 0
    optimism_by_place: tuple[float, ...] = ()
    without: tuple[Any, ...] = ()
    seed_deviation: float | None = None
    seeds_from: str | None = None
    to_second: Needed | None = None
    to_all_tied: Needed | None = None
    varied: "Varied | None" = None
    judged: "tuple[Sequence[int], Judged, NDArray[np.int64]] | None" = field(
        default=None, repr=False, compare=False
    )

    @property
    def n_without(self) -> int:
        """Return how many these are."""
        return len(self.without)

    @property
    def lacking(self) -> str:
        """Return what would tell more of the tied trials apart."""
        if self.seed_share is None:
            # Of an accuracy near 100 %, a few samples are most of what one run leaves open.
            few = 2 * self.sample_margin > self.margin
            return "more validation samples and replicates" if few else "replicates"
        if self.seed_share >= 1 / 2:
            return "more replicates"
        return "more validation samples" if self.varied is None else "more samples"


@dataclass(frozen=True, slots=True)
class How:
    """By what trials are judged.

    Attributes:
        scorer: Makes scores of what runs predicted; ``None`` for those of the accuracy.
        noise: Variance of a run's score for its samples, by stage and trial; of the accuracy it
            need not be there.
        seeds: Returns what other studies say of the spread over seeds to one whose trials have so
            many seeds at the most.
        looks: The least and the most seeds of a race, which is looked at after each; ``None`` where
            there was none.
        left: Trials that left a race, by stage and trial.
        indifference: The largest difference that does not matter, in [0, 1].
    """

    scorer: "Scorer | None" = None
    noise: Mapping[tuple[str, int], float] = field(default_factory=dict)
    seeds: "Callable[[int], SeedNoise | None] | None" = None
    looks: tuple[int, int] | None = None
    left: frozenset[tuple[str, int]] = frozenset()
    indifference: float = INDIFFERENT


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


def deviation_of(values: Sequence[float]) -> float:
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


# ------------------------------------------------------------------------------------ quantiles


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


_ROOT2: Final = math.sqrt(2)


def _shared() -> "tuple[Real, Real]":
    """Return normal numbers and their weights: trapezoids on a bell curve converge fast."""
    import numpy as np

    at = np.arange(-32, 33) / 4
    weights = np.exp(-(at**2) / 2)
    return at, weights / weights.sum()


def _all_below(n: int) -> "Callable[[Real], Real]":
    """Return the probability that ``n`` differences to one shared normal number are below each d.

    The differences have a variance of 1.
    """
    from coarsefine.models import special

    at, weights = _shared()

    def probability(d: "Real") -> "Real":
        below: Real = special.erfc(-(d[:, None] + at / _ROOT2)) / 2
        return below**n @ weights

    return probability


def _all_within(n: int) -> "Callable[[Real], Real]":
    """Return the probability that all differences among ``n`` normal numbers are below each d."""
    from coarsefine.models import special

    at, weights = _shared()
    above: Real = special.erfc(-at / _ROOT2)

    def probability(d: "Real") -> "Real":
        # The largest is at one of these numbers, the others are below it by no more than d √2.
        between: Real = (above - special.erfc(-at / _ROOT2 + d[:, None])) / 2
        return n * (between ** (n - 1) @ weights)

    return probability


def _quantile(probability: "Callable[[Real], Real]", df: float, confidence: float) -> float:
    """Return where a probability reaches ``confidence``, in estimated standard deviations.

    The estimate is integrated over, on a log scale.
    """
    import numpy as np  # not where nothing is compared

    scales, weights = np.ones(1), np.ones(1)
    if df < _INFINITE:
        half = 6 / math.sqrt(df)
        at = np.linspace(-half - 6 / df, min(half, 2.0), 49)
        scales, weights = np.exp(at), np.exp(df * at - df * np.expm1(2 * at) / 2)
        weights /= weights.sum()

    def reached(d: float) -> bool:
        return bool(weights @ probability(d * scales) >= confidence)

    low, high = 0.0, 2.0
    while not reached(high):
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


# With so many degrees of freedom the variance is as good as known: quantiles agree to four digits.
_INFINITE: Final = 20_000
