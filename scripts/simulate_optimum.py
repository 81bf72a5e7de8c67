"""Count how often the interval of the optimum holds it: `python -m scripts.simulate_optimum`.

Curves of four kinds have their maximum anywhere in the middle of the range. The tables of
docs/statistics.md are its output: 400 searches a row, seed 0.
"""

import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coarsefine.studies.results.evidence.optimum import optimum_of

Real = npt.NDArray[np.float64]
# Score against place for a maximum at c, both in [0, 1]: how far below the maximum.
Curve = Callable[[Real, float], Real]
CURVES: dict[str, Curve] = {
    "a parabola": lambda x, c: -0.2 * (x - c) ** 2,
    "a tent": lambda x, c: -0.2 * np.abs(x - c),
    "a plateau that falls off": lambda x, c: np.where(
        x < c, -0.01 * (c - x), -0.3 * np.maximum(x - c, 0) ** 1.5
    ),
    "a slope, then a parabola": lambda x, c: (
        -0.01 * (1 - np.exp(-2 * np.maximum(c - x, 0))) - 0.5 * np.maximum(x - c, 0) ** 2
    ),
}


def counted(curve: Curve, n: int, noise: float, times: int) -> str:
    """Return how often the interval held the maximum, and its median width."""
    rng = np.random.default_rng(0)
    places = np.linspace(0, 1, n)
    held, widths = 0, []
    for number in range(times):
        best = float(rng.uniform(0.15, 0.85))
        scores = 0.9 + curve(places, best) + rng.normal(0, noise, n)
        found = optimum_of(places, scores, np.full(n, noise), number)
        if found is None:
            raise AssertionError("too few values")
        low, high = found.interval
        held += low <= best <= high
        widths.append(high - low)
    return f"{100 * held / times:.1f} % | {np.median(widths):.2f}"


def main() -> None:
    """Print a row a curve, number of values and noise."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print("| curve | values | noise (points) | holds the best | width |")  # noqa: T201
    print("| --- | --- | --- | --- | --- |")  # noqa: T201
    for name, curve in CURVES.items():
        for n in (8, 16):
            for noise in (0.002, 0.006, 0.02):
                row = counted(curve, n, noise, times)
                print(f"| {name} | {n} | {100 * noise:g} | {row} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
