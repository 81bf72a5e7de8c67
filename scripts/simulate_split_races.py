"""How often races over folds and splits err, counted where the truth is known.

Networks and samples are those of ``simulate_splits``. Values of a flat world are all alike; of a
peaked one they have more hidden units or fewer. The truth is the mean accuracy over training sets
of that size, seeds and new samples.

    python -m scripts.simulate_split_races [RACES] [SEED] [FROM] [TO]

Worlds are numbered from 1 to 18; all are carried out unless the first and the last are named.
"""

import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from coarsefine.models.data.spec import SplitSpec
from coarsefine.models.data.splits import split_indices
from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.racing import Look, Rules, decided
from coarsefine.studies.results.evidence.splits import (
    OnSplits,
    judge_on_splits,
    variance_by_seed,
)
from scripts.simulate_splits import World, right, samples, truth

LEAST, MOST, DELTA, N_FOLDS = 3, 20, 0.005, 5
FLAT, PEAKED = (4,) * 8, (30, 16, 12, 8, 6, 4, 3, 2)


def splits_of(kind: str, seed: int) -> list[SplitSpec]:
    """Return the splits that a seed is trained on."""
    if kind == "redraws":
        return [SplitSpec(validation=0.25, redraw=seed)]
    deal = seed if kind == "folds dealt anew" else 0
    return [SplitSpec("folds", folds=N_FOLDS, fold=i, redraw=deal) for i in range(N_FOLDS)]


def raced(worlds: list[World], kind: str, rng: np.random.Generator) -> tuple[Look, int, np.ndarray]:
    """Return the end of a race, the runs that it took and which values have not left.

    Args:
        worlds: One of each value: they differ in their units alone.
        kind: What seeds are trained on.
        rng: Draws the samples and the seeds.
    """
    x, y = samples(worlds[0], worlds[0].n, rng)
    drawn, n_values = int(rng.integers(2**31)), len(worlds)
    racing, runs = np.ones(n_values, np.bool_), 0
    names: list[int] = []
    scores: list[np.ndarray] = []
    present: list[np.ndarray] = []
    seen: Look | None = None
    for seed in range(MOST):
        for place, split in enumerate(splits_of(kind, seed)):
            train, test = split_indices(replace(split, seed=drawn), y)
            parts = (x[train], y[train]), (x[test], y[test])
            own = np.zeros((n_values, len(test)))
            for value in np.flatnonzero(racing):
                own[value] = right(worlds[value], *parts, rng)
            scores.append(own)
            present.append(racing.copy())
            names.append(place if kind == "folds" else len(names))
            runs += int(racing.sum())
        if seed + 1 < LEAST:
            continue
        seen = looked_at(seed + 1, worlds[0].correction, names, scores, np.array(present).T, racing)
        racing &= ~seen.left
        if seen.end is not None:
            break
    assert seen is not None  # noqa: S101  # it was looked at
    return seen, runs, racing


def looked_at(
    n_seeds: int,
    correction: float,
    names: list[int],
    scores: list[np.ndarray],
    present: np.ndarray,
    racing: np.ndarray,
) -> Look:
    """Return what a race says, as the program does: scores are averaged over seeds of a split."""
    by_split, there = [], []
    for name in dict.fromkeys(names):
        own = [i for i, each in enumerate(names) if each == name]
        n_runs = present[:, own].sum(axis=1)
        there.append(n_runs > 0)
        by_split.append(np.sum([scores[i] for i in own], axis=0) / np.maximum(n_runs, 1)[:, None])
    known = np.array(there).T
    values = np.array([each.mean(axis=1) for each in by_split]).T
    by_run = np.array([each.mean(axis=1) for each in scores]).T
    rules = Rules(Looks(LEAST, MOST, n_seeds), DELTA)
    how = OnSplits(correction, 0, variance_by_seed(by_run, present, names), rules.looks)
    return decided(judge_on_splits(by_split, values, known, how), known, racing, rules, 0)


def main() -> None:
    """Print a row a world."""
    words = [int(word) for word in sys.argv[1:]]
    n, seed, first, last = (*words, *(200, 1, 1, 18)[len(words) :])
    sys.stdout.write("| world | best left | named > δ below | lead overstated | runs | ended |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    number = 0
    for kind in ("folds", "folds dealt anew", "redraws"):
        for n_samples in (120, 1000, 5000):
            for shape, units in (("all alike", FLAT), ("peaked", PEAKED)):
                number += 1
                if not first <= number <= last:
                    continue
                rng = np.random.default_rng((seed, number))
                splits = tuple(splits_of(kind, 0))
                worlds = [World(n_samples, 2.2, each, splits) for each in units]
                known = {each: truth(replace(worlds[0], units=each), rng, 300) for each in units}
                true = np.array([known[each] for each in units])
                lost = wrong = over = runs = 0
                ends = Counter[str]()
                for _ in range(n):
                    seen, needed, racing = raced(worlds, kind, rng)
                    rest = np.delete(true, seen.best).max()
                    lost += not racing[true.argmax()]
                    wrong += seen.end in {"best", "close"} and true[seen.best] < true.max() - DELTA
                    over += seen.ahead > 0 and true[seen.best] - rest < seen.ahead
                    runs += needed
                    ends[str(seen.end)] += 1
                most = n * len(worlds) * MOST * len(splits)
                shares = (100 * count / n for count in (lost, wrong, over))
                cells = " | ".join(f"{share:.3g}" for share in (*shares, 100 * runs / most))
                ended = ", ".join(f"{end} {100 * k / n:.0f}" for end, k in ends.most_common())
                name = f"{n_samples:,} samples, {kind}, {shape}"
                sys.stdout.write(f"| {name} | {cells} | {ended} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
