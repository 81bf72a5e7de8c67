"""Count how often the verdicts on two studies err, in worlds whose truth is known.

``python -m scripts.simulate_comparisons [PAIRS] [SEED]`` prints a row for each world: how often the
best of the first study was said to be better, worse and equivalent, and how often the interval held
the true difference, in percent. The trials of a study are equal; the first study's are better by as
many points as is said, so "better" is an error where this is 0, and "worse" always is.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from coarsefine.studies.results.evidence.between import between
from coarsefine.studies.results.evidence.contrasts import Contrast, contrast, decided
from coarsefine.studies.results.judging.statistics import INDIFFERENT


@dataclass(frozen=True)
class TwoStudies:
    """Two studies of equal trials, trained with the same seeds and measured on the same samples.

    Attributes:
        gap: Points by which the first is better; the second is right on 90 %.
        n_trials: Of either.
        n_seeds: R.
        n_samples: N.
        deviations: Points that seeds move the trials of either study by.
        shared: Share of what a seed does that is the same for all trials of a study.
    """

    gap: float = 0.0
    n_trials: tuple[int, int] = (8, 8)
    n_seeds: int = 3
    n_samples: int = 5000
    deviations: tuple[float, float] = (0.35, 0.35)
    shared: float = 0.0

    @property
    def name(self) -> str:
        """Return it in words."""
        return (
            f"+{self.gap}, {self.n_trials[0]} and {self.n_trials[1]} trials, {self.n_seeds} seeds, "
            f"{self.n_samples:,} samples, SD {self.deviations[0]} and {self.deviations[1]}, "
            f"shared {self.shared}"
        )

    def outcomes(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        """Return whether the trials of either study were right, (T, R, N)."""
        single = np.float32
        n_seeds, n_samples = self.n_seeds, self.n_samples
        hard = single(np.sqrt(0.85)) * rng.standard_normal(n_samples, dtype=single)
        old, new = single(np.sqrt(self.shared)), single(np.sqrt(1 - self.shared))
        studies = []
        for n_trials, points, gap in zip(
            self.n_trials, self.deviations, (self.gap, 0.0), strict=True
        ):
            # Networks of two studies differ in kind: each fails on some samples of its own.
            own = single(np.sqrt(0.03)) * rng.standard_normal(n_samples, dtype=single)
            of_all = rng.standard_normal((n_seeds, n_samples), dtype=single)
            moves_all = rng.standard_normal(n_seeds)
            right = np.empty((n_trials, n_seeds, n_samples), single)
            for t in range(n_trials):
                moved = old * moves_all + new * rng.standard_normal(n_seeds)
                limits = special.ndtri(np.clip(0.9 + (gap + points * moved) / 100, 0.01, 0.999))
                flips = old * of_all
                flips += new * rng.standard_normal((n_seeds, n_samples), dtype=single)
                right[t] = hard + own + single(np.sqrt(0.12)) * flips < limits[:, None]
            studies.append(right)
        return tuple(studies)


def worlds() -> Iterator[TwoStudies]:
    """Yield what is counted."""
    usual = TwoStudies()
    for n_seeds in (1, 2, 3, 5, 10):
        for shared in (0.0, 0.9):
            yield replace(usual, n_seeds=n_seeds, shared=shared)
    alike = replace(usual, shared=0.9)
    for n_seeds in (2, 3, 5):
        yield replace(alike, n_seeds=n_seeds, deviations=(1.5, 0.35))
        yield replace(usual, n_seeds=n_seeds, n_trials=(27, 3))
    yield replace(alike, n_samples=360)
    yield replace(alike, deviations=(0.0, 0.0))
    for n_seeds in (1, 2, 3, 5, 10):
        for shared in (0.0, 0.9):
            yield replace(usual, gap=1.0, n_seeds=n_seeds, shared=shared)


def tested(world: TwoStudies, rng: np.random.Generator) -> Contrast:
    """Return what is said of the best trials of both studies."""
    # As the program does: the best first.
    one, other = (
        trials[np.argsort(-trials.mean(axis=(1, 2)), kind="stable")[:8]]
        for trials in world.outcomes(rng)
    )
    found = contrast(one[0], other[0], spread=between(one, other))
    return decided([found], INDIFFERENT)[0]


def main() -> None:
    """Print the counts."""
    n, seed = ([int(word) for word in sys.argv[1:3]] + [400, 1][len(sys.argv[1:3]) :])[:2]
    say = sys.stdout.write
    say(f"{n} pairs each, seed {seed}: better, worse, equivalent; interval holds (%)\n")
    for world in worlds():
        rng = np.random.default_rng(seed)
        counts = dict.fromkeys(("better", "worse", "equivalent", "undecided"), 0)
        held = 0
        for _ in range(n):
            found = tested(world, rng)
            counts[found.verdict] += 1
            held += found.interval[0] <= world.gap / 100 <= found.interval[1]
        shares = [100 * count / n for count in (*list(counts.values())[:3], held)]
        say(f"  {world.name:88}" + "".join(f"{share:7.1f}" for share in shares) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
