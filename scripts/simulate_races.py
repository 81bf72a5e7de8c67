"""Count how often races over seeds err, and how many runs they need, where the truth is known.

``python -m scripts.simulate_races [RACES] [SEED] [PART …]`` prints a row for each world: how often
the truly best value left the race, how often the value that was named is worse than the best by
more than δ although the race says otherwise, how often the least lead that was claimed is more than
the true one (in percent), runs that were needed in percent of the most, and how races ended.
Parts: flat, peaked, noisy, few.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.pairs import Present, Scores
from coarsefine.studies.results.evidence.racing import Look, Rules, look
from tests.studies.evidence.worlds import World

RULES: Final = Rules(Looks(3, 20), 0.005)


def flat() -> Iterator[tuple[str, World]]:
    """Yield values that are equal, or nearly so."""
    for samples, accuracy in ((360, 0.97), (5_000, 0.9), (50_000, 0.9)):
        for points in (0.0, 0.35, 0.6):
            world = World((accuracy,) * 8, RULES.looks.most, samples, points / 100)
            yield f"8 equal, {samples:,} samples, SD {points}", world
    alike = World((0.9,) * 8, RULES.looks.most, 5_000, shared=0.9)
    yield "8 equal, 5,000 samples, SD 0.35, neighbours alike", alike
    kinds = World((0.52,) * 8, RULES.looks.most, 5_000, 0.0035, kept=0.05)
    yield "8 equal, 5,000 samples, SD 0.35, networks of other kinds", kinds


def peaked() -> Iterator[tuple[str, World]]:
    """Yield a best value with others below it."""
    for samples in (5_000, 50_000):
        for gap in (0.4, 0.6, 1.0, 2.0):
            below = np.array([0, 1, 1, 2, 2, 4, 4, 8]) * gap / 100
            for points in (0.35, 0.6):
                world = World(tuple(0.92 - below), RULES.looks.most, samples, points / 100)
                yield f"best by {gap}, {samples:,} samples, SD {points}", world


def noisy() -> Iterator[tuple[str, World]]:
    """Yield values of which some are noisier."""
    for factor in (3.0, 10.0):
        noise = (*(1.0,) * 7, factor)
        world = World((0.9,) * 8, RULES.looks.most, 5_000, noise=noise)
        yield f"8 equal, last x{factor:g}", world
        first = World((0.9,) * 8, RULES.looks.most, 5_000, noise=noise[::-1])
        yield f"8 equal, first x{factor:g}", first
        below = (0.906, *(0.9,) * 7)
        yield f"best by 0.6, last x{factor:g}", World(below, RULES.looks.most, 5_000, noise=noise)


def few() -> Iterator[tuple[str, World]]:
    """Yield few and many values."""
    for n_values in (2, 3, 20):
        for samples in (5_000, 50_000):
            world = World((0.9,) * n_values, RULES.looks.most, samples)
            yield f"{n_values} equal, {samples:,} samples", world
            best = World((0.906, *(0.9,) * (n_values - 1)), RULES.looks.most, samples)
            yield f"best of {n_values} by 0.6, {samples:,} samples", best


PARTS: Final = {"flat": flat, "peaked": peaked, "noisy": noisy, "few": few}


def raced(scores: Scores, rules: Rules = RULES) -> tuple[Look, int, Present]:
    """Return the end of a race, the runs that it took, and which values have not left.

    Args:
        scores: (T, R, N), of all seeds that there may be.
        rules: How it goes.
    """
    n_values = len(scores)
    racing = np.ones(n_values, np.bool_)
    present = np.zeros(scores.shape[:2], np.bool_)
    for n_seeds in range(rules.looks.least, rules.looks.most + 1):
        present[racing, :n_seeds] = True
        seen = look(scores[:, :n_seeds], present[:, :n_seeds], racing, rules)
        racing &= ~seen.left
        if seen.end is not None:
            break
    return seen, int(present.sum()), racing


def counted(world: World, n: int, seed: int) -> tuple[Sequence[float], Counter[str]]:
    """Return the shares of races that erred and runs needed, in percent, and how races ended."""
    rng = np.random.default_rng(seed)
    true = np.array(world.accuracies)
    lost = wrong = over = runs = 0
    ends = Counter[str]()
    for _ in range(n):
        seen, needed, racing = raced(world.outcomes(rng))
        others = np.delete(true, seen.best)
        lost += not racing[0]
        wrong += seen.end in {"best", "close"} and true[seen.best] < true.max() - RULES.delta - 1e-9
        over += seen.ahead > 0 and true[seen.best] - others.max() < seen.ahead
        runs += needed
        ends[str(seen.end)] += 1
    most = n * len(true) * RULES.looks.most
    return [100 * lost / n, 100 * wrong / n, 100 * over / n, 100 * runs / most], ends


def main() -> None:
    """Print the counts."""
    words = sys.argv[1:]
    numbers = [int(word) for word in words if word.isdigit()]
    n, seed = [*numbers, *(200, 1)[len(numbers) :]][:2]
    say = sys.stdout.write
    say(f"{n} races each, seed {seed}: best left, named > delta below, lead overstated, runs (%)\n")
    for part in [word for word in words if word in PARTS] or PARTS:
        say(f"{part}\n")
        for name, world in PARTS[part]():
            started = time.perf_counter()
            shares, ends = counted(world, n, seed)
            ended = ", ".join(f"{end} {100 * k / n:.0f}" for end, k in ends.most_common())
            row = "".join(f"{share:6.1f}" for share in shares)
            say(f"  {name:58}{row}   {ended}  ({time.perf_counter() - started:.0f} s)\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
