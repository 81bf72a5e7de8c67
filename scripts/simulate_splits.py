"""How often intervals and marks hold where replicates are splits, counted where the truth is known.

Trials are networks of tanh units with random first weights and a ridge regression on top: so seeds
and training sets both matter, and thousands are trained in a second. All trials of a world are of
the same kind, so each mark that is lost is an error. The truth that an interval is to hold is the
mean accuracy over training sets of that size, seeds and new samples (Nadeau and Bengio 2003).

    python -m scripts.simulate_splits [WORLDS] [SEED]
"""

import sys
from dataclasses import dataclass, replace

import numpy as np

from coarsefine.models.data.spec import SplitSpec
from coarsefine.models.data.splits import split_indices
from coarsefine.studies.results.evidence.splits import (
    OnSplits,
    estimate_on_splits,
    judge_on_splits,
)

N_TRIALS, N_FEATURES, N_CLASSES = 8, 4, 3
# A correction of next to nothing: splits taken for independent.
NONE = 1e-9


@dataclass(frozen=True)
class World:
    """What is drawn, and how it is split.

    Attributes:
        n: Samples outside the test set.
        apart: How far the means of the classes are apart, in standard deviations.
        units: Hidden units: the fewer, the more seeds matter.
        splits: One of each replicate, on which all trials are trained.
    """

    n: int
    apart: float
    units: int
    splits: tuple[SplitSpec, ...]

    @property
    def correction(self) -> float:
        """Return validation samples by training samples."""
        train, validation = split_indices(self.splits[0], np.arange(self.n) % N_CLASSES)
        return len(validation) / len(train)


def folds(n_folds: int) -> tuple[SplitSpec, ...]:
    """Return the splits of a cross-validation."""
    return tuple(SplitSpec("folds", folds=n_folds, fold=i) for i in range(n_folds))


def redraws(n_splits: int) -> tuple[SplitSpec, ...]:
    """Return random splits that leave a quarter of the samples to validate."""
    return tuple(SplitSpec(validation=0.25, redraw=i) for i in range(n_splits))


WORLDS = {
    f"{n} samples, {name}, {units} units": World(n, 2.2, units, splits)
    for n in (120, 1000)
    for name, splits in (
        ("5 folds", folds(5)),
        ("10 folds", folds(10)),
        ("10 redraws", redraws(10)),
        ("30 redraws", redraws(30)),
    )
    for units in (4, 30)
}


def samples(world: World, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and their classes."""
    y = rng.integers(N_CLASSES, size=n)
    centres = np.zeros((N_CLASSES, N_FEATURES))
    centres[np.arange(1, N_CLASSES), np.arange(1, N_CLASSES)] = world.apart
    return centres[y] + rng.standard_normal((n, N_FEATURES)), y


def right(
    world: World,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return which samples a network with first weights of its own gets right, 0 and 1."""
    weights = rng.standard_normal((N_FEATURES, world.units))
    bias = rng.standard_normal(world.units)
    hidden, seen = (np.tanh(x @ weights + bias) for x in (train[0], test[0]))
    hidden, seen = (np.column_stack([part, np.ones(len(part))]) for part in (hidden, seen))
    gram = hidden.T @ hidden + 0.1 * np.eye(world.units + 1)
    top = np.linalg.solve(gram, hidden.T @ np.eye(N_CLASSES)[train[1]])
    return np.asarray((seen @ top).argmax(axis=1) == test[1], np.float64)


def truth(world: World, rng: np.random.Generator, n_sets: int = 1500) -> float:
    """Return the mean accuracy over training sets, first weights and samples."""
    n_train = round(world.n / (1 + world.correction))
    return float(
        np.mean(
            [
                right(world, samples(world, n_train, rng), samples(world, 2000, rng), rng).mean()
                for _ in range(n_sets)
            ]
        )
    )


def counted(world: World, n_worlds: int, rng: np.random.Generator) -> dict[str, float]:
    """Return how often intervals held and marks were lost, in percent."""
    known = truth(world, rng)
    tally = dict.fromkeys(("held", "held, naive", "lost", "lost, naive"), 0)
    present = np.ones((N_TRIALS, len(world.splits)), np.bool_)
    for _ in range(n_worlds):
        x, y = samples(world, world.n, rng)
        seed = int(rng.integers(2**31))
        scores = []
        for split in world.splits:
            train, test = split_indices(replace(split, seed=seed), y)
            parts = (x[train], y[train]), (x[test], y[test])
            scores.append(np.array([right(world, *parts, rng) for _ in range(N_TRIALS)]))
        values = np.array([each.mean(axis=1) for each in scores]).T
        n_test = round(float(np.mean([each.shape[1] for each in scores])))
        for name, correction in (("", world.correction), (", naive", NONE)):
            found = estimate_on_splits(values[0].tolist(), n_test, correction)
            low, high = (0.0, 1.0) if found is None else found.interval
            tally["held" + name] += low <= known <= high
            judged = judge_on_splits(scores, values, present, OnSplits(correction))
            tally["lost" + name] += not judged.tied[0]
    return {name: 100 * n / n_worlds for name, n in tally.items()}


def main() -> None:
    """Print a row a world."""
    n_worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.stdout.write("| world | interval held | naive | mark lost | naive |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- |\n")
    for number, (name, world) in enumerate(WORLDS.items()):
        found = counted(world, n_worlds, np.random.default_rng((seed, number)))
        cells = " | ".join(f"{value:.3g}" for value in found.values())
        sys.stdout.write(f"| {name} | {cells} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
