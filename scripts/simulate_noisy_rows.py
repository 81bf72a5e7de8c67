"""What the best of all tests could tell beside a row that is three or ten times as noisy.

Eight values with few seeds each, as in ``simulate_statistics``: a run differs from the mean of its
value by 0.44 points (0.35 over seeds, the rest by 5,000 samples), and one row may be three or ten
times as noisy over seeds. The tests here are the most powerful ones (Neyman and Pearson 1933): a
value loses its mark to another where the likelihood of a lead outweighs those of no lead, all rows
alike or any one of them noisy. They are told the factors, and not which row is noisy, nor by which.
What they find is more than any rule can that knows less.

    python -m scripts.simulate_noisy_rows [RANKINGS] [SEED]

Prints the most that they find of leads of 1.3 points, where equal values keep their marks in 95 %
of rankings without a noisy row, and in 95 % or as many as stated beside one, of either kind; and
where one ten times as noisy and 7 points worse costs no more than 3 points of what is found without
it.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coarsefine.studies.results.judging.statistics import dunnett_quantile

Real = NDArray[np.float64]

N_ROWS: Final = 8
RUN: Final = 0.44
"""Standard deviation of a run about the mean of its value, in points."""
THREE, TEN = (float(np.sqrt((k * 0.35) ** 2 + RUN**2 - 0.35**2)) / RUN for k in (3, 10))
"""By how much that of a noisy row is larger."""
FACTORS: Final = (THREE, TEN)
LEAD, BEHIND = 1.3, 7.0
# Tests find leads of any of these sizes: one told the size would take a larger one for noise.
LEADS: Final = (1.3, 1.8, 2.6, 4.0, 6.0, 9.0)
ALPHA, LESS = 0.05, 0.03
MOST: Final = (0.1, 0.07, 0.06, 0.05)
"""How often equal values may lose their marks beside a noisy row, in turn."""
# Tests differ in what they weigh: rows alike; and for either factor a noisy row, and leads beside
# one as a share of that. Half of them are near the best so far.
WEIGHTS: Final = ((0.03, 3), *((0.01, 30), (0.03, 6)) * len(FACTORS))
N_TESTS: Final = 4000
# Logarithms of the noise that tests integrate over which are not told it.
_SCALES: Final = np.linspace(np.log(0.25), np.log(4.0), 25)


@dataclass(frozen=True)
class Rows:
    """Means of rows, and sums of squares about them, in standard deviations of a run; (n, T)."""

    means: Real
    squares: Real


def drawn(
    n: int, n_seeds: int, rng: np.random.Generator, *, noisy: float = 1.0, lead: bool = False
) -> Rows:
    """Return rankings of which the last row may be noisy, and the first better than the others."""
    means = rng.standard_normal((n, N_ROWS)) / np.sqrt(n_seeds)
    squares = rng.chisquare(n_seeds - 1, (n, N_ROWS))
    means[:, -1] *= noisy
    squares[:, -1] *= noisy**2
    if lead:
        means[:, 0] += LEAD / RUN
        means[:, -1] -= BEHIND / RUN * (noisy > 1)
    return Rows(means, squares)


def worlds(n: int, n_seeds: int, rng: np.random.Generator) -> list[Rows]:
    """Return equal rows, alike and beside a noisy one of either kind; and one that leads.

    The last are with a lead, all alike and beside a row that is ten times as noisy and worse.
    """
    equal = [drawn(n, n_seeds, rng, noisy=noisy) for noisy in (1.0, *FACTORS)]
    return [*equal, *(drawn(n, n_seeds, rng, noisy=noisy, lead=True) for noisy in (1.0, TEN))]


def likelihoods(rows: Rows, n_seeds: int, *, told: bool) -> dict[tuple[str, float], Real]:
    """Return those of each row and the second, (n, T), but for a factor that all share.

    Args:
        rows: Rankings.
        n_seeds: R.
        told: Whether the noise of a run is known; else it is integrated over on a log scale.

    Returns:
        ``equal`` and ``lead`` with a factor of 1, of rows alike; with others ``equal`` and
        ``lead``, where one of the other rows is so noisy, and ``own``, where the row itself is.
    """
    apart, total = rows.means - rows.means[:, [1]], rows.squares.sum(axis=1, keepdims=True)
    found: dict[tuple[str, float], Real] = defaultdict(lambda: np.zeros_like(apart))
    for log_scale in (0.0,) if told else _SCALES:
        scale = np.exp(log_scale)
        alike = 2 * scale**2 / n_seeds
        # The median keeps exponents of all rankings within what a float holds.
        shared = (np.median(total) - total / scale**2) / 2 - (
            N_ROWS * (n_seeds - 1) + 1
        ) * log_scale
        equal = np.exp(shared - apart**2 / alike / 2)
        gaps = np.array(LEADS) / RUN * (1.0 if told else scale)
        lead = np.mean([np.exp(shared - (apart - gap) ** 2 / alike / 2) for gap in gaps], axis=0)
        found["equal", 1.0] += equal
        found["lead", 1.0] += lead
        for factor in FACTORS:
            unlike = (1 + factor**2) * scale**2 / n_seeds
            if_noisy = rows.squares / scale**2 * (1 - factor**-2) / 2
            if_noisy -= (n_seeds - 1) * np.log(factor)
            others = np.exp(np.clip(if_noisy, -50, 200))
            others = (others.sum(axis=1, keepdims=True) - others - others[:, [1]]) / (N_ROWS - 2)
            own = np.exp(shared + if_noisy - apart**2 / unlike / 2) * np.sqrt(alike / unlike)
            found["equal", factor] += equal * others
            found["lead", factor] += lead * others
            found["own", factor] += own
    return found


def lost(rows: Rows, known: dict[tuple[str, float], Real], weights: Sequence[float]) -> float:
    """Return how often the second row loses its mark to another."""
    alike, *of_factors = weights
    gain, loss = known["lead", 1.0], alike * (N_ROWS - 1) * known["equal", 1.0]
    for factor, noisy, share in zip(FACTORS, of_factors[::2], of_factors[1::2], strict=True):
        gain = gain + noisy * share * known["lead", factor]
        loss = loss + noisy * (known["own", factor] + (N_ROWS - 2) * known["equal", factor])
    worse = (gain > loss) & (rows.means > rows.means[:, [1]])
    return float(worse.any(axis=1).mean())


def pooled(rows: Rows, n_seeds: int) -> float:
    """Return the same where margins follow from the noise of all rows, pooled."""
    df = N_ROWS * (n_seeds - 1)
    error = np.sqrt(2 * rows.squares.sum(axis=1) / df / n_seeds)
    margin = dunnett_quantile(N_ROWS - 1, df) * error
    return float((np.delete(rows.means, 1, axis=1).max(axis=1) > rows.means[:, 1] + margin).mean())


def best_tests(
    n: int, n_seeds: int, rng: np.random.Generator, *, told: bool
) -> Iterator[tuple[float, list[float]]]:
    """Yield how often the best tests take marks away in each world, counted on draws of their own.

    Args:
        n: Rankings to choose tests by.
        n_seeds: R.
        rng: Draws them.
        told: As in ``likelihoods``.

    Yields:
        One of ``MOST`` and the shares, in the order of ``worlds``.
    """
    tried = worlds(n, n_seeds, rng)
    known = [likelihoods(each, n_seeds, told=told) for each in tried]
    low, high = np.log(WEIGHTS).T
    # A test that takes no mark away is always found.
    nothing = [np.inf, 0.0, 0.0, 0.0, 0.0]
    best: dict[float, tuple[float, list[float]]] = dict.fromkeys(MOST, (0.0, nothing))
    limits = (ALPHA, *(max(MOST),) * len(FACTORS), 1, 1)
    for number in range(N_TESTS):
        drawn_weights = rng.uniform(low, high)
        if number >= N_TESTS // 2:
            near = best[MOST[number % len(MOST)]][1]
            drawn_weights = np.log(np.maximum(near, 1e-9)) + 0.3 * rng.standard_normal(len(low))
        weights = np.exp(drawn_weights).tolist()
        counts: list[float] = []
        for most, row, odds in zip(limits, tried, known, strict=True):
            counts.append(lost(row, odds, weights))
            if counts[-1] > most:
                break
        else:
            for most in MOST:
                keeps = max(counts[1:-2]) <= most and counts[-1] >= counts[-2] - LESS
                if keeps and counts[-2] > best[most][0]:
                    best[most] = counts[-2], weights
    again = worlds(2 * n, n_seeds, rng)
    odds_again = [likelihoods(each, n_seeds, told=told) for each in again]
    for most in MOST:
        weights = best[most][1]
        yield most, [lost(*each, weights) for each in zip(again, odds_again, strict=True)]


def main() -> None:
    """Print a row a test."""
    n, seed = (*map(int, sys.argv[1:]), *(8_000, 1)[len(sys.argv) - 1 :])
    say = sys.stdout.write
    say(f"{n:,} rankings to choose each test by, twice as many to count it, seed {seed}; percent\n")
    say("| seeds | test | lost, all alike | beside one ×3 | ×10 | found | beside a bad row |\n")
    say("| --- | --- | --- | --- | --- | --- | --- |\n")
    for n_seeds in (2, 3):
        rng = np.random.default_rng((seed, n_seeds))
        counts = [pooled(each, n_seeds) for each in worlds(2 * n, n_seeds, rng)]
        say_row(n_seeds, "margins from the noise of all rows", counts)
        for told in (False, True):
            for most, counts in best_tests(n, n_seeds, rng, told=told):
                name = f"the best that loses {100 * most:.0f} %{', noise told' * told}"
                say_row(n_seeds, name, counts)


def say_row(n_seeds: int, name: str, counts: Sequence[float]) -> None:
    """Print a row."""
    cells = " | ".join(f"{100 * each:.1f}" for each in counts)
    sys.stdout.write(f"| {n_seeds} | {name} | {cells} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
