"""Which of several trials may be the best, each pair judged by its own noise.

The claim is that of multiple comparisons with the best (Hsu 1984): the trial that is best over new
seeds and new samples is among the tied ones in 95 % of rankings. A trial is not tied if any other
is ahead of it by more than chance explains, the best measured one or another: a noisy best does
not keep everyone tied.

How far the luckiest of all others may be ahead follows from draws of all trials together, with the
correlations that their samples show: many trials that are nearly the same network count as few.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coarsefine.models import special
from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.pairs import (
    Pairs,
    Present,
    Real,
    Scores,
    compared,
    covariance,
)
from coarsefine.studies.results.evidence.quantiles import (
    family_factor,
    fewest_samples,
    normal_of,
    normal_quantile,
    student_of,
)
from coarsefine.studies.results.evidence.spread import (
    NETWORKS,
    Pooled,
    Spread,
    not_measured,
    pool,
    usable_ratios,
)

ALPHA: Final = 0.05
# Draws of a ranking: the 95 % quantile is good to two percent. Fewer where there are many trials.
_DRAWS, _FEWER_DRAWS, _MANY = 2000, 1000, 16
# A discordant sample or so more than there are: a variance of few of them is known badly.
_PSEUDO: Final = 1.5
_ROUNDING: Final = 1e-12
# Of normal numbers, in place of minus infinity, of which there are no quantiles.
_NEVER: Final = -40.0
# The share of alpha that is spent on trials as noisy as each other: some may be noisier.
_SPENT: Final = 0.7
# The true ratio of draws is taken at this upper limit of what the pooled one may be.
_UPPER: Final = 0.7


@dataclass(frozen=True, slots=True)
class Judged:
    """What can be said of trials.

    Attributes:
        best: Position of the trial with the highest mean.
        tied: (T,), which may be the best; the best itself always.
        difference: (T,), to the best, over the seeds that both have; NaN if there is none.
        margin: (T,), how large a difference to the best may be by chance: a trial is tied if its
            difference is no larger. Where another trial than the best settles it, it is the margin
            that says the same.
        margins: (T, T), by how much the row may be ahead of the column by chance.
        errors: (T, T), standard errors of the differences.
        spread: What is known of seeds.
        noisy: (T,), trials judged by their own noise, far above that of the others.
        optimism: How far the best is overestimated for having been chosen, on average.
        optimism_if_equal: The same if all tied trials were equal.
        leads: (T, T), by how much the row is ahead of the column; NaN where they share no seed.
        seed_variances: (T, T), the part of ``errors``, squared, that more seeds lessen.
        flip_variances: (T, T), the part of that which more samples lessen, too.
        multiples: (T,), margins of a column in standard errors, if these were known.
        df: (T, T), degrees of freedom that they are known with.
        least: The margin that the fewest samples leave.
        by_place: How far the tied trial that is second, third, … among them is overestimated for
            its place; the first is ``optimism``. Nothing where none is tied.
    """

    best: int
    tied: Present
    difference: Real
    margin: Real
    margins: Real
    errors: Real
    spread: Spread
    noisy: Present
    optimism: float
    optimism_if_equal: float
    leads: Real
    seed_variances: Real
    flip_variances: Real
    multiples: Real
    df: Real
    least: float
    by_place: tuple[float, ...] = ()


def judge(
    scores: Scores,
    present: Present | None = None,
    *,
    spread: Spread | None = None,
    n_family: int = 0,
    unit: float = 1.0,
    looks: Looks | None = None,
    alpha: float = ALPHA,
) -> Judged:
    """Return which trials may be the best, and how large differences may be by chance.

    Args:
        scores: (T, S, N), higher is better, by trial, seed and sample; for accuracy 0 and 1.
        present: (T, S), which runs there are; ``None`` for all.
        spread: ``NETWORKS`` for the claim about these trained networks on new samples. Else what is
            known of seeds from elsewhere in the file; ``None`` if nothing is.
        n_family: How many trials were compared in all, if the best of them are given.
        unit: By how much a score changes where a sample flips, squared; 0 for losses.
        looks: After which seeds it may be asked; ``None`` if once only.
        alpha: How often the truly best may go without a mark.
    """
    scores = np.asarray(scores)
    if scores.dtype == np.bool_:
        scores = scores.astype(np.float32)
    n_trials, n_seeds, _ = scores.shape
    if present is None:
        present = np.ones((n_trials, n_seeds), np.bool_)
    means = np.array([scores[t, present[t]].mean(dtype=np.float64) for t in range(n_trials)])
    pairs = compared(scores, present)
    return judge_pairs(pairs, present, means, Asked(spread, n_family, unit, looks, alpha))


def judge_accuracies(
    accuracies: Real,
    present: Present,
    n_samples: int,
    *,
    spread: Spread | None = None,
    n_family: int = 0,
    looks: Looks | None = None,
    alpha: float = ALPHA,
) -> Judged:
    """Return the same where accuracies are all that was kept.

    Which samples two trials share is not known. With one seed their samples count as different
    ones (so shares of the same samples differ by less than is said). With several, seeds show the
    noise, pair by pair, and the sample has the least part that it can have: D N samples that all
    speak for the same trial.

    Args:
        accuracies: (T, S), by trial and seed; of runs that are not there, anything.
        present: (T, S).
        n_samples: Validation samples, >= 1.
        spread: As in ``judge``.
        n_family: As in ``judge``.
        looks: As in ``judge``.
        alpha: As in ``judge``.
    """
    n_seeds = present.astype(np.int64) @ present.T.astype(np.int64)
    known = np.where(present, accuracies, 0.0)
    means = known.sum(axis=1) / present.sum(axis=1)
    runs = known.T[None]
    (squares,) = _variances(runs, present, n_seeds, _leads(runs, present, n_seeds))
    sums = known @ present.T.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = (sums - sums.T) / n_seeds
    binomial = np.clip(means * (1 - means), 1 / n_samples, None)
    independent = (binomial[:, None] + binomial[None]) * ~np.eye(len(means), dtype=bool)
    several = n_seeds > 1
    # Rounding to whole samples hides a twelfth of a step, squared, of either (Sheppard 1898).
    by_seed = n_samples * np.maximum(squares, 1 / (6 * n_samples**2))
    pairs = Pairs(
        n_samples=n_samples,
        n_seeds=n_seeds,
        difference=difference,
        seed=np.where(several, by_seed, np.nan),
        sample=independent,
        rest=np.where(several, independent, np.nan),
    )
    if spread is None and not several[~np.eye(len(means), dtype=bool)].any():
        spread = NETWORKS
    asked = Asked(spread, n_family, 1.0, looks, alpha, counted=False)
    return judge_pairs(pairs, present, means, asked)


@dataclass(frozen=True, slots=True)
class Asked:
    """Arguments of ``judge``; ``counted`` if what samples say of pairs is known."""

    spread: Spread | None
    n_family: int
    unit: float
    looks: Looks | None
    alpha: float
    counted: bool = True


def judge_pairs(pairs: Pairs, present: Present, means: Real, asked: Asked) -> Judged:
    """Return the verdicts on pairs."""
    spread, n_family, unit, alpha = asked.spread, asked.n_family, asked.unit, asked.alpha
    counted = asked.counted
    n_trials = len(present)
    best = int(means.argmax())
    noise = _noise(pairs, present, spread, unit if counted else 0.0)
    off = ~np.eye(n_trials, dtype=bool) & (pairs.n_seeds > 0)
    # Normal numbers: by how much the row is ahead of the column, where all are equal.
    ahead = np.where(off, normal_of(noise.leads / noise.scales, noise.df), _NEVER)
    level = 1 - _SPENT * alpha
    factor = family_factor(n_trials, n_family, alpha)
    least = fewest_samples(max(n_trials, n_family) - 1, alpha) * np.sqrt(unit) / pairs.n_alike
    pseudo = _PSEUDO * unit / pairs.n_alike**2 if counted else 0.0
    errors = np.sqrt(noise.variances + pseudo)
    share = 1.0 if not off.any() else float((noise.seeds[off] / np.square(errors[off])).max())

    def margins(compared_with: Present) -> tuple[Real, Real]:
        luckiest = np.where(compared_with, ahead, _NEVER).max(axis=1)
        quantile = np.maximum(np.quantile(luckiest, level, axis=0), normal_quantile(level))
        often = 1.0
        if asked.looks is not None:
            often = asked.looks.factor(float(quantile.max()), share, int(pairs.n_seeds.max()))
        multiples = often * factor * quantile
        found = student_of(multiples[None], noise.df) * errors
        if counted or pairs.correction:
            return multiples, np.asarray(np.maximum(found, least))
        # D = q √(v + D/N), solved for D; of one seed v holds all of the samples' part.
        both = (least + np.sqrt(least**2 + 4 * found**2)) / 2
        both = np.where(pairs.replicated, both, np.maximum(found, least))
        return multiples, np.asarray(both)

    multiples, found = margins(off)
    lead = np.where(off, pairs.difference, -np.inf)
    # Whoever is far behind a trial cannot be ahead of it by chance.
    hopeful = off & (lead > -2 * found)
    if (hopeful != off).any():
        multiples, found = margins(hopeful)
    over = np.where(off, lead - found, -np.inf)
    worst = over.max(axis=0)
    tied = worst <= _ROUNDING
    tied[best] = True
    difference = np.where(np.arange(n_trials) == best, 0.0, -pairs.difference[best])
    with np.errstate(invalid="ignore"):
        margin = np.maximum(-difference - np.maximum(worst, over[best]), 0.0)
    margin[best] = 0.0
    by_place, if_equal = _optimism(means, noise.single, tied)
    return Judged(
        best=best,
        tied=tied,
        difference=difference,
        margin=margin,
        margins=found,
        errors=errors,
        spread=noise.spread,
        noisy=noise.noisy,
        optimism=by_place[0] if by_place else 0.0,
        optimism_if_equal=if_equal,
        leads=pairs.difference,
        seed_variances=noise.seeds,
        flip_variances=np.asarray(np.minimum(noise.flips, noise.seeds)),
        multiples=multiples,
        df=noise.df,
        least=float(least),
        by_place=by_place,
    )


@dataclass(frozen=True, slots=True)
class _Noise:
    """How far equal trials come apart.

    Attributes:
        variances: (T, T), of the measured differences.
        seeds: (T, T), the part of them that more seeds lessen.
        flips: (T, T), of samples that flip with the seed.
        leads: (B, T, T), drawn differences of equal trials.
        single: (B, T), how far each is from the mean of all, at the measured ratio.
        scales: (B or 1, T, T), their standard errors as they would be measured.
        df: (T, T), degrees of freedom of the variances.
        spread: What is known of seeds.
        noisy: (T,).
    """

    variances: Real
    seeds: Real
    flips: Real
    leads: NDArray[np.float64]
    single: NDArray[np.float64]
    scales: NDArray[np.float64]
    df: Real
    spread: Spread
    noisy: Present


def _noise(pairs: Pairs, present: Present, spread: Spread | None, unit: float) -> _Noise:
    n_trials, n_samples = len(present), pairs.n_samples
    rng = np.random.default_rng(n_trials)
    n_draws = _FEWER_DRAWS if n_trials > _MANY else _DRAWS
    n_common = np.maximum(pairs.n_seeds, 1)
    per_seed, kept = np.nan_to_num(pairs.per_seed), np.nan_to_num(pairs.kept)
    runs = rng.standard_normal((n_draws, *present.T.shape)) @ covariance(per_seed)
    leads = _leads(runs, present, pairs.n_seeds)
    ratios, usable = usable_ratios(pairs, unit)
    noisy = alone = np.zeros(n_trials, np.bool_)
    extra = 0.0
    if spread == NETWORKS or not usable.any():
        known = not_measured(spread, pairs)
        extra = known.extra
        true: Real = np.full((n_draws, 1, 1), known.ratio)
        if np.isfinite(known.df):
            true = known.ratio * known.df / rng.chisquare(known.df, (n_draws, 1, 1))
        judged = np.full(pairs.n_seeds.shape, known.ratio)
        drawn: Real = np.asarray(known.ratio)
    else:
        squares = _variances(runs, present, pairs.n_seeds, leads)
        drawn_ratios = np.full(squares.shape, np.nan)
        np.divide(squares, per_seed, out=drawn_ratios, where=usable)
        df = np.where(pairs.replicated, pairs.n_seeds - 1.0, 0.0)
        pooled: Pooled = pool(ratios, drawn_ratios, df, spread)
        known, judged = pooled.spread, pooled.ratios
        noisy, alone = pooled.noisy, pooled.alone
        true = np.asarray(known.ratio * known.df / special.chdtri(known.df, _UPPER))
        drawn = pooled.drawn * true
    flips = per_seed / n_common / n_samples
    seeds = judged * flips + extra / n_common
    # What training sets share that overlap: more splits do not lessen it.
    shared_sets = per_seed * pairs.correction
    variances = seeds + (judged * shared_sets + kept) / n_samples
    drawn_variances = drawn * per_seed / n_common + drawn * shared_sets + kept
    drawn_variances = (drawn_variances / n_samples + extra / n_common).reshape(-1, *variances.shape)
    leads *= np.sqrt(1 + n_common * pairs.correction)
    single = leads.mean(axis=2) * np.sqrt(known.ratio / n_samples)
    leads *= np.sqrt(true / n_samples)
    shared = rng.standard_normal((n_draws, n_trials)) @ covariance(kept / n_samples)
    if extra:
        flat = covariance(np.full((n_trials, n_trials), extra) * ~np.eye(n_trials, dtype=bool))
        shared += rng.standard_normal((n_draws, n_trials)) @ flat / np.sqrt(n_common.max())
    leads += shared[:, :, None] - shared[:, None]
    single += shared - shared.mean(axis=1, keepdims=True)
    mean, spread_of = drawn_variances.mean(axis=0), drawn_variances.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(spread_of > 1e-9 * mean**2, 2 * mean**2 / spread_of, np.inf)
    either = (alone[:, None] | alone[None]) & pairs.replicated
    df = np.where(either, np.minimum(df, pairs.n_seeds - 1.0), df)
    scales = np.sqrt(np.where(drawn_variances > 0, drawn_variances, np.inf))
    seeds = pairs.by_seeds(seeds, variances)
    return _Noise(variances, seeds, flips, leads, single, scales, np.maximum(df, 1.0), known, noisy)


def _leads(runs: Real, present: Present, n_seeds: NDArray[np.int64]) -> Real:
    """Return mean differences over common seeds, (B, T, T).

    Args:
        runs: (B, S, T).
        present: (T, S).
        n_seeds: (T, T), in common.
    """
    there = present.T.astype(np.float64)
    sums = (runs * there).transpose(0, 2, 1) @ there
    return np.asarray((sums - sums.transpose(0, 2, 1)) / np.maximum(n_seeds, 1))


def _variances(runs: Real, present: Present, n_seeds: NDArray[np.int64], leads: Real) -> Real:
    """Return the variances of such differences over these seeds, (B, T, T)."""
    there = present.T.astype(np.float64)
    n_common = np.maximum(n_seeds, 1)
    runs = runs * there
    turned = runs.transpose(0, 2, 1)
    squares = np.square(turned) @ there
    total = squares + squares.transpose(0, 2, 1) - 2 * turned @ runs
    return np.asarray(np.maximum(total - n_common * leads**2, 0.0) / np.maximum(n_common - 1, 1))


def _optimism(
    means: Real, noise: NDArray[np.float64], tied: Present
) -> tuple[tuple[float, ...], float]:
    """Return how far tied trials are overestimated by place, and the best if all were equal.

    Their true means lie closer together than the measured ones (James and Stein 1961): noise is
    added again to means that were drawn together, and they are put in order. Luck among the tied
    cannot have moved a trial by more than it is away from their mean: where they lie closer
    together than such noise would have them, it was less.
    """
    if tied.sum() < 2:
        return (), 0.0
    noise = noise[:, tied] - noise[:, tied].mean(axis=1, keepdims=True)
    centred = means[tied] - means[tied].mean()
    squares = float(np.square(centred).sum())
    expected = float(np.square(noise).sum(axis=1).mean())
    n = int(tied.sum())
    shrunk = 1 - (n - 3) / (n - 1) * expected / squares if n > 3 and squares > 0 else 1.0
    again = centred * max(0.0, shrunk) + noise
    placed = np.take_along_axis(noise, np.argsort(-again, axis=1, kind="stable"), axis=1)
    expected_bias = placed.mean(axis=0)
    measured = np.sort(centred)[::-1]
    bias = np.sign(expected_bias) * np.minimum(np.abs(expected_bias), np.abs(measured))
    by_place = tuple(np.where(expected_bias * measured > 0, bias, 0.0).tolist())
    return by_place, float(noise.max(axis=1).mean())
