"""How much seeds move the difference of two studies' trials: pooled over pairs of their trials.

Two seeds or three say little of one pair. Every trial of the one study and every trial of the other
is such a pair, with the same seeds and samples: the ratio MS_seed / MS_rest is pooled over these
(``spread``), and only over these, because trials of one study may share what a seed does.
"""

from typing import Final

import numpy as np

from coarsefine.studies.results.evidence.pairs import Scores, compared, covariance
from coarsefine.studies.results.evidence.spread import Spread, pool, usable_ratios

_DRAWS: Final = 400


def between(first: Scores, second: Scores, unit: float = 1.0) -> Spread | None:
    """Return what is known of seeds for the first trial of either study.

    Args:
        first: (T, R, N), trials of the one study by seed and sample, the one of the pair first.
        second: (T', R, N), of the other, with the same seeds and samples.
        unit: By how much a score changes where a sample flips, squared.

    Returns:
        The pair's ratio, drawn towards the pooled one, with its degrees of freedom; ``None`` where
        the pair is all that is known, or one of its trials is far noisier than the others.
    """
    n_first, n_seeds = first.shape[:2]
    n_trials = n_first + len(second)
    if n_seeds < 2 or n_trials < 3:
        return None
    pairs = compared(np.concatenate((first, second)), np.ones((n_trials, n_seeds), np.bool_))
    is_first = np.arange(n_trials) < n_first
    ratios, usable = usable_ratios(pairs, unit)
    usable &= is_first[:, None] != is_first
    if not usable[0, n_first]:
        return None
    ratios = np.where(usable, ratios, np.nan)
    rng = np.random.default_rng(n_trials)
    runs = rng.standard_normal((_DRAWS, n_seeds, n_trials)) @ covariance(pairs.per_seed)
    differences = runs[..., None] - runs[:, :, None]
    drawn = np.full((_DRAWS, n_trials, n_trials), np.nan)
    np.divide(differences.var(axis=1, ddof=1), pairs.per_seed, out=drawn, where=usable)
    pooled = pool(ratios, drawn, np.full(ratios.shape, n_seeds - 1.0))
    if pooled.noisy[0] or pooled.noisy[n_first]:
        return None
    again = pooled.drawn[:, 0, n_first]
    df = 2 * float(again.mean()) ** 2 / float(again.var())
    return Spread(float(pooled.ratios[0, n_first]), max(df, n_seeds - 1.0))
