"""The best beside others: what tells them apart, and how many seeds or samples it would take."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from coarsefine.studies.results.evidence.contrasts import least_number
from coarsefine.studies.results.evidence.pairs import Present, Real
from coarsefine.studies.results.evidence.quantiles import student_of
from coarsefine.studies.results.evidence.ties import Judged

# By so many standard errors a lead may be more, or less, than it seems.
_HOPE: Final = 1.0
# More of either would not be trained, or found.
_MOST_SEEDS, _MOST_SAMPLES = 1_000, 10_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """The best beside others, an entry each.

    Attributes:
        lead: Of the best.
        margin: By how much it may be ahead by chance.
        multiple: What the margin is in standard errors, if these were known.
        df: Degrees of freedom that they are known with.
        least: The margin that the fewest samples leave.
        variance: Of the lead.
        seeds: The part of it that more seeds lessen.
        flips: The part of that which more samples lessen, too.
        n_seeds: That all have.
    """

    lead: Real
    margin: Real
    multiple: Real
    df: Real
    least: float
    variance: Real
    seeds: Real
    flips: Real
    n_seeds: int

    @classmethod
    def of(
        cls,
        judged: Judged,
        present: Present,
        first: int,
        others: NDArray[np.intp],
        n_seeds: int = 0,
    ) -> Self:
        """Return how the best stands.

        Args:
            judged: All trials.
            present: (T, S), which runs there are.
            first: Position of the best.
            others: Positions of others, at least one.
            n_seeds: That all have, where runs are on splits.
        """
        return cls(
            lead=judged.leads[first, others],
            margin=judged.margins[first, others],
            multiple=judged.multiples[others],
            df=judged.df[first, others],
            least=judged.least,
            variance=np.square(judged.errors[first, others]),
            seeds=judged.seed_variances[first, others],
            flips=judged.flip_variances[first, others],
            n_seeds=n_seeds or int((present[first] & present[others]).sum(axis=1).min()),
        )

    @property
    def samples(self) -> Real:
        """Return the part of the variance that seeds do not lessen."""
        return np.asarray(np.maximum(self.variance - self.seeds, 0.0))

    @property
    def sure(self) -> Real:
        """Return leads as they may shrink to: the best one is in part the luckiest."""
        return np.asarray(np.maximum(self.lead - _HOPE * np.sqrt(self.variance), 0.0))

    @property
    def _hoped(self) -> Real:
        """Return leads as they may come to be with more seeds."""
        return np.asarray(self.lead + _HOPE * np.sqrt(self.seeds))

    def _open(self, delta: float) -> Present:
        return np.asarray(self.margin - self.lead > delta)

    def _multiple(self, n_seeds: float) -> Real:
        """Return what margins are in standard errors after so many seeds."""
        df = self.df * max(1.0, n_seeds - 1) / max(1, self.n_seeds - 1)
        return student_of(self.multiple, df)

    def _after(self, n_seeds: float, multiple: Real) -> Real:
        """Return the margins after so many seeds, for what they are in standard errors then."""
        variance = self.seeds * self.n_seeds / n_seeds + self.samples
        return np.asarray(np.maximum(multiple * np.sqrt(variance), self.least))

    def hopeful(self, delta: float, n_seeds: int) -> Present:
        """Return which open pairs so many seeds may decide, at the best."""
        within = self._after(n_seeds, self.multiple) <= self._hoped + delta
        return np.asarray(self._open(delta) & within)

    def hopeless(self, delta: float) -> Present:
        """Return which open pairs no number of seeds decides: the samples are too few."""
        least = self._after(math.inf, self.multiple)
        return np.asarray(self._open(delta) & (least > self._hoped + delta))

    def samples_needed(self, n_samples: int, distance: Real, n_seeds: int) -> int | None:
        """Return about how many samples bring all margins down to a distance.

        Args:
            n_samples: That there are.
            distance: Of each pair.
            n_seeds: That there will be.
        """
        fewer = self.n_seeds / max(n_seeds, self.n_seeds)
        room = np.square(distance / self._multiple(n_seeds)) - (self.seeds - self.flips) * fewer
        if not (room > 0).all():
            return None
        share = float(((self.flips * fewer + self.samples) / room).max())
        most = n_samples * max(share, self.least / float(distance.min()))
        return None if most > _MOST_SAMPLES else max(n_samples, math.ceil(most))

    def seeds_needed(self, distance: Real) -> int | None:
        """Return about how many seeds bring all margins down to a distance."""
        return least_number(
            lambda n: bool((self._after(n, self._multiple(n)) <= distance).all()),
            self.n_seeds,
            _MOST_SEEDS,
        )
