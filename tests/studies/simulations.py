"""Worlds whose truth is known, to count how often intervals and ties err.

``python -m tests.studies.simulations`` prints the figures of ``docs/statistics.md``.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from coarsefine.studies.results.ranking import (
    RankedTrial,
    Ranking,
    StageSummary,
    judged,
    rank_trials,
)
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.results.statistics import Measured, compare, student, wilson
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.refinement import ScoredPoint, fine_grid, refine
from tests.studies.made_up import study_record

Array = NDArray[np.float64]


# ------------------------------------------------------------------------------------ intervals


def wilson_coverage(accuracy: float, n_samples: int, draws: int, seed: int = 0) -> float:
    """Return how often the interval of one measured accuracy holds the true one."""
    rng = np.random.default_rng(seed)
    shares = rng.binomial(n_samples, accuracy, draws) / n_samples
    ends = [wilson(share, n_samples) for share in shares.tolist()]
    return float(np.mean([low <= accuracy <= high for low, high in ends]))


def student_coverage(
    replicates: int, noise: float, n_samples: int, draws: int, seed: int = 0
) -> float:
    """Return how often the interval over seeds holds the mean over all seeds.

    Accuracies are counted in samples, as real ones are; the mean lies anywhere between two counts.
    """
    rng = np.random.default_rng(seed)
    means = 0.9 + rng.uniform(size=draws) / n_samples
    accuracies = means[:, None] + noise * rng.normal(size=(draws, replicates))
    counted = np.round(accuracies * n_samples) / n_samples
    ends = [student(row, 1 / n_samples) for row in counted.tolist()]
    return float(
        np.mean([low <= mean <= high for mean, (low, high) in zip(means, ends, strict=True)])
    )


# ----------------------------------------------------------------------------------------- ties


@dataclass(frozen=True)
class Errors:
    """How often trials were told from the first.

    Attributes:
        separated: By trial, in the order of the world.
        any_separated: How often at least one was.
        optimism: By how much the first looked better than it is, in shares.
        stated: By how much the comparison said it would at the most, if all tied ones were equal.
    """

    separated: list[float]
    any_separated: float
    optimism: float
    stated: float


def errors(worlds: Iterator[tuple[Array, Array]], n_samples: int, draws: int) -> Errors:
    """Return how often each trial is told from the one that looks best.

    Args:
        worlds: True accuracies, and measured ones by trial and replicate.
        n_samples: Validation samples.
        draws: How many worlds.
    """
    separated: Array | None = None
    any_separated, optimism, stated = 0, 0.0, 0.0
    for _ in range(draws):
        truth, accuracies = next(worlds)
        best = int(accuracies.mean(axis=1).argmax())
        rows = enumerate(accuracies.tolist())
        measured = [Measured(i, dict(enumerate(row))) for i, row in rows]
        verdicts, comparison = compare(measured, best, n_samples)
        assert comparison is not None
        told = np.array([not verdict.tied for verdict in verdicts])
        told[best] = False
        separated = told.astype(float) if separated is None else separated + told
        any_separated += bool(told.any())
        optimism += float(accuracies[best].mean() - truth[best])
        stated += comparison.optimism
    assert separated is not None
    shares = (separated / draws).tolist()
    return Errors(shares, any_separated / draws, optimism / draws, stated / draws)


def repeated(
    truth: Array, noise: Array, replicates: int, n_samples: int, seed: int = 0
) -> Iterator[tuple[Array, Array]]:
    """Yield measurements with replicates, on one validation sample of so many.

    A seed moves all trials together by as much as it moves each one alone.
    """
    rng = np.random.default_rng(seed)
    while True:
        shared = noise.min() * rng.normal(size=replicates)
        own = noise[:, None] * rng.normal(size=(len(truth), replicates))
        # The mean lies anywhere between two counts.
        level = truth[:, None] + rng.uniform() / n_samples
        accuracies = level + shared + own
        yield level[:, 0], np.round(accuracies * n_samples) / n_samples


def single(
    truth: Array, alike: float, noise: float, n_samples: int, seed: int = 0
) -> Iterator[tuple[Array, Array]]:
    """Yield measurements with one replicate on validation samples that all trials share.

    Args:
        truth: Mean accuracies over seeds and samples.
        alike: Correlation of what makes a sample hard for two trials; 0 as on samples of their own.
        noise: Standard deviation over seeds.
        n_samples: Validation samples.
        seed: Of the simulation.
    """
    rng = np.random.default_rng(seed)
    normal = NormalDist()
    while True:
        accuracies = np.clip(truth + noise * rng.normal(size=len(truth)), 1e-9, 1 - 1e-9)
        limits = np.array([normal.inv_cdf(accuracy) for accuracy in accuracies.tolist()])
        shared = np.sqrt(alike) * rng.normal(size=n_samples)
        own = np.sqrt(1 - alike) * rng.normal(size=(len(truth), n_samples))
        yield truth, ((shared + own) < limits[:, None]).mean(axis=1)[:, None]


def sampled(
    truth: Array,
    replicates: int,
    n_samples: int,
    seed: int = 0,
    *,
    alike: float = 0.85,
    kept: float = 0.0,
) -> Iterator[tuple[Array, Array]]:
    """Yield measurements with replicates on a validation sample drawn from a population.

    Args:
        truth: Accuracies on the population.
        replicates: Seeds.
        n_samples: Validation samples.
        seed: Of the simulation.
        alike: Share of what makes a sample hard that all trials have in common.
        kept: Share that a trial has to itself, whatever the seed; the rest is the seed's.
    """
    rng = np.random.default_rng(seed)
    normal = NormalDist()
    limits = np.array([normal.inv_cdf(accuracy) for accuracy in truth.tolist()])
    while True:
        shared = np.sqrt(alike) * rng.normal(size=n_samples)
        own = np.sqrt(kept) * rng.normal(size=(len(truth), 1, n_samples))
        luck = np.sqrt(1 - alike - kept) * rng.normal(size=(len(truth), replicates, n_samples))
        yield truth, (shared + own + luck < limits[:, None, None]).mean(axis=2)


# ------------------------------------------------------------------------------ searches to an end


@dataclass(frozen=True)
class Ended:
    """Where a search came to.

    Attributes:
        stages: How many it took; one more than allowed if it was not done by then.
        low: Lower end of the last range.
        high: Upper end of the last range.
        best: The value that looked best.
    """

    stages: int
    low: float
    high: float
    best: float


def searched(
    objective: Callable[[float], float],
    rng: np.random.Generator,
    *,
    noise: float,
    replicates: int,
    n_samples: int = 5_000,
    coarse: LogRange = LogRange(1e-5, 1e-1),  # noqa: B008  # frozen
    most: int = 6,
) -> Ended:
    """Search stage by stage, eight values each, until what is left is chance."""
    trials: list[RankedTrial] = []
    accuracies: dict[tuple[str, int], dict[int, float]] = {}
    stages: list[StageSummary] = []
    seeds = noise * rng.normal(size=replicates)
    window = coarse
    for number in range(most):
        name = f"stage {number}"
        values = fine_grid(window, 8, [float(t.params["lambda"]) for t in trials])
        for position, value in enumerate(values):
            measured = objective(value) + seeds + noise * rng.normal(size=replicates)
            counted = np.clip(np.round(measured * n_samples) / n_samples, 0, 1)
            accuracies[name, position] = dict(enumerate(counted.tolist()))
            trials.append(
                RankedTrial(
                    name,
                    position,
                    "complete",
                    {"lambda": value},
                    replicates,
                    float(counted.mean()),
                    1 - float(counted.mean()),
                )
            )
        stages.append(
            StageSummary(name, window.low, window.high, values, stages[-1].name if stages else None)
        )
        ranked = rank_trials(trials, [stage.name for stage in stages])
        found, comparison = judged(ranked, accuracies, n_samples)
        ranking = Ranking(study_record(n_validation=n_samples), tuple(stages), found, comparison)
        if resolution_reached(ranking, name) is not None:
            break
        points = [
            ScoredPoint(float(t.params["lambda"]), t.validation_accuracy, t.validation_loss)
            for t in trials
        ]
        window = refine(points, window).range
    else:
        number = most
    best = float(found[0].params["lambda"])
    return Ended(number + 1, window.low, window.high, best)


# ------------------------------------------------------------------------------------ the figures


def main() -> None:
    """Print the figures of ``docs/statistics.md``."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    say = sys.stdout.write
    say(f"{draws} draws each\n\nWilson: coverage\n")
    for n_samples in (100, 360, 5_000):
        row = [wilson_coverage(p, n_samples, draws) for p in (0.5, 0.9, 0.97, 0.999)]
        say(f"  {n_samples:5}  " + "  ".join(f"{100 * share:5.1f}" for share in row) + "\n")
    say("Student: coverage, SD over seeds 0.35 points\n")
    for n_samples in (360, 5_000):
        row = [student_coverage(r, 0.0035, n_samples, draws) for r in (2, 3, 5, 10)]
        say(f"  {n_samples:5}  " + "  ".join(f"{100 * share:5.1f}" for share in row) + "\n")
    _ties(draws, say)
    _one_seed(draws // 10, say)
    _new_samples(draws // 20, say)
    _searches(draws // 100, say)


def _ties(draws: int, say: Callable[[str], object]) -> None:
    sd = 0.0035
    say("paired, all equal: separated (one trial, any), optimism and stated in points\n")
    for n_trials, replicates, n_samples in (
        *((2, 2, 5_000), (8, 2, 5_000), (8, 3, 5_000), (8, 5, 5_000), (27, 3, 5_000)),
        *((8, 3, 50_000), (8, 3, 360)),
    ):
        truth, noise = np.full(n_trials, 0.9), np.full(n_trials, sd)
        found = errors(repeated(truth, noise, replicates, n_samples), n_samples, draws)
        say(
            f"  {n_trials:3} trials R={replicates} N={n_samples:5}  "
            f"{100 * np.mean(found.separated):5.1f} {100 * found.any_separated:5.1f}  "
            f"{100 * found.optimism:.2f} {100 * found.stated:.2f}\n"
        )
    say("paired, eight trials, one best by a gap: separated\n")
    for gap in (0.0035, 0.007, 0.014):
        truth = np.array([0.9 + gap, *[0.9] * 7])
        row = [
            np.mean(
                errors(repeated(truth, np.full(8, sd), r, 5_000), 5_000, draws // 4).separated[1:]
            )
            for r in (2, 3, 5, 10)
        ]
        say(f"  {100 * gap:.2f}  " + "  ".join(f"{100 * share:5.1f}" for share in row) + "\n")
    say("paired, eight trials equal, unequal noise: the most separated\n")
    for name, noise in UNEQUAL.items():
        row = [
            max(
                errors(repeated(np.full(8, 0.8), sd * noise, r, 5_000), 5_000, draws // 4).separated
            )
            for r in (2, 3, 5)
        ]
        say(f"  {name}: " + "  ".join(f"{100 * share:5.1f}" for share in row) + "\n")
    say("paired, seven equal, one ten times as noisy and 7 points below: separated (good, bad)\n")
    truth = np.array([*[0.8] * 7, 0.73])
    noise = sd * np.array([*[1.0] * 7, 10.0])
    for replicates in (2, 3, 5):
        told = errors(repeated(truth, noise, replicates, 5_000), 5_000, draws // 4).separated
        say(f"  R={replicates}  {100 * np.mean(told[:7]):5.1f}  {100 * told[7]:5.1f}\n")


UNEQUAL = {
    "one ten times as noisy": np.array([*[1.0] * 7, 10.0]),
    "one three times as noisy": np.array([*[1.0] * 7, 3.0]),
    "from half to twice": np.geomspace(0.5, 2.0, 8),
}


def _one_seed(draws: int, say: Callable[[str], object]) -> None:
    say("one replicate, eight equal trials: separated (one trial, any), optimism and stated\n")
    for accuracy, n_samples, noise in (
        *((0.97, 360, 0.0), (0.97, 360, 0.0035), (0.52, 5_000, 0.0), (0.52, 5_000, 0.0035)),
    ):
        for alike in (0.0, 0.5, 0.9):
            worlds = single(np.full(8, accuracy), alike, noise, n_samples)
            found = errors(worlds, n_samples, draws)
            say(
                f"  {accuracy} N={n_samples} seeds {100 * noise:.2f} alike {alike}: "
                f"{100 * np.mean(found.separated):.1f} {100 * found.any_separated:.1f}  "
                f"{100 * found.optimism:.2f} {100 * found.stated:.2f}\n"
            )


def _new_samples(draws: int, say: Callable[[str], object]) -> None:
    say("eight trials equal on the population, replicates on one sample: separated\n")
    for accuracy, n_samples in ((0.97, 360), (0.52, 5_000)):
        for kept in (0.0, 0.01, 0.05):
            row = [
                np.mean(
                    errors(
                        sampled(np.full(8, accuracy), replicates, n_samples, kept=kept),
                        n_samples,
                        draws,
                    ).separated
                )
                for replicates in (2, 3, 5, 10)
            ]
            say(f"  {accuracy} N={n_samples} kept {kept}: ")
            say("  ".join(f"{100 * share:5.1f}" for share in row) + "\n")


def flat(_: float) -> float:
    """Return the same for every value."""
    return 0.9


def hill(top: float, height: float) -> Callable[[float], float]:
    """Return an objective that falls by ``height`` in the first decade from ``10**top``."""
    return lambda value: max(0.1, 0.9 - height * (np.log10(value) - top) ** 2)


def _searches(draws: int, say: Callable[[str], object]) -> None:
    say("searches, SD 0.35 points, 5,000 samples: stages until resolution (1 2 3 4 5 6 more)\n")
    for replicates in (1, 2, 3, 5):
        rng = np.random.default_rng(0)
        ends = [
            searched(flat, rng, noise=0.0035, replicates=replicates).stages for _ in range(draws)
        ]
        counts = [ends.count(n) / draws for n in range(1, 8)]
        say(f"  flat R={replicates}: " + " ".join(f"{100 * c:.0f}" for c in counts) + "\n")
    say("  then: optimum in the last window, its decades, points lost by the best value\n")
    for height in (0.01, 0.05):
        for replicates in (1, 3, 5):
            rng = np.random.default_rng(0)
            ends, lost, inside = [], [], 0
            for _ in range(draws):
                top = rng.uniform(-4.5, -1.5)
                objective = hill(top, height)
                end = searched(objective, rng, noise=0.0035, replicates=replicates)
                ends.append(end)
                inside += end.low <= 10**top <= end.high
                lost.append(100 * (0.9 - objective(end.best)))
            counts = [sum(e.stages == n for e in ends) / draws for n in range(1, 8)]
            decades = np.median([np.log10(e.high / e.low) for e in ends])
            say(
                f"  hill of {100 * height:.0f} points R={replicates}: "
                + " ".join(f"{100 * c:.0f}" for c in counts)
                + f"; {100 * inside / draws:.0f} %, {decades:.2f}, median {np.median(lost):.2f}, "
                f"95 % below {np.quantile(lost, 0.95):.2f}\n"
            )


if __name__ == "__main__":
    main()
