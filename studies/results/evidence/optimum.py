"""Where the optimum of one number lies: a smooth curve through noisy scores, and its uncertainty.

The score is a Gaussian process over the number's own scale (Rasmussen and Williams 2006, *Gaussian
Processes for Machine Learning*, chapters 2 and 5): constant mean, exponential covariance (Matérn
with ν = 1/2), which takes for granted that it has no jumps and nothing of slopes: accuracy often
falls as from a cliff beyond its best λ or η, and smoother curves round cliffs off. Its length and
height are not fixed but averaged over, by their marginal likelihood, since few trials say little
about them. Curves are drawn from what the trials leave possible; the interval of the optimum holds
95 % of the places of their maxima.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Real = npt.NDArray[np.float64]

# Fewer values say nothing about a curve's shape.
FEWEST: Final = 4
LEVEL: Final = 0.95
_GRID: Final = 101
_DRAWS: Final = 2000
# Of the range that was tried; and of the spread of the scores.
_LENGTHS: Final = np.geomspace(0.1, 3.0, 6)
_HEIGHTS: Final = np.geomspace(0.3, 4.0, 5)


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the best value lies.

    Attributes:
        places: (G,), from the least that was tried to the largest.
        mean: (G,), the expected score there.
        low: (G,), the lower edge of a band that holds the whole curve with 95 % probability.
        high: (G,), the upper edge.
        interval: The places that hold the maximum with 95 % probability.
        at_edge: Whether the maximum may lie at the lower and at the upper end of what was tried.
    """

    places: Real
    mean: Real
    low: Real
    high: Real
    interval: tuple[float, float]
    at_edge: tuple[bool, bool]


def optimum_of(places: Real, scores: Real, errors: Real, seed: int = 0) -> Optimum | None:
    """Return where the maximum of a smooth curve through noisy scores lies.

    Args:
        places: (T,), values on their scale, such as their logarithms; several may be equal.
        scores: (T,), means over seeds; more is better. Of equal ones, the first is the best.
        errors: (T,), their standard errors beyond what all trials share; > 0.
        seed: Of the draws.

    Returns:
        ``None`` where fewer than four values were tried.
    """
    if len(np.unique(places)) < FEWEST:
        return None
    start, length = float(places.min()), float(np.ptp(places))
    x, grid = (places - start) / length, np.linspace(0, 1, _GRID)
    centre, spread = float(scores.mean()), max(float(scores.std()), float(errors.min()))
    y, noise = (scores - centre) / spread, (errors / spread) ** 2
    rng = np.random.default_rng(seed)
    # Matrices this small are slower on several threads, above all where others compute, too. And
    # the digits do not depend on how many there are.
    with threadpool_limits(1, user_api="blas"):
        fits = [_Fit.of(x, y, noise, *size) for size in product(_LENGTHS, _HEIGHTS)]
        evidence = np.array([fit.evidence for fit in fits])
        weights = np.exp(evidence - evidence.max())
        counts = rng.multinomial(_DRAWS, weights / weights.sum())
        drawn = [fit.drawn(x, grid, n, rng) for fit, n in zip(fits, counts, strict=True) if n]
    curves = centre + spread * np.concatenate(drawn)
    mean, deviation = curves.mean(axis=0), np.maximum(curves.std(axis=0), 1e-12)
    # The band is as wide everywhere, in standard deviations, as holds most curves as a whole.
    wide = np.quantile(np.abs((curves - mean) / deviation).max(axis=1), LEVEL)
    best = curves.argmax(axis=1)
    tail = (1 - LEVEL) / 2
    ends = np.quantile(best, [tail, 1 - tail], method="nearest")
    whole = start + length * grid
    # The best that was seen may always be the best.
    seen = float(places[scores.argmax()])
    low, high = min(float(whole[int(ends[0])]), seen), max(float(whole[int(ends[1])]), seen)
    # Between the outermost values and those next to them nothing tells where the curve ends.
    tried = np.unique(places)
    below, beyond = bool(low < tried[1]), bool(high > tried[-2])
    return Optimum(
        whole,
        mean,
        mean - wide * deviation,
        mean + wide * deviation,
        (float(tried[0]) if below else low, float(tried[-1]) if beyond else high),
        (below, beyond),
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """A Gaussian process with one length and height, given the trials."""

    evidence: float
    length: float
    height: float
    factor: Real
    solved: Real

    @classmethod
    def of(cls, x: Real, y: Real, noise: Real, length: float, height: float) -> "_Fit":
        """Return the fit, with its log marginal likelihood (equation 2.30 there)."""
        covariance = _covariance(x[:, None] - x[None], length, height) + np.diag(noise + 1e-8)
        # The mean is not known, either: a wide normal distribution.
        covariance += 1.0
        factor = np.asarray(np.linalg.cholesky(covariance), np.float64)
        solved = np.asarray(np.linalg.solve(factor, y), np.float64)
        evidence = -0.5 * float(solved @ solved) - float(np.log(np.diag(factor)).sum())
        return cls(evidence, length, height, factor, solved)

    def drawn(self, x: Real, grid: Real, n: int, rng: np.random.Generator) -> Real:
        """Return curves that the trials leave possible, (n, G) (equations 2.23 and 2.24 there)."""
        cross = np.linalg.solve(
            self.factor, _covariance(x[:, None] - grid[None], self.length, self.height) + 1.0
        )
        own = _covariance(grid[:, None] - grid[None], self.length, self.height) + 1.0
        left = own - cross.T @ cross
        values, vectors = np.linalg.eigh(left)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(self.solved @ cross + rng.standard_normal((n, len(grid))) @ root.T)


def _covariance(distance: Real, length: float, height: float) -> Real:
    return np.asarray(height**2 * np.exp(-np.abs(distance) / length))
