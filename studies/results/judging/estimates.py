"""Intervals of trials of a ranking, each with the standard error that it follows from."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from coarsefine.studies.results.evidence.intervals import (
    Estimate,
    estimate,
    estimate_of_accuracies,
)
from coarsefine.studies.results.evidence.splits import estimate_on_splits
from coarsefine.studies.results.judging.family import Family
from coarsefine.studies.results.judging.statistics import Measured
from coarsefine.studies.results.scoring.scorer import Scorer
from coarsefine.studies.results.scoring.seeds import SeedNoise


def estimates_of(
    measured: Sequence[Measured],
    family: Family,
    n_samples: int,
    scorer: Scorer,
    noise: SeedNoise,
) -> list[Estimate | None]:
    """Return the interval of each trial, as far as there is one.

    Args:
        measured: All trials; where replicates are splits, with values by split.
        family: Those whose outcomes were read.
        n_samples: Validation samples; 0 if that is not known, or scores are no shares.
        scorer: Makes scores of outcomes.
        noise: What is assumed of seeds where none was repeated.
    """
    rows = {position: row for row, position in enumerate(family.positions)}
    found: list[Estimate | None] = []
    for position, trial in enumerate(measured):
        own = _of_outcomes(family, rows[position], scorer, noise) if position in rows else None
        found.append(own or _of_scores(list(trial.values.values()), n_samples, scorer, noise))
    return found


def _of_outcomes(family: Family, row: int, scorer: Scorer, noise: SeedNoise) -> Estimate | None:
    there = family.present[row]
    if family.by_split is not None and scorer.splits is not None:
        samples = [family.by_split[split][row] for split in np.flatnonzero(there)]
        several = all(len(each) > 1 for each in samples)
        return estimate_on_splits(
            family.values[row, there].tolist(),
            round(fmean(map(len, samples))),
            scorer.splits.correction,
            share=scorer.share,
            within=fmean(float(each.var(ddof=1)) for each in samples) if several else 0.0,
            unit=scorer.unit,
        )
    if family.scores is None:
        return None
    kind = np.float32 if family.scores.dtype == np.bool_ else np.float64
    scores = family.scores[row, there].astype(kind, copy=False)
    return estimate(scores, noise.run, share=scorer.share, unit=scorer.unit)


def _of_scores(
    values: Sequence[float], n_samples: int, scorer: Scorer, noise: SeedNoise
) -> Estimate | None:
    if scorer.splits is not None:
        correction = scorer.splits.correction
        return estimate_on_splits(values, n_samples, correction, share=scorer.share)
    return estimate_of_accuracies(values, n_samples, noise.run, share=scorer.share)
