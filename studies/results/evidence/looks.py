"""How much wider margins are where it is looked after every seed, and not once.

After R seeds a difference is off by  τ G + σ (B₁ + … + B_R) / R, with normal numbers G and B. Its
samples' part G is the same at each look; the seeds' part is a walk, and whoever looks often catches
it where it is far off. Margins that hold at all looks together are those of a constant boundary for
the standardised walk (Pocock 1977), for the share that seeds have in the noise.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from coarsefine.models import special
from coarsefine.studies.results.evidence.pairs import Real

_DRAWS = 40_000


@dataclass(frozen=True, slots=True)
class Looks:
    """After which seeds a race is looked at: after each from the least on.

    Attributes:
        least: Seeds before the first look, >= 2.
        most: Seeds at the last look.
        now: At this look; 0 where these are what trials are compared by.
    """

    least: int
    most: int
    now: int = 0

    def factor(self, quantile: float, share: float, n_seeds: int) -> float:
        """Return by how much a quantile grows, so that it is exceeded at any look no more often.

        Args:
            quantile: Of a standard normal number, at one look; > 0.
            share: What seeds have of the variance now, in [0, 1].
            n_seeds: What trials are compared by, >= 1.

        >>> one, many = Looks(3, 3), Looks(3, 20)
        >>> round(one.factor(2.5, 1.0, 3), 1), round(many.factor(2.5, 1.0, 3), 1)
        (1.0, 1.2)
        >>> round(many.factor(2.5, 0.0, 3), 1)
        1.0
        """
        now = self.now or n_seeds
        return _factor(self.least, self.most, round(quantile, 1), round(share, 2), now)


@lru_cache(maxsize=512)
def _factor(least: int, most: int, quantile: float, share: float, n_seeds: int) -> float:
    if most <= least or share <= 0 or quantile <= 0:
        return 1.0
    at, walk, common = _walks(least, most)
    seeds, samples = share * n_seeds, 1 - share
    paths = np.sqrt(samples) * common[:, None] + np.sqrt(seeds) * walk
    paths /= np.sqrt(samples + seeds / at)
    reached = np.quantile(paths.max(axis=1), special.ndtr(quantile))
    return max(1.0, float(reached) / quantile)


@lru_cache(maxsize=4)
def _walks(least: int, most: int) -> tuple[NDArray[np.int64], Real, Real]:
    """Return the looks, means of normal numbers up to each, and a number that all have."""
    rng = np.random.default_rng(most)
    at = np.arange(least, most + 1)
    steps = rng.standard_normal((_DRAWS, most))
    return at, np.cumsum(steps, axis=1)[:, at - 1] / at, rng.standard_normal(_DRAWS)
