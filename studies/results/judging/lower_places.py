"""Trials far down a ranking: compared by their scores alone, which errs on the side of ties."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from coarsefine.studies.results.judging.statistics import (
    ROUNDING,
    Measured,
    deviation_of,
    dunnett_quantile,
)
from coarsefine.studies.results.scoring.splits import Splits


@dataclass(frozen=True, slots=True)
class Others:
    """How trials far down the ranking are compared with the best: by their scores alone.

    Attributes:
        n_points: Compared in all.
        n_samples: Validation samples; 0 where they are not known.
        least: The least margin.
        extra: A variance that a seed adds where there is one.
        splits: Where replicates are splits.
    """

    n_points: int
    n_samples: int
    least: float
    extra: float
    splits: Splits | None

    def compared(
        self, measured: Sequence[Measured], positions: Sequence[int]
    ) -> dict[int, tuple[float, float, bool]]:
        """Return difference, margin and tie of the trials at some positions."""
        first = measured[0]
        if not positions or not first.values:
            return {}
        accuracy = fmean(first.values.values())
        quantile = dunnett_quantile(self.n_points - 1)
        found = {}
        for position in positions:
            own = measured[position]
            shared = [own.values[r] - first.values[r] for r in own.values if r in first.values]
            if not shared:
                continue
            difference = fmean(shared)
            if first.noise is None or own.noise is None:
                step = 1 / self.n_samples if self.n_samples else 0.0
                by_samples = (binomial(accuracy) + binomial(accuracy + difference)) * step
            else:
                by_samples = first.noise + own.noise
            margin = max(quantile * math.sqrt(self._variance(by_samples, shared)), self.least)
            found[position] = (difference, margin, -difference <= margin + ROUNDING)
        return found

    def _variance(self, by_samples: float, shared: Sequence[float]) -> float:
        """Return the variance of a mean difference.

        Args:
            by_samples: Of a difference, for the samples.
            shared: Differences by seed.
        """
        of_one = deviation_of(shared) ** 2 if len(shared) > 1 else self.extra
        if self.splits is not None:
            return max(by_samples, of_one) * (1 / len(shared) + self.splits.correction)
        return by_samples + of_one / len(shared)


def binomial(accuracy: float) -> float:
    """Return the variance of whether a sample is right."""
    return max(0.0, accuracy * (1 - accuracy))
