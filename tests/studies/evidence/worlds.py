"""Worlds whose truth is known: outcomes of trials over seeds and samples."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

Outcomes = NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """What a world drew.

    Attributes:
        right: Whether each trial was right, (T, R, N).
        means: True accuracy of each network on new samples, (T, R).
        ease: What makes a sample hard for a trial, whatever the seed, (T, N).
    """

    right: Outcomes
    means: NDArray[np.float64]
    ease: Outcomes


@dataclass(frozen=True)
class World:
    """Trials that are trained with the same seeds and measured on the same samples.

    Attributes:
        accuracies: True ones, over all seeds and samples.
        n_seeds: R.
        n_samples: N.
        deviation: Standard deviation of a trial's accuracy over seeds, beyond samples that flip.
        alike: Share of what makes a sample hard that all trials and seeds have in common.
        kept: Share that a trial has to itself, whatever the seed; the rest flips with the seed.
        shared: Correlation of the noise of neighbours.
        noise: By how much the deviation of each trial is multiplied; empty for 1.
    """

    accuracies: tuple[float, ...]
    n_seeds: int
    n_samples: int
    deviation: float = 0.0035
    alike: float = 0.85
    kept: float = 0.0
    shared: float = 0.0
    noise: tuple[float, ...] = field(default=())

    def outcomes(self, rng: np.random.Generator) -> Outcomes:
        """Return whether each trial was right, (T, R, N)."""
        return self.drawn(rng).right

    def on_samples(self, ease: Outcomes) -> float:
        """Return the accuracy of the first trial on some samples, over all seeds.

        Args:
            ease: Of that trial, (N,).
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(15)
        scale = self.deviation * np.sqrt((self.noise[0] if self.noise else 1.0) ** 2 + 0.7**2)
        means = np.clip(self.accuracies[0] + scale * nodes, 1e-3, 0.9995)
        flip = np.sqrt(max(1e-12, 1 - self.alike - self.kept))
        known = special.ndtr((special.ndtri(means)[:, None] - ease) / flip).mean(axis=1)
        return float(weights @ known / weights.sum())

    def drawn(self, rng: np.random.Generator) -> Drawn:
        """Return the outcomes of all trials, and what they came from."""
        single = np.float32
        n_trials, n_seeds, n_samples = len(self.accuracies), self.n_seeds, self.n_samples
        moved = rng.standard_normal((n_trials, n_seeds))
        old, new = self.shared, np.sqrt(1 - self.shared**2)
        for t in range(1, n_trials):
            moved[t] = old * moved[t - 1] + new * moved[t]
        scale = self.deviation * np.array(self.noise or (1.0,) * n_trials)[:, None]
        # What a seed does to all trials alike does not tell them apart.
        common = 0.7 * self.deviation * rng.standard_normal(n_seeds)
        means = np.clip(np.array(self.accuracies)[:, None] + scale * moved + common, 1e-3, 0.9995)
        limits = special.ndtri(means).astype(single)
        hard = single(np.sqrt(self.alike)) * rng.standard_normal(n_samples, dtype=single)
        flip = single(np.sqrt(max(0.0, 1 - self.alike - self.kept)))
        right = np.empty((n_trials, n_seeds, n_samples), single)
        ease = np.empty((n_trials, n_samples), single)
        luck = rng.standard_normal((n_seeds, n_samples), dtype=single)
        for t in range(n_trials):
            drawn = rng.standard_normal((n_seeds, n_samples), dtype=single)
            luck = single(old) * luck + single(new) * drawn if t and self.shared else drawn
            own = single(np.sqrt(self.kept)) * rng.standard_normal(n_samples, dtype=single)
            right[t] = hard + own + flip * luck < limits[t][:, None]
            ease[t] = hard + own
        return Drawn(right, means, ease)


@dataclass(frozen=True)
class ClassWorld:
    """Equal trials that predict classes; a wrong sample is given the class after its own.

    Attributes:
        shares: Of the classes.
        recalls: True ones of the classes, over all seeds and samples.
        n_trials: T.
        n_seeds: R.
        n_samples: N.
        alike: As in ``World``.
    """

    shares: tuple[float, ...]
    recalls: tuple[float, ...]
    n_trials: int
    n_seeds: int
    n_samples: int
    alike: float = 0.7

    def predicted(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the predicted classes, (T, R, N), and the labels, (N,)."""
        n_classes = len(self.shares)
        labels = rng.choice(n_classes, self.n_samples, p=self.shares)
        limits = special.ndtri(np.array(self.recalls))[labels]
        hard = np.sqrt(self.alike) * rng.standard_normal(self.n_samples)
        luck = rng.standard_normal((self.n_trials, self.n_seeds, self.n_samples))
        right = hard + np.sqrt(1 - self.alike) * luck < limits
        return np.where(right, labels, (labels + 1) % n_classes), labels

    def true(self, metric: str) -> float:
        """Return the metric over all seeds and samples."""
        shares, recalls = np.array(self.shares), np.array(self.recalls)
        if metric == "accuracy":
            return float(shares @ recalls)
        if metric == "balanced-accuracy":
            return float(recalls.mean())
        right = shares * recalls
        given = right + np.roll(shares - right, 1)
        return float((2 * right / (shares + given)).mean())
