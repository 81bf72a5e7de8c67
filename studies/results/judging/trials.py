"""What can be said of each trial of a ranking: its interval, and whether it may be the best.

The best points are judged by what their runs predicted for each sample, each pair by its own noise
(``evidence.ties``). Of a ranking of thousands, outcomes are read for these alone: the rest is
compared by scores, as if each trial had had samples of its own, which errs on the side of ties.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Final

import numpy as np

from coarsefine.studies.metric import metric_named
from coarsefine.studies.results.evidence.intervals import over_seeds
from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.splits import varied
from coarsefine.studies.results.evidence.standing import Standing
from coarsefine.studies.results.evidence.ties import Judged, judge, judge_accuracies
from coarsefine.studies.results.judging.estimates import estimates_of
from coarsefine.studies.results.judging.family import Family, Outcomes, family_of
from coarsefine.studies.results.judging.lower_places import Others, binomial
from coarsefine.studies.results.judging.statistics import (
    INDIFFERENT,
    Comparison,
    Interval,
    Measured,
    Needed,
    Verdict,
    deviation_of,
)
from coarsefine.studies.results.scoring.scorer import MOST_SCORES, Scorer
from coarsefine.studies.results.scoring.seeds import ASSUMED_SEEDS, SeedNoise

# So many points at the most are judged sample by sample.
_MOST_POINTS: Final = 32
# In place of a number of samples that is not known: seeds are all that noise is seen in.
ANY_SAMPLES: Final = 10**9


def compare(
    measured: Sequence[Measured],
    n_samples: int,
    read: Callable[[Sequence[int]], Outcomes] | None = None,
    scorer: Scorer | None = None,
    seeds: Callable[[int], SeedNoise | None] | None = None,
    race: tuple[Looks, frozenset[int]] | None = None,
    indifference: float = INDIFFERENT,
) -> tuple[list[Verdict], Comparison | None]:
    """Return what can be said of each trial, and how it was compared with the best.

    Args:
        measured: Complete trials, the best first.
        n_samples: Validation samples; 0 if that is not known.
        read: Returns the outcomes of trials by their positions, as far as they were kept.
        scorer: Makes scores of outcomes; ``None`` for those of the accuracy.
        seeds: Returns what other studies say of the spread over seeds, where trials have so many
            seeds at the most; not called for races, whose promise was counted without it.
        race: After which seeds it was looked at, and the positions of trials that left the race.
        indifference: The largest difference that does not matter.

    Returns:
        A verdict a trial, and ``None`` in place of the comparison if there is nothing to compare,
        or nothing is known of the noise.
    """
    scorer = scorer or Scorer()
    runs, splits = measured, scorer.splits
    if metric_named(scorer.metric).own:
        return [_seen(trial.values) for trial in measured], None
    if splits is not None:
        measured = [trial._replace(values=splits.averaged(trial.values)) for trial in measured]
    # A loss has no noise that follows from it and the number of samples.
    n_known = n_samples if scorer.share else 0
    # Shares cannot be further apart.
    most = 1.0 if scorer.share else math.inf
    points = _representatives(measured)
    n_points = len(points)
    known = [p for p in points.values() if measured[p].values]
    family = _family(runs, known, n_samples, read, scorer)
    noise = _seed_noise(family, scorer, seeds, raced=race is not None)
    compared: dict[int, tuple[float, float, bool]] = {}
    judged = None
    if len(family.positions) > 1 and 0 in family.positions:
        judged = _judged(family, n_known, n_points, scorer, noise, race and race[0])
    least = judged.least if judged is not None and n_known else 0.0
    if judged is not None:
        compared = _verdicts(family, judged)
        rest = known[len(family.positions) :]
        others = Others(n_points, n_known, least, noise.pair.extra, scorer.splits)
        compared |= others.compared(measured, rest)
    left = race[1] if race is not None else frozenset[int]()
    tied = {measured[p].point for p, (_, _, tie) in compared.items() if tie and p not in left}
    alone = len(tied) < 2
    first = measured[0].values if measured else {}
    verdicts = []
    estimates = estimates_of(measured, family, n_known, scorer, noise)
    for position, (point, by_seed, _) in enumerate(measured):
        difference, margin, tie = None, None, None
        found = compared.get(points[point])
        if found is not None:
            difference, margin, _ = found
            margin = min(most, margin)
            tie = point in tied and not alone
            if position != points[point]:
                difference = _difference(by_seed, first)
        elif judged is None and n_points == 1 and n_samples:
            difference, margin, tie = 0.0, 0.0, False
        own, values = estimates[position], list(runs[position].values.values())
        verdicts.append(
            Verdict(
                standard_error=own and own.error,
                interval=own and own.interval,
                standard_deviation=deviation_of(values) if len(values) > 1 else None,
                difference=difference,
                margin=margin,
                tied=tie,
                seed_interval=over_seeds(values, n_known, share=scorer.share)
                if splits is None
                else None,
            )
        )
    if not scorer.share:
        verdicts = [_turned(verdict) for verdict in verdicts]
    if judged is None:
        return verdicts, None
    n_tied = 0 if alone else len(tied)
    comparison = _comparison(family, judged, n_points, n_tied, (least, most), noise)
    if splits is not None:
        alike = [trial for trial in runs if trial.point in tied] or runs[:1]
        both = varied([splits.nested(trial.values) for trial in alike])
        return verdicts, replace(comparison, varied=both)
    rows = [row for row, p in enumerate(family.positions) if row and measured[p].point in tied]
    return verdicts, comparison if alone or not scorer.share else _planned(
        comparison, judged, family, rows, indifference
    )


def _family(
    runs: Sequence[Measured],
    positions: Sequence[int],
    n_samples: int,
    read: Callable[[Sequence[int]], Outcomes] | None,
    scorer: Scorer,
) -> Family:
    """Return the best trials, as many as are judged sample by sample."""
    n_runs = max((len(trial.values) for trial in runs), default=0)
    room = MOST_SCORES // max(1, n_samples * n_runs)
    return family_of(runs, positions[: max(2, min(_MOST_POINTS, room))], n_samples, read, scorer)


def _seen(values: Mapping[int, float]) -> Verdict:
    """Return what is known of a custom trainer's metric: its spread over seeds."""
    spread = deviation_of(list(values.values())) if len(values) > 1 else None
    return Verdict(None, None, spread, None, None, None, None)


def _planned(
    comparison: Comparison, judged: Judged, family: Family, rows: Sequence[int], delta: float
) -> Comparison:
    """Return a comparison with what would tell the best from the other tied ones."""
    if not rows or family.single or family.scores is None:
        return comparison
    return replace(
        comparison,
        to_second=_needed(judged, family, rows[:1]),
        to_all_tied=_needed(judged, family, rows, delta),
    )


def _needed(
    judged: Judged, family: Family, rows: Sequence[int], delta: float | None = None
) -> Needed | None:
    """Return what would tell the best from some others: from the second, or all within δ."""
    assert family.scores is not None  # noqa: S101  # as its caller saw
    standing = Standing.of(judged, family.present, 0, np.array(rows))
    if standing.n_seeds < 2 or not np.isfinite(standing.lead).all():
        return None
    worst = int(standing.variance.argmax())
    distance = np.maximum(standing.lead, 1e-9) if delta is None else standing.sure + delta
    return Needed(
        difference=float(standing.lead[-1]),
        seed_error=math.sqrt(standing.seeds[worst]),
        sample_error=math.sqrt(standing.samples[worst]),
        n_seeds=standing.n_seeds,
        seeds=standing.seeds_needed(distance),
        samples=standing.samples_needed(family.scores.shape[2], distance, standing.n_seeds),
    )


def _turned(verdict: Verdict) -> Verdict:
    """Return a verdict on negated losses as one on losses."""
    return verdict._replace(
        interval=_negated(verdict.interval),
        difference=verdict.difference and -verdict.difference,
        seed_interval=_negated(verdict.seed_interval),
    )


def _negated(interval: Interval | None) -> Interval | None:
    return None if interval is None else (max(0.0, -interval[1]), -interval[0])


def _seed_noise(
    family: Family,
    scorer: Scorer,
    seeds: Callable[[int], SeedNoise | None] | None,
    *,
    raced: bool,
) -> SeedNoise:
    """Return what is assumed of seeds where none was repeated, and known besides of others."""
    if not family.positions:
        return ASSUMED_SEEDS
    known = None
    # A ratio of seeds to samples takes samples.
    compared = family.scores is not None and len(family.positions) > 1 and not raced
    if seeds is not None and (family.single or compared):
        known = seeds(int(family.present.sum(axis=1).max()))
    if known is not None and family.single:
        return known
    assumed = ASSUMED_SEEDS
    if not scorer.share and family.scores is not None:
        # Seeds are to samples as they are assumed to be for the accuracy.
        of_shares = max(binomial(family.accuracy), 1 / family.scores.shape[2])
        noise = float(family.scores[0, family.present[0]].var(dtype=np.float64))
        assumed = ASSUMED_SEEDS.times(noise / of_shares)
    return assumed if known is None else replace(assumed, source=known.source, ratio=known.ratio)


def _representatives(measured: Sequence[Measured]) -> dict[object, int]:
    """Return a trial of each point: the best one, or the first with more replicates than it."""
    found: dict[object, int] = {}
    for position, (point, values, _) in enumerate(measured):
        before = found.setdefault(point, position)
        if before and len(values) > len(measured[before].values):
            found[point] = position
    return found


def _judged(
    family: Family,
    n_samples: int,
    n_points: int,
    scorer: Scorer,
    noise: SeedNoise,
    looks: Looks | None,
) -> Judged | None:
    spread = noise.pair if family.single else noise.ratio
    if scorer.splits is not None:
        if (family.present.sum(axis=1) < 2).any() or (family.by_split is None and not n_samples):
            return None
        looks = looks and replace(looks, now=family.n_seeds)
        return family.judged_on_splits(scorer, n_samples, looks, n_family=n_points)
    if family.scores is not None:
        scores, present = family.scores, family.present
        return judge(
            scores, present, spread=spread, n_family=n_points, unit=scorer.unit, looks=looks
        )
    common = family.present.astype(int) @ family.present.T.astype(int)
    several = (common > 1)[~np.eye(len(common), dtype=bool)].any()
    if not n_samples and not several:
        return None
    n_samples = n_samples or ANY_SAMPLES
    return judge_accuracies(
        family.values, family.present, n_samples, n_family=n_points, looks=looks
    )


def _verdicts(family: Family, judged: Judged) -> dict[int, tuple[float, float, bool]]:
    """Return difference, margin and tie of each trial that was judged."""
    # Of trials with the same accuracy the ranking may begin with another one.
    differences = judged.difference - np.nan_to_num(judged.difference[0])
    tied = judged.tied.copy()
    tied[0] = True
    return {
        position: (float(differences[row]), float(judged.margin[row]), bool(tied[row]))
        for row, position in enumerate(family.positions)
        if np.isfinite(differences[row])
    }


def _difference(own: Mapping[int, float], first: Mapping[int, float]) -> float | None:
    shared = [own[r] - first[r] for r in own if r in first]
    return fmean(shared) if shared else None


def _comparison(
    family: Family,
    judged: Judged,
    n_points: int,
    n_tied: int,
    ends: tuple[float, float],
    noise: SeedNoise,
) -> Comparison:
    """Return how trials were compared; ``ends`` are the least and the largest margin."""
    least, most = ends
    others = np.arange(len(family.positions)) != 0
    like_it = others & (judged.tied if n_tied > 1 else ~judged.noisy)
    like_it = like_it if like_it.any() else others
    margin = min(most, float(np.median(judged.margins[0][like_it])))
    single = family.single
    networks = None
    if single and family.scores is not None:
        # What is assumed of seeds is a part of the variance that stands alone.
        known = np.square(judged.errors[0])
        left = np.sqrt(np.maximum(known - judged.spread.extra, 0.0) / known)
        networks = float(np.median(np.maximum(judged.margins[0] * left, least)[like_it]))
        networks = min(most, networks)
    shares = []
    if not single:
        for row in np.flatnonzero(like_it):
            shared = family.present[0] & family.present[row]
            if shared.sum() > 1 and judged.errors[0, row] > 0:
                by_seed = (family.values[0] - family.values[row])[shared]
                part = float(by_seed.var(ddof=1)) / shared.sum()
                shares.append(min(1.0, part / float(judged.errors[0, row]) ** 2))
    df, present = judged.spread.df, family.present.astype(np.int64)
    return Comparison(
        method="samples" if family.whole else "accuracies",
        n_points=n_points,
        n_tied=n_tied,
        n_replicates=int(family.present.sum(axis=1).max()),
        df=float(df) if math.isfinite(df) else None,
        margin=margin,
        network_margin=networks,
        seed_share=median(shares) if shares else None,
        sample_margin=min(most, least),
        optimism=judged.optimism if n_tied else 0.0,
        n_noisy=int(judged.noisy.sum()),
        without=family.without,
        seed_deviation=math.sqrt(noise.pair.extra) if single else None,
        seeds_from=noise.source if single or judged.spread.joint else None,
        optimism_by_place=judged.by_place if n_tied else (),
        judged=(family.positions, judged, present @ present.T),
    )
