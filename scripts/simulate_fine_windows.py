"""Count what fine windows from the optimum's interval would bring, beside those between neighbours.

``python -m scripts.simulate_fine_windows [SEARCHES]`` prints a row a curve and noise: how often the
interval is closed and narrower than the window, and how far the value named after both stages is
below the best one, in points (mean and 95 % quantile). Seed 0, eight values a stage.
"""

import math
import sys

import numpy as np
import numpy.typing as npt

from coarsefine.studies.results.evidence.optimum import optimum_of
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.refinement import ScoredPoint, refine
from scripts.simulate_optimum import CURVES, Curve

LOW, HIGH, N = 1e-5, 1e-1, 8
Ends = tuple[float, float]
Real = npt.NDArray[np.float64]


def windows(scores: Real, noise: float, number: int) -> tuple[Ends, Ends | None]:
    """Return the window between neighbours, and the interval if that is sharper."""
    values = np.geomspace(LOW, HIGH, N)
    points = [
        ScoredPoint(float(v), float(s), 1 - float(s), tied=bool(s > scores.max() - 2.8 * noise))
        for v, s in zip(values, scores, strict=True)
    ]
    window = refine(points, LogRange(LOW, HIGH)).range
    found = optimum_of(np.log(values), scores, np.full(N, noise), number)
    if found is None:
        raise AssertionError("too few values")
    low, high = (math.exp(end) for end in found.interval)
    narrower = (
        math.log(high / low) < 0.95 * math.log(window.high / window.low) and high > 1.05 * low
    )
    return (window.low, window.high), None if any(found.at_edge) or not narrower else (low, high)


def counted(curve: Curve, noise: float, times: int) -> str:
    """Return how often the interval is narrower, and the regret after either window."""
    rng = np.random.default_rng(0)
    places = np.linspace(0, 1, N)
    regrets: tuple[list[float], list[float]] = ([], [])
    n_narrower = 0
    for number in range(times):
        best = float(rng.uniform(0.1, 0.9))
        scores = 0.9 + curve(places, best) + rng.normal(0, noise, N)
        window, interval = windows(scores, noise, number)
        n_narrower += interval is not None
        drawn = rng.normal(0, noise, N)
        for own, (low, high) in zip(regrets, (window, interval or window), strict=True):
            fine = np.log(np.geomspace(low, high, N) / LOW) / math.log(HIGH / LOW)
            tried = np.concatenate([places, fine])
            seen = np.concatenate([scores, 0.9 + curve(fine, best) + drawn])
            chosen = tried[[seen.argmax()]]
            own.append(100 * float(curve(np.array([best]), best)[0] - curve(chosen, best)[0]))
    means, tails = (
        ", ".join(f"{found:.3f}" for found in each)
        for each in (map(np.mean, regrets), (np.quantile(own, 0.95) for own in regrets))
    )
    return f"{100 * n_narrower / times:.0f} % | {means} | {tails}"


def main() -> None:
    """Print a row a curve and noise."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for name, curve in CURVES.items():
        for noise in (0.002, 0.006):
            row = counted(curve, noise, times)
            print(f"| {name} | {100 * noise:g} | {row} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
