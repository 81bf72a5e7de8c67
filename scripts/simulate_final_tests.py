"""Count how far selection bias is corrected, and how often the intervals of final tests hold.

``python -m scripts.simulate_final_tests [DRAWS] [SEED] [PART …]``. Parts: ``bias``: by how many
points the accuracy of the first, second and third tied value is above its true accuracy on average,
as measured and as corrected; the same of the best of three by test accuracy, where the network
itself is meant with one seed. ``intervals``: how often the intervals for new seeds (on these
samples), for new samples (of these networks), and for both hold what they are for, in percent.
"""

import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coarsefine.studies.results.evidence.intervals import NETWORK, interval, on_these_samples
from coarsefine.studies.results.evidence.spread import NETWORKS
from coarsefine.studies.results.evidence.ties import judge
from tests.studies.evidence.worlds import World

PLACES = 3


def rankings() -> Iterator[tuple[str, World]]:
    """Yield rankings of eight values: equal, graded, and some of them apart."""
    for seeds in (1, 3, 5):
        yield f"equal, {seeds} seeds, 5,000 samples", World((0.9,) * 8, seeds, 5000)
        graded = tuple(0.9 - 0.002 * place for place in range(8))
        yield f"each 0.2 points lower, {seeds} seeds", World(graded, seeds, 5000)
        apart = (0.9, 0.9, 0.9, 0.895, 0.89, 0.88, 0.87, 0.8)
        yield f"three equal, five lower, {seeds} seeds", World(apart, seeds, 5000)
        yield f"equal, {seeds} seeds, 360 samples, 97 %", World((0.97,) * 8, seeds, 360)
        shared = World((0.9,) * 8, seeds, 5000, shared=0.9)
        yield f"equal, {seeds} seeds, neighbours share noise", shared


def tests() -> Iterator[tuple[str, World]]:
    """Yield three trials on a test set."""
    for seeds in (1, 3):
        for gap in (0.0, 0.2):
            trials = (0.9, 0.9 - gap / 100, 0.9 - 2 * gap / 100)
            name = f"3 tested, {gap} points apart, {seeds} seeds, 10,000 samples"
            yield name, World(trials, seeds, 10_000)


def biases(world: World, n: int, seed: int, *, networks: bool) -> NDArray[np.float64]:
    """Return errors of each place, measured and corrected, (n, places, 2), in points."""
    rng = np.random.default_rng(seed)
    found = np.full((n, PLACES, 2), np.nan)
    for i in range(n):
        drawn = world.drawn(rng)
        outcomes = drawn.right
        judged = judge(outcomes, spread=NETWORKS if networks else None)
        measured = outcomes.mean(axis=(1, 2), dtype=np.float64)
        true = drawn.means[:, 0] if networks else np.array(world.accuracies)
        for place, trial in enumerate(np.argsort(-measured, kind="stable")[:PLACES]):
            error = 100 * (measured[trial] - true[trial])
            known = judged.tied[trial] and place < len(judged.by_place)
            bias = judged.by_place[place] if known else 0.0
            found[i, place] = error, error - 100 * bias
    return found


def held(world: World, n: int, seed: int) -> tuple[float, float, float]:
    """Return how often the intervals of the first trial hold what they are for, in percent."""
    rng = np.random.default_rng(seed)
    count = np.zeros(3)
    for _ in range(n):
        drawn = world.drawn(rng)
        scores = drawn.right[0]
        network = interval(scores.mean(axis=0, dtype=np.float64)[None], NETWORK)
        for place, (ends, true) in enumerate(
            (
                (on_these_samples(scores), world.on_samples(drawn.ease[0])),
                (network, float(drawn.means[0].mean())),
                (interval(scores), world.accuracies[0]),
            )
        ):
            assert ends is not None  # noqa: S101  # there are several seeds
            count[place] += ends[0] <= true <= ends[1]
    seeds, samples, both = (100 * count / n).tolist()
    return seeds, samples, both


def main() -> None:
    """Print the counts."""
    words = sys.argv[1:]
    numbers = [int(word) for word in words if word.isdigit()]
    n, seed = ([*numbers, 400, 0] if not numbers else [*numbers, 0])[:2]
    parts = [word for word in words if not word.isdigit()] or ["bias", "intervals"]
    say = sys.stdout.write
    say(f"{n} draws each, seed {seed}\n")
    if "bias" in parts:
        say(
            "bias in points, as measured and corrected, of places 1, 2, 3; standard error of each\n"
        )
        worlds = [(name, world, False) for name, world in rankings()]
        worlds += [(name, world, world.n_seeds == 1) for name, world in tests()]
        for name, world, networks in worlds:
            started = time.perf_counter()
            found = biases(world, n, seed, networks=networks)
            mean = found.mean(axis=0)
            error = found[:, 0, 1].std(ddof=1) / np.sqrt(n)
            cells = "".join(f"{a:8.2f}{b:7.2f}" for a, b in mean)
            took = time.perf_counter() - started
            say(f"  {name:52}{cells}  ± {error:.2f} {took:5.0f} s\n")
            sys.stdout.flush()
    if "intervals" in parts:
        say("held (%): for new seeds, for new samples, for both\n")
        for seeds in (2, 3, 5, 10):
            for points in (0.0, 0.35, 0.6):
                started = time.perf_counter()
                world = World((0.9,), seeds, 10_000, points / 100)
                cells = "".join(f"{share:8.1f}" for share in held(world, n, seed))
                took = time.perf_counter() - started
                say(f"  {seeds} seeds, SD {points:<47}{cells} {took:5.0f} s\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
