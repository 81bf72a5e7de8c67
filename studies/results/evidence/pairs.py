"""Mean squares of the difference of two trials over seeds and samples.

Of two trials, score d(r, s) is the difference on sample s after training with seed r. Seeds and
samples are crossed and both random: d = δ + seed + sample + the rest. The mean squares of this
two-way layout estimate the variance of the mean difference for new seeds and new samples (Searle,
Casella and McCulloch 1992, *Variance Components*).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]
Present = npt.NDArray[np.bool_]
Scores = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is known of the difference of each pair of trials; arrays are (T, T).

    Attributes:
        n_samples: N.
        n_seeds: R, how many seeds both trials of a pair were trained with.
        difference: Mean score of the row's trial less that of the column's, over those seeds.
        seed: Mean square of the seeds' means, N times their variance; NaN where R < 2.
        sample: Mean square of the samples' means, R times their variance.
        rest: Mean square of what is left; NaN where R < 2.
        correction: 0 where all seeds are measured on the same samples. Where each has a split of
            its own (``splits``), validation samples by training samples; ``sample`` and ``rest``
            are the mean square within splits then.
        by_seed: Where several seeds were trained on the same splits, the part that they have in the
            variance of a split's difference: what more of them lessen.
    """

    n_samples: int
    n_seeds: npt.NDArray[np.int64]
    difference: Real
    seed: Real
    sample: Real
    rest: Real
    correction: float = 0.0
    by_seed: Real | None = None

    @property
    def n_alike(self) -> float:
        """Return of how many independent samples a mean score is as good as one, at the most."""
        if not self.correction:
            return self.n_samples
        return self.n_samples / (1 / max(1, int(self.n_seeds.max())) + self.correction)

    @property
    def replicated(self) -> Present:
        """Return which pairs have two seeds or more."""
        return np.asarray(self.n_seeds > 1)

    @property
    def per_seed(self) -> Real:
        """Return the variance of a sample's difference that every seed draws anew, (T, T).

        Of one seed all of it counts as such, since nothing tells it from what seeds share.
        """
        return np.where(self.replicated, np.maximum(self.rest, 0.0), self.sample)

    @property
    def kept(self) -> Real:
        """Return the variance of a sample's difference that all seeds share, (T, T); 0 for one."""
        with np.errstate(invalid="ignore", divide="ignore"):
            shared = np.maximum(self.sample - self.rest, 0.0) / self.n_seeds
        return np.where(self.replicated, shared, 0.0)

    def by_seeds(self, seeds: Real, variances: Real) -> Real:
        """Return the part of the variances of differences that more seeds lessen, (T, T).

        Args:
            seeds: The part that more of what there is of them lessens: of seeds, or of splits.
            variances: Of the differences.
        """
        if self.by_seed is None:
            return seeds
        own = self.by_seed * (1 / np.maximum(self.n_seeds, 1) + self.correction)
        return np.asarray(np.where(np.isnan(own), seeds, np.minimum(own, variances)))


def compared(scores: Scores, present: Present) -> Pairs:
    """Return the mean squares of all pairs of trials.

    Args:
        scores: (T, S, N), by trial, seed and sample; of runs that are not there, anything.
        present: (T, S), which runs are there.
    """
    n_trials, _, n_samples = scores.shape
    n_seeds = present.astype(np.int64) @ present.T.astype(np.int64)
    tables = np.full((4, n_trials, n_trials), np.nan)
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    groups = [np.flatnonzero(which.ravel() == number) for number in range(len(patterns))]
    for i, rows in enumerate(groups):
        for j, columns in enumerate(groups[: i + 1]):
            common = np.flatnonzero(patterns[i] & patterns[j])
            if not len(common):
                continue
            a = _Block(scores, rows, common)
            b = a if i == j else _Block(scores, columns, common)
            squares = _mean_squares(a, b)
            tables[:, rows[:, None], columns] = squares
            turned = squares.transpose(0, 2, 1).copy()
            turned[0] *= -1
            tables[:, columns[:, None], rows] = turned
    return Pairs(n_samples, n_seeds, *tables)


class _Block:
    """Some trials with some seeds that they all have: sums and means of their scores."""

    def __init__(
        self, scores: Scores, rows: npt.NDArray[np.intp], seeds: npt.NDArray[np.intp]
    ) -> None:
        block = scores[np.ix_(rows, seeds)]
        self.n_trials, self.n_seeds, self.n_samples = block.shape
        # Counts of correct samples are whole numbers that float32 holds up to 16 million.
        whole = block.dtype == np.float32 and self.n_seeds * self.n_samples < 1 << 24
        runs = block.reshape(self.n_trials, -1)
        self.runs: Scores = runs if whole else runs.astype(np.float64, copy=False)
        self.mean = self.runs.mean(axis=1, dtype=np.float64)
        self.by_seed = block.mean(axis=2, dtype=np.float64) - self.mean[:, None]
        self.by_sample = block.mean(axis=1, dtype=np.float64) - self.mean[:, None]
        self.squares: Real = np.einsum("ij,ij->i", self.runs, self.runs).astype(np.float64)


def _mean_squares(a: _Block, b: _Block) -> npt.NDArray[np.float64]:
    """Return differences, and mean squares by seed, by sample and of the rest, (4, Ta, Tb)."""
    n_seeds, n_samples = a.n_seeds, a.n_samples
    difference = a.mean[:, None] - b.mean[None]
    products = np.matmul(a.runs, b.runs.T).astype(np.float64)
    total = a.squares[:, None] + b.squares[None] - 2 * products
    total -= n_seeds * n_samples * difference**2
    by_sample = n_seeds * _distances(a.by_sample, b.by_sample)
    by_seed = n_samples * _distances(a.by_seed, b.by_seed)
    found = np.full((4, *difference.shape), np.nan)
    found[0] = difference
    found[2] = by_sample / max(1, n_samples - 1)
    if n_seeds > 1:
        found[1] = by_seed / (n_seeds - 1)
        rest = np.maximum(total - by_seed - by_sample, 0.0)
        found[3] = rest / ((n_seeds - 1) * max(1, n_samples - 1))
    return found


def _distances(a: Real, b: Real) -> Real:
    """Return the squared distance of each row of ``a`` to each of ``b``."""
    squares = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)[None]
    return np.asarray(np.maximum(squares - 2 * a @ b.T, 0.0))


def covariance(distances: Real) -> Real:
    """Return a factor (T, T) of a covariance whose differences have these variances.

    Normal numbers z give T correlated ones as ``z @ factor``. What no covariance can give, as where
    pairs were measured with different seeds, is left out.
    """
    n_trials = len(distances)
    centred = np.eye(n_trials) - 1 / n_trials
    values, vectors = np.linalg.eigh(-0.5 * centred @ np.nan_to_num(distances) @ centred)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))).T)
