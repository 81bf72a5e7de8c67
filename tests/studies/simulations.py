"""Intervals of single shares and searches to an end, where the truth is known.

``python -m tests.studies.simulations`` prints their figures of ``docs/statistics.md``;
those of ties are printed by ``scripts.simulate_statistics``.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coarsefine.studies.results.judging.statistics import wilson
from coarsefine.studies.results.learning import equally_good
from coarsefine.studies.results.ranking import (
    RankedTrial,
    Ranking,
    StageSummary,
    judged,
    rank_trials,
)
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.results.scoring.labels import packed_labels
from coarsefine.studies.spaces.dimensions import parameter
from coarsefine.studies.spaces.gaps import fine_grid
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.refinement import ScoredPoint, refine
from tests.studies.made_up import study_record

# ------------------------------------------------------------------------------------ intervals


def wilson_coverage(accuracy: float, n_samples: int, draws: int, seed: int = 0) -> float:
    """Return how often the interval of one measured accuracy holds the true one."""
    rng = np.random.default_rng(seed)
    shares = rng.binomial(n_samples, accuracy, draws) / n_samples
    ends = [wilson(share, n_samples) for share in shares.tolist()]
    return float(np.mean([low <= accuracy <= high for low, high in ends]))


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
    # Labels of ten equally frequent classes: studies without any are narrowed in an older way.
    labels = packed_labels(np.arange(n_samples) % 10, 10)
    study = study_record(n_validation=n_samples, n_classes=10, **labels)
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
                    uuid=f"{number}:{position}",
                )
            )
        stages.append(
            StageSummary(name, window.low, window.high, values, stages[-1].name if stages else None)
        )
        ranked = rank_trials(trials, [stage.name for stage in stages])
        found, comparison = judged(ranked, accuracies, n_samples)
        ranking = Ranking(study, tuple(stages), found, comparison)
        if resolution_reached(ranking, name) is not None:
            break
        tied = equally_good(ranking)
        points = [
            ScoredPoint(
                *(float(t.params["lambda"]), t.validation_accuracy, t.validation_loss),
                tied=t.uuid in tied,
            )
            for t in trials
        ]
        window = refine(points, window, bounds=parameter("lambda").bounds({})).range
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
    _searches(draws // 100, say)


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
