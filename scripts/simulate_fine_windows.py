"""Count what it brings that fine windows are cut to where the optimum lies.

``python -m scripts.simulate_fine_windows [SEARCHES]`` prints a row a curve and noise: how often the
window between neighbours is cut, how wide what is left of it is (the median of those, in parts of
it), and how far the value named after both stages is below the best one, in points, with windows
between neighbours and with cut ones (mean and 95 % quantile). Seed 0, eight values a stage.
"""

import math
import sys

import numpy as np
import numpy.typing as npt

from coarsefine.studies.results.evidence.optimum import optimum_of
from coarsefine.studies.results.optimum import Located, known_ends
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.refinement import ScoredPoint, refine
from scripts.simulate_optimum import CURVES, Curve

LOW, HIGH, N = 1e-5, 1e-1, 8
Ends = tuple[float, float]
Real = npt.NDArray[np.float64]


def windows(scores: Real, noise: float, number: int) -> tuple[Ends, Ends]:
    """Return the window between neighbours, and the one that is cut to where the optimum lies."""
    values = np.geomspace(LOW, HIGH, N)
    points = [
        ScoredPoint(float(v), float(s), 1 - float(s), tied=bool(s > scores.max() - 2.8 * noise))
        for v, s in zip(values, scores, strict=True)
    ]
    searched = LogRange(LOW, HIGH)
    found = optimum_of(np.log(values), scores, np.full(N, noise), number)
    if found is None:
        raise AssertionError("too few values")
    low, high = map(math.exp, found.interval)
    optimum = known_ends(Located("lambda", "λ", found, low, high))
    both = (refine(points, searched), refine(points, searched, optimum=optimum))
    window, cut = ((each.range.low, each.range.high) for each in both)
    return window, cut


def counted(curve: Curve, noise: float, times: int) -> str:
    """Return how often windows are cut, what is left of them, and the regret after either."""
    rng = np.random.default_rng(0)
    places = np.linspace(0, 1, N)
    regrets: tuple[list[float], list[float]] = ([], [])
    left = []
    for number in range(times):
        best = float(rng.uniform(0.1, 0.9))
        scores = 0.9 + curve(places, best) + rng.normal(0, noise, N)
        window, cut = windows(scores, noise, number)
        if cut != window:
            left.append(math.log(cut[1] / cut[0]) / math.log(window[1] / window[0]))
        drawn = rng.normal(0, noise, N)
        for own, (low, high) in zip(regrets, (window, cut), strict=True):
            fine = np.log(np.geomspace(low, high, N) / LOW) / math.log(HIGH / LOW)
            tried = np.concatenate([places, fine])
            seen = np.concatenate([scores, 0.9 + curve(fine, best) + drawn])
            chosen = tried[[seen.argmax()]]
            own.append(100 * float(curve(np.array([best]), best)[0] - curve(chosen, best)[0]))
    means, tails = (
        ", ".join(f"{found:.3f}" for found in each)
        for each in (map(np.mean, regrets), (np.quantile(own, 0.95) for own in regrets))
    )
    part = f"{np.median(left):.2f}" if left else "-"
    return f"{100 * len(left) / times:.0f} % | {part} | {means} | {tails}"


def main() -> None:
    """Print a row a curve and noise."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for name, curve in CURVES.items():
        for noise in (0.002, 0.006):
            row = counted(curve, noise, times)
            print(f"| {name} | {100 * noise:g} | {row} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
