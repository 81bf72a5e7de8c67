"""Count how often ties and intervals err, in rankings whose truth is known.

``python -m scripts.simulate_statistics [RANKINGS] [SEED] [PART …]`` prints a row for each world:
how often the truly best trial (the first) lost its mark, how often a good trial did on average, how
often those between the first and the last did, how often the last did, and how often the interval
of the first held its true accuracy, in percent. Parts: one-seed, known, known-few, equal, other,
noisy, power, large, thirty, metrics, intervals. ``intervals`` counts intervals alone, of two trials
a ranking, which takes a fraction of the time: as many rankings more.
"""

import sys
import time
from collections.abc import Iterator

import numpy as np

from coarsefine.studies.metric import MetricName
from coarsefine.studies.results.evidence import metrics
from coarsefine.studies.results.evidence.intervals import ASSUMED_RUN, NETWORK, estimate, interval
from coarsefine.studies.results.evidence.spread import NETWORKS, Spread
from coarsefine.studies.results.evidence.ties import judge
from coarsefine.studies.results.known_seeds import of_scores
from tests.studies.evidence.worlds import ClassWorld, World

Row = tuple[str, World, str]


def same(accuracy: float, n_trials: int = 8) -> tuple[float, ...]:
    """Return trials that are equal."""
    return (accuracy,) * n_trials


def equal() -> Iterator[Row]:
    """Yield trials that are equal: whoever loses the mark loses it by error."""
    for seeds in (2, 3, 5, 10, 30):
        for points in (0.0, 0.35, 0.6):
            world = World(same(0.9), seeds, 5000, points / 100)
            yield f"8 trials, {seeds} seeds, 5,000 samples, SD {points}", world, ""


def noisy() -> Iterator[Row]:
    """Yield equal trials of which the last is noisier."""
    for factor in (3.0, 10.0):
        for seeds in (2, 3, 5, 10):
            noise = (*(1.0,) * 7, factor)
            yield f"last x{factor:g}, {seeds} seeds", World(same(0.9), seeds, 5000, noise=noise), ""


def other() -> Iterator[Row]:
    """Yield equal trials in worlds that are unlike these, and beside a bad one."""
    for last, what in ((0.83, "diverging"), (0.1, "at chance")):
        for seeds in (2, 3, 5):
            noise = (*(1.0,) * 7, 10.0)
            world = World((*same(0.9, 7), last), seeds, 5000, noise=noise)
            yield f"last {what}, {seeds} seeds", world, ""
    for trials in (2, 27):
        for seeds in (2, 3, 5):
            yield f"{trials} trials, {seeds} seeds", World(same(0.9, trials), seeds, 5000), ""
    for seeds in (2, 3, 5):
        yield f"{seeds} seeds, 360 samples, 97 %", World(same(0.97), seeds, 360), ""
        shared = World(same(0.9), seeds, 5000, shared=0.9)
        yield f"{seeds} seeds, neighbours share noise", shared, ""
        kinds = World(same(0.52), seeds, 5000, 0.0, kept=0.05)
        yield f"{seeds} seeds, networks differ in kind", kinds, ""
        for alike in (0.0, 0.5, 0.95):
            yield f"{seeds} seeds, alike {alike}", World(same(0.9), seeds, 5000, alike=alike), ""


def power() -> Iterator[Row]:
    """Yield one trial better than the others, alone and beside a bad one."""
    for seeds in (2, 3, 5, 10):
        for gap in (0.7, 1.3):
            good = (0.9 + gap / 100, *same(0.9, 6))
            yield f"better by {gap}, {seeds} seeds", World((*good, 0.9), seeds, 5000), ""
            for last, factor in ((0.9, 3.0), (0.83, 10.0), (0.1, 1.0)):
                world = World((*good, last), seeds, 5000, noise=(*(1.0,) * 7, factor))
                name = f"better by {gap}, {seeds} seeds, last {last} x{factor:g}"
                yield name, world, ""


def one_seed() -> Iterator[Row]:
    """Yield one seed each, with what is assumed of others, and as trained networks."""
    for accuracy, samples in ((0.97, 360), (0.52, 5000), (0.9, 50_000)):
        for alike in (0.0, 0.5, 0.85, 0.95):
            for points in (0.0, 0.2, 0.35, 0.6):
                world = World(same(accuracy), 1, samples, points / 100, alike)
                yield f"{samples} samples, alike {alike}, SD {points}", world, ""
            world = World(same(accuracy), 1, samples, 0.0, alike)
            yield f"{samples} samples, alike {alike}, networks", world, "networks"


def known() -> Iterator[Row]:
    """Yield one seed each where another study of the recipe had three."""
    for accuracy, samples in ((0.97, 360), (0.9, 5000), (0.9, 50_000)):
        for points in (0.0, 0.2, 0.35, 0.6):
            world = World(same(accuracy), 1, samples, points / 100)
            yield f"{samples} samples, SD {points}", world, "known"


def known_few() -> Iterator[Row]:
    """Yield two and three seeds where another study had three, and the same draws without it."""
    odd = (*(1.0,) * 7, 10.0)
    better = (0.913, *same(0.9, 7))
    for seeds in (2, 3):
        worlds = {
            f"SD {points}": World(same(0.9), seeds, 5000, points / 100)
            for points in (0.0, 0.35, 0.6)
        }
        worlds |= {
            "360 samples, 97 %": World(same(0.97), seeds, 360),
            "last x10": World(same(0.9), seeds, 5000, noise=odd),
            "last bad and x10": World((*same(0.9, 7), 0.83), seeds, 5000, noise=odd),
            "better by 1.3": World(better, seeds, 5000),
            "better by 1.3, last bad and x10": World((*better[:7], 0.83), seeds, 5000, noise=odd),
        }
        for name, world in worlds.items():
            for claim in ("", "known"):
                yield f"{seeds} seeds, {name}{claim and ', known'}", world, claim
        for name in ("SD 0.35", "SD 0.6", "better by 1.3"):
            for claim in ("half as noisy", "twice as noisy"):
                yield f"{seeds} seeds, {name}, known {claim}", worlds[name], claim


def large() -> Iterator[Row]:
    """Yield large validation sets."""
    for seeds in (2, 3, 5, 10):
        for points in (0.0, 0.35, 0.6):
            world = World(same(0.9), seeds, 50_000, points / 100)
            yield f"{seeds} seeds, 50,000 samples, SD {points}", world, ""


def thirty() -> Iterator[Row]:
    """Yield thirty seeds, and large validation sets with few."""
    for samples, seeds in ((5000, 30), (50_000, 3), (50_000, 10)):
        for points in (0.0, 0.35):
            world = World(same(0.9), seeds, samples, points / 100)
            yield f"{seeds} seeds, {samples:,} samples, SD {points}", world, ""


def intervals_alone() -> Iterator[Row]:
    """Yield trials whose intervals are looked at, and nothing else."""
    for samples in (5000, 50_000):
        for seeds in (2, 3, 5, 10):
            for points in (0.0, 0.35, 0.6):
                world = World(same(0.9, 2), seeds, samples, points / 100)
                yield f"{seeds} seeds, {samples:,} samples, SD {points}", world, "interval"
    for points in (0.0, 0.35):
        world = World(same(0.9, 2), 30, 5000, points / 100)
        yield f"30 seeds, 5,000 samples, SD {points}", world, "interval"


def metrics_of_classes() -> Iterator[tuple[str, ClassWorld, MetricName, bool]]:
    """Yield equal trials that are judged by other metrics, of classes of different sizes."""
    worlds = {
        "ten equal classes": ((0.1,) * 10, (0.9,) * 10),
        "90 : 10": ((0.9, 0.1), (0.97, 0.6)),
        "75 : 20 : 5": ((0.75, 0.2, 0.05), (0.95, 0.8, 0.5)),
        "98 : 2": ((0.98, 0.02), (0.99, 0.5)),
    }
    metrics: tuple[MetricName, ...] = ("balanced-accuracy", "macro-f1")
    for name, (shares, recalls) in worlds.items():
        for samples in (360, 5000):
            for seeds in (1, 3):
                for metric in metrics:
                    world = ClassWorld(shares, recalls, 8, seeds, samples)
                    title = f"{name}, {metric}, {samples:,} samples, {counted_seeds(seeds)}"
                    yield title, world, metric, seeds == 1


def counted_seeds(n: int) -> str:
    """Return a number of seeds."""
    return f"{n} seed" if n == 1 else f"{n} seeds"


def counted_by_metric(
    world: ClassWorld, metric: MetricName, n: int, seed: int, *, networks: bool
) -> tuple[list[float], float]:
    """Return the same counts where trials are judged by another metric than the accuracy."""
    rng = np.random.default_rng(seed)
    lost, held = np.zeros(world.n_trials), 0
    n_classes, true = len(world.shares), world.true(metric)
    for _ in range(n):
        classes, labels = world.predicted(rng)
        scores = metrics.scores(metric, classes, labels, n_classes)
        unit = metrics.unit(metric, labels, n_classes)
        lost += ~judge(scores, spread=NETWORKS if networks else None, unit=unit).tied
        spread = NETWORK if networks else ASSUMED_RUN
        low, high = estimate(scores[0], spread, unit=unit).interval
        held += low <= true <= high
    return (100 * lost / n).tolist(), 100 * held / n


PARTS = {
    "one-seed": one_seed,
    "known": known,
    "known-few": known_few,
    "equal": equal,
    "other": other,
    "noisy": noisy,
    "power": power,
    "large": large,
    "thirty": thirty,
    "intervals": intervals_alone,
}
METRICS = "metrics"
# By what the deviation over seeds is multiplied in a study that is known.
KNOWN = {"known": 1.0, "half as noisy": 0.5, "twice as noisy": 2.0}


def counted(world: World, claim: str, n: int, seed: int) -> tuple[list[float], float]:
    """Return how often each trial lost its mark, and the interval of the first held the truth."""
    rng = np.random.default_rng(seed)
    lost = np.zeros(len(world.accuracies))
    held = 0
    if claim == "interval":
        for _ in range(n):
            for each, true in zip(world.outcomes(rng), world.accuracies, strict=True):
                low, high = interval(each, ASSUMED_RUN)
                held += low <= true <= high
        return [np.nan] * len(lost), 100 * held / n / len(lost)
    # Few seeds are drawn alike whatever is known.
    others = rng if world.n_seeds == 1 else np.random.default_rng((seed, 1))
    for _ in range(n):
        spread: Spread | None = NETWORKS if claim == "networks" else None
        of_run = NETWORK if claim == "networks" else ASSUMED_RUN
        if claim in KNOWN:
            deviation = KNOWN[claim] * world.deviation
            pilot = World(
                world.accuracies, 3, world.n_samples, deviation, world.alike, noise=world.noise
            )
            known = of_scores(pilot.outcomes(others).astype(np.float64), 1.0, "the pilot")
            if known is not None:
                spread = known.pair if world.n_seeds == 1 else known.ratio
                of_run = known.run
        outcomes = world.outcomes(rng)
        lost += ~judge(outcomes, spread=spread).tied
        ends = interval(outcomes[0], of_run)
        held += ends[0] <= world.accuracies[0] <= ends[1]
    return (100 * lost / n).tolist(), 100 * held / n


def main() -> None:
    """Print the counts."""
    words = sys.argv[1:]
    numbers = [int(word) for word in words if word.isdigit()]
    n, seed = ([*numbers, 400, 0] if not numbers else [*numbers, 0])[:2]
    say = sys.stdout.write
    say(f"{n} rankings each, seed {seed}: first, good, middle, last lost their mark; ")
    say("interval holds (%)\n")
    for part in [word for word in words if word in {*PARTS, METRICS}] or [*PARTS, METRICS]:
        say(f"{part}\n")
        rows = metrics_of_classes() if part == METRICS else PARTS[part]()
        for row in rows:
            started = time.perf_counter()
            if len(row) == 4:
                lost, held = counted_by_metric(row[1], row[2], n, seed, networks=row[3])
            else:
                lost, held = counted(row[1], row[2], n, seed)
            say(
                f"  {row[0]:60}{lost[0]:6.1f}{np.mean(lost[:-1]):6.1f}"
                f"{np.mean(lost[1:-1] or np.nan):6.1f}{lost[-1]:6.1f}{held:7.1f}"
                f"  {time.perf_counter() - started:5.0f} s\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
