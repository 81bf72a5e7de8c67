"""Trials measured on several splits of the same data, each with validation samples of its own.

Of two trials, D(s) is the difference of their mean scores on split s, on the same samples. Training
sets of different splits overlap, so that the D(s) are correlated, and the variance of their mean is
larger than S²/J, S² being their variance over J splits. With a correlation of n_val / (n_val +
n_train) it is (1/J + n_val/n_train) S² (Nadeau and Bengio 2003, *Inference for the Generalization
Error*, Machine Learning 52; for repeated cross-validation Bouckaert and Frank 2004).

How many samples two trials differ on is known from all splits together, S² only from J numbers. So
the mean square of the samples takes the place that the rest has in ``pairs``, and the ratio of S²
to it is pooled over trials as that of seeds is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarsefine.studies.results.evidence.contrasts import Contrast
from coarsefine.studies.results.evidence.intervals import (
    Estimate,
    interval_of_share,
    mean_and_variance,
    t_quantile,
)
from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.pairs import Pairs, Present, Real, Scores
from coarsefine.studies.results.evidence.ties import ALPHA, Asked, Judged, judge_pairs


def compared_on_splits(
    scores: Sequence[Scores], present: Present, correction: float, by_seed: Real | None = None
) -> Pairs:
    """Return the mean squares of all pairs of trials.

    Args:
        scores: By split, (T, N) of its own samples, means over its seeds; of trials that were not
            trained on it, anything.
        present: (T, S), on which splits trials were trained.
        correction: Validation samples by training samples.
        by_seed: As in ``judge_on_splits``.
    """
    n_trials = len(present)
    n_common = present.astype(np.int64) @ present.T.astype(np.int64)
    n_samples = round(float(np.mean([each.shape[1] for each in scores])))
    means = np.array([each.mean(axis=1, dtype=np.float64) for each in scores]).T
    rest = np.zeros((n_trials, n_trials))
    for split, each in enumerate(scores):
        there = present[:, split, None] & present[None, :, split]
        rest += np.where(there, _variances(each), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest /= n_common
    difference, variance = _over_splits(means, present)
    if n_samples == 1:
        rest = np.nan_to_num(variance)  # one sample has no variance, as many as there are have
    by_split = n_samples * variance
    return Pairs(n_samples, n_common, difference, by_split, rest, rest.copy(), correction, by_seed)


def _variances(scores: Scores) -> Real:
    """Return the variance over samples of the difference of each two trials, (T, T)."""
    centred = scores - scores.mean(axis=1, keepdims=True, dtype=np.float64)
    products = centred @ centred.T
    squares = np.diag(products)
    total = squares[:, None] + squares[None] - 2 * products
    return np.asarray(np.maximum(total, 0.0) / max(1, scores.shape[1] - 1))


def _over_splits(means: Real, present: Present) -> tuple[Real, Real]:
    """Return the mean and the variance of the differences over the splits that both have, (T, T).

    Args:
        means: (T, S).
        present: (T, S).
    """
    both = present[:, None] & present[None]
    n_common = both.sum(axis=2)
    apart = np.where(both, means[:, None] - means[None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = apart.sum(axis=2) / n_common
        squares = np.where(both, np.square(apart - mean[:, :, None]), 0.0).sum(axis=2)
        return mean, np.where(n_common > 1, squares / np.maximum(n_common - 1, 1), np.nan)


@dataclass(frozen=True, slots=True)
class OnSplits:
    """How splits were measured, and when it is asked which trial is the best.

    Attributes:
        correction: Validation samples by training samples.
        n_samples: Validation samples of a split, where scores of samples do not say.
        by_seed: (T, T), what seeds have in the variance of a split's difference, where several
            were trained on the same splits; ``None`` where each had splits of its own.
        looks: After which seeds it may be asked; ``None`` if once only.
    """

    correction: float
    n_samples: int = 0
    by_seed: Real | None = None
    looks: Looks | None = None


def judge_on_splits(
    scores: Sequence[Scores] | None,
    values: Real,
    present: Present,
    how: OnSplits,
    *,
    n_family: int = 0,
    unit: float = 1.0,
    alpha: float = ALPHA,
) -> Judged:
    """Return which trials may be the best, as ``ties.judge`` does for seeds on the same samples.

    Args:
        scores: As for ``compared_on_splits``; ``None`` where only mean scores were kept: then
            shares count as measured on samples of their own, in how noisy pairs are beside others.
        values: (T, S), mean scores.
        present: (T, S), on which splits trials were trained.
        how: They were measured.
        n_family: How many trials were compared in all, if the best of them are given.
        unit: By how much a score changes where a sample flips, squared; 0 for losses.
        alpha: How often the truly best may go without a mark.
    """
    known = np.where(present, values, 0.0)
    means = known.sum(axis=1) / present.sum(axis=1)
    if scores is not None:
        pairs = compared_on_splits(scores, present, how.correction, how.by_seed)
    else:
        difference, variance = _over_splits(known, present)
        n_samples = how.n_samples
        share = np.clip(means * (1 - means), 1 / n_samples, None)
        rest = (share[:, None] + share[None]) * ~np.eye(len(means), dtype=bool)
        # Rounding to whole samples hides a twelfth of a step, squared, of either (Sheppard 1898).
        by_split = n_samples * np.maximum(variance, 1 / (6 * n_samples**2))
        n_common = present.astype(np.int64) @ present.T.astype(np.int64)
        pairs = Pairs(
            n_samples=n_samples,
            n_seeds=n_common,
            difference=difference,
            seed=by_split,
            sample=rest,
            rest=rest,
            correction=how.correction,
            by_seed=how.by_seed,
        )
    asked = Asked(None, n_family, unit, how.looks, alpha, counted=scores is not None)
    return judge_pairs(pairs, present, means, asked)


def variance_by_seed(values: Real, present: Present, splits: Sequence[int]) -> Real | None:
    """Return what seeds have in the variance of the difference of two trials on a split, (T, T).

    Args:
        values: (T, S), by trial and run.
        present: (T, S).
        splits: That the runs are on.

    Returns:
        Means over the splits, for the seeds that there are; ``None`` where each run has a split of
        its own, NaN where no two seeds of a pair share one.
    """
    names = np.asarray(splits)
    if len(set(splits)) == len(splits):
        return None
    found = []
    for name in dict.fromkeys(splits):
        own = names == name
        n_common = present[:, own].astype(np.int64) @ present[:, own].T.astype(np.int64)
        _, variance = _over_splits(values[:, own], present[:, own])
        found.append(variance / np.maximum(n_common, 1))
    table = np.array(found)
    known = ~np.isnan(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, table, 0.0).sum(axis=0) / known.sum(axis=0))


def estimate_on_splits(
    values: Sequence[float],
    n_samples: int,
    correction: float,
    *,
    share: bool = True,
    within: float | None = None,
    unit: float = 1.0,
) -> Estimate | None:
    """Return the 95 % interval of a mean score for training sets and samples of these sizes.

    Student's t with J - 1 degrees of freedom. The variance over splits is no less than samples
    alone make it: splits that agree by chance do not make a short interval.

    Args:
        values: By split, means over its seeds.
        n_samples: Validation samples of a split.
        correction: Validation samples by training samples.
        share: Whether scores lie in [0, 1]: then the interval is Wilson's (1927) for as many
            independent samples as have this variance.
        within: Variance of a sample's score; ``None`` for that of a share.
        unit: By how much a score changes where a sample flips, squared.

    Returns:
        ``None`` for one split.
    """
    n_splits = len(values)
    if n_splits < 2:
        return None
    mean, variance = mean_and_variance(values)
    if within is None:
        within = mean * (1 - mean) if share else 0.0
    per_mean = 1 / n_splits + correction
    variance = max(variance, within / max(1, n_samples)) * per_mean
    quantile, error = t_quantile(n_splits - 1.0), math.sqrt(variance)
    if not share:
        return Estimate(error, (mean - quantile * error, mean + quantile * error))
    n_alike = max(1, n_samples) / unit / per_mean
    return Estimate(error, interval_of_share(mean, variance, n_alike, quantile))


def contrast_on_splits(
    differences: Sequence[float], n_samples: int, correction: float, within: float = 0.0
) -> Contrast:
    """Return the difference of two trials with its error: the corrected resampled t-test.

    Args:
        differences: Of their accuracies, by split, two or more.
        n_samples: Validation samples of a split.
        correction: Validation samples by training samples.
        within: Variance of the difference of a sample: no less is taken for the splits'.
    """
    n_splits = len(differences)
    mean, variance = mean_and_variance(differences)
    # Rounding to whole samples hides a twelfth of a step, squared, of either (Sheppard 1898).
    variance = max(variance, within / n_samples, 1 / (6 * n_samples**2))
    return Contrast(
        difference=mean,
        error=math.sqrt((1 / n_splits + correction) * variance),
        df=n_splits - 1.0,
        seed_variance=variance,
        flip_variance=0.0,
        sample_variance=correction * variance * n_samples,
        n_seeds=n_splits,
        n_samples=n_samples,
    )


@dataclass(frozen=True, slots=True)
class Varied:
    """What splits and seeds do to a run's score: standard deviations.

    Attributes:
        n_splits: How many a trial has.
        n_seeds: On each of them, the fewest and the most.
        splits: From split to split; of both together where there is one seed on each.
        seeds: From seed to seed on the same split; ``None`` where there is one.
    """

    n_splits: int
    n_seeds: tuple[int, int]
    splits: float
    seeds: float | None


def varied(trials: Sequence[Sequence[Sequence[float]]]) -> Varied | None:
    """Return what splits and seeds do, pooled over trials.

    Seeds are nested in splits: a one-way layout with random effects (Searle, Casella and McCulloch
    1992), each trial with a mean of its own.

    Args:
        trials: Scores by trial, split and seed.

    Returns:
        ``None`` where no trial has two splits.
    """
    between, within = [], []
    n_splits, n_seeds = 0, set[int]()
    for splits in trials:
        if len(splits) < 2:
            continue
        n_splits = max(n_splits, len(splits))
        n_seeds |= set(map(len, splits))
        means = [math.fsum(runs) / len(runs) for runs in splits]
        between.append((float(np.var(means, ddof=1)), float(np.mean([1 / len(r) for r in splits]))))
        within += [float(np.var(runs, ddof=1)) for runs in splits if len(runs) > 1]
    if not between:
        return None
    seeds = float(np.mean(within)) if within else None
    of_splits = float(np.mean([variance - (seeds or 0.0) * part for variance, part in between]))
    return Varied(
        n_splits=n_splits,
        n_seeds=(min(n_seeds), max(n_seeds)),
        splits=math.sqrt(max(0.0, of_splits)),
        seeds=None if seeds is None else math.sqrt(seeds),
    )
