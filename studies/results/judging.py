"""What can be said of each trial of a ranking: its interval, and whether it may be the best.

The best points are judged by what their runs predicted for each sample, each pair by its own noise
(``evidence.ties``). Of a ranking of thousands, outcomes are read for these alone: the rest is
compared by accuracies, as if each trial had had samples of its own, which errs on the side of ties.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.errors import ModelError
from coarsefine.models.outcomes import Rights, read_rights
from coarsefine.studies.results.evidence.intervals import interval, interval_of_accuracies
from coarsefine.studies.results.evidence.quantiles import fewest_samples
from coarsefine.studies.results.evidence.spread import ASSUMED
from coarsefine.studies.results.evidence.ties import ALPHA, Judged, judge, judge_accuracies
from coarsefine.studies.results.statistics import (
    ROUNDING,
    Comparison,
    Measured,
    Verdict,
    deviation_of,
    dunnett_quantile,
)

Outcomes = Mapping[int, Mapping[int, bytes]]
"""Packed outcomes by position of the trial and replicate."""

# So many points at the most are judged sample by sample, and so many scores.
_MOST_POINTS: Final = 32
_MOST_SCORES: Final = 1 << 24
# A trainer of the user's may report its accuracy in single precision.
_CLOSE: Final = 1e-6
# In place of a number of samples that is not known: seeds are all that noise is seen in.
_ANY_SAMPLES: Final = 10**9


@dataclass(frozen=True, slots=True)
class _Family:
    """The points that are judged together.

    Attributes:
        positions: Of their trials, the best first.
        replicates: That any of them has.
        present: (T, S), which runs there are.
        accuracies: (T, S).
        scores: (T, S, N), which samples were right; ``None`` where not all runs have outcomes.
        n_without: Trials some of whose runs have none.
    """

    positions: Sequence[int]
    replicates: Sequence[int]
    present: NDArray[np.bool_]
    accuracies: NDArray[np.float64]
    scores: NDArray[np.bool_] | None
    n_without: int


def compare(
    measured: Sequence[Measured],
    n_samples: int,
    read: Callable[[Sequence[int]], Outcomes] | None = None,
) -> tuple[list[Verdict], Comparison | None]:
    """Return what can be said of each trial, and how it was compared with the best.

    Args:
        measured: Complete trials, the best first.
        n_samples: Validation samples; 0 if that is not known.
        read: Returns the outcomes of trials by their positions, as far as they were kept.

    Returns:
        A verdict a trial, and ``None`` in place of the comparison if there is nothing to compare,
        or nothing is known of the noise.
    """
    points = _representatives(measured)
    n_points, chosen = len(points), list(points.values())
    n_seeds = max((len(trial.accuracies) for trial in measured), default=0)
    known = [p for p in chosen if measured[p].accuracies]
    room = _MOST_SCORES // max(1, n_samples * n_seeds)
    family = _family(measured, known[: max(2, min(_MOST_POINTS, room))], n_samples, read)
    compared: dict[int, tuple[float, float, bool]] = {}
    judged = None
    if len(family.positions) > 1 and 0 in family.positions:
        judged = _judged(family, n_samples, n_points)
    if judged is not None:
        compared = _verdicts(family, judged)
        compared |= _others(measured, known[len(family.positions) :], n_points, n_samples)
    tied = {measured[p].point for p, (_, _, tie) in compared.items() if tie}
    alone = len(tied) < 2
    first = measured[0].accuracies if measured else {}
    verdicts = []
    intervals = _intervals(family)
    for position, (point, accuracies) in enumerate(measured):
        difference, margin, tie = None, None, None
        found = compared.get(points[point])
        if found is not None:
            difference, margin, _ = found
            tie = point in tied and not alone
            if position != points[point]:
                difference = _difference(accuracies, first)
        elif judged is None and n_points == 1 and n_samples:
            difference, margin, tie = 0.0, 0.0, False
        values = list(accuracies.values())
        verdicts.append(
            Verdict(
                intervals.get(position) or interval_of_accuracies(values, n_samples),
                deviation_of(values) if len(values) > 1 else None,
                difference,
                margin,
                tie,
            )
        )
    if judged is None:
        return verdicts, None
    n_tied = 0 if alone else len(tied)
    return verdicts, _comparison(family, judged, n_points, n_tied, n_samples)


def _representatives(measured: Sequence[Measured]) -> dict[object, int]:
    """Return a trial of each point: the best one, or the first with more replicates than it."""
    found: dict[object, int] = {}
    for position, (point, accuracies) in enumerate(measured):
        before = found.setdefault(point, position)
        if before and len(accuracies) > len(measured[before].accuracies):
            found[point] = position
    return found


def _family(
    measured: Sequence[Measured],
    positions: Sequence[int],
    n_samples: int,
    read: Callable[[Sequence[int]], Outcomes] | None,
) -> _Family:
    replicates = sorted({r for p in positions for r in measured[p].accuracies})
    shape = len(positions), len(replicates)
    present, accuracies = np.zeros(shape, np.bool_), np.zeros(shape)
    for row, position in enumerate(positions):
        for column, replicate in enumerate(replicates):
            if replicate in measured[position].accuracies:
                present[row, column] = True
                accuracies[row, column] = measured[position].accuracies[replicate]
    outcomes = {} if read is None or not n_samples or not positions else read(positions)
    scores = np.zeros((*shape, n_samples if outcomes else 0), np.bool_)
    labels: set[int] = set()
    n_without = 0
    for row, position in enumerate(positions):
        whole = True
        for place in np.flatnonzero(present[row]).tolist():
            payload = outcomes.get(position, {}).get(replicates[place])
            rights = None
            if payload is not None:
                # Damaged ones are as good as none: a check of the database tells more.
                with contextlib.suppress(ModelError):
                    rights = read_rights(payload, n_samples)
            if rights is None or not _agree(rights, n_samples, accuracies[row, place]):
                whole = False
                continue
            scores[row, place] = rights.right
            labels.add(rights.labels_crc)
        n_without += 0 if whole else 1
    usable = not n_without and len(labels) == 1
    kept = scores if usable else None
    return _Family(positions, replicates, present, accuracies, kept, n_without)


def _agree(rights: Rights, n_samples: int, accuracy: float) -> bool:
    """Return whether outcomes are those of the run: changed ones are as good as none."""
    found = rights.right
    return len(found) == n_samples and abs(found.mean() - accuracy) < _CLOSE


def _judged(family: _Family, n_samples: int, n_points: int) -> Judged | None:
    if family.scores is not None:
        return judge(family.scores, family.present, n_family=n_points)
    common = family.present.astype(int) @ family.present.T.astype(int)
    several = (common > 1)[~np.eye(len(common), dtype=bool)].any()
    if not n_samples and not several:
        return None
    n_samples = n_samples or _ANY_SAMPLES
    return judge_accuracies(family.accuracies, family.present, n_samples, n_family=n_points)


def _verdicts(family: _Family, judged: Judged) -> dict[int, tuple[float, float, bool]]:
    """Return difference, margin and tie of each trial that was judged."""
    # Of trials with the same accuracy the ranking may begin with another one.
    differences = judged.difference - np.nan_to_num(judged.difference[0])
    tied = judged.tied.copy()
    tied[0] = True
    return {
        position: (float(differences[row]), _capped(judged.margin[row]), bool(tied[row]))
        for row, position in enumerate(family.positions)
        if np.isfinite(differences[row])
    }


def _others(
    measured: Sequence[Measured], positions: Sequence[int], n_points: int, n_samples: int
) -> dict[int, tuple[float, float, bool]]:
    """Compare trials far down the ranking with the best by their accuracies alone."""
    if not positions:
        return {}
    first = measured[0].accuracies
    mean = fmean(first.values())
    quantile = dunnett_quantile(n_points - 1)
    step = 1 / n_samples if n_samples else 0.0
    least = fewest_samples(n_points - 1, ALPHA) * step
    found = {}
    for position in positions:
        own = measured[position].accuracies
        shared = [own[r] - first[r] for r in own if r in first]
        if not shared:
            continue
        difference = fmean(shared)
        accuracy = mean + difference
        variance = (_binomial(mean) + _binomial(accuracy)) * step
        variance += deviation_of(shared) ** 2 / len(shared) if len(shared) > 1 else ASSUMED.extra
        margin = _capped(max(quantile * math.sqrt(variance), least))
        found[position] = (difference, margin, -difference <= margin + ROUNDING)
    return found


def _capped(margin: float) -> float:
    """Return a margin of at most 1: accuracies cannot be further apart."""
    return min(1.0, float(margin))


def _binomial(accuracy: float) -> float:
    return max(0.0, accuracy * (1 - accuracy))


def _difference(own: Mapping[int, float], first: Mapping[int, float]) -> float | None:
    shared = [own[r] - first[r] for r in own if r in first]
    return fmean(shared) if shared else None


def _intervals(family: _Family) -> dict[int, tuple[float, float]]:
    """Return the intervals of trials whose outcomes were read."""
    if family.scores is None:
        return {}
    return {
        position: interval(family.scores[row, family.present[row]].astype(np.float32))
        for row, position in enumerate(family.positions)
    }


def _comparison(
    family: _Family, judged: Judged, n_points: int, n_tied: int, n_samples: int
) -> Comparison:
    others = np.arange(len(family.positions)) != 0
    like_it = others & (judged.tied if n_tied > 1 else ~judged.noisy)
    like_it = like_it if like_it.any() else others
    margin = _capped(np.median(judged.margins[0][like_it]))
    single = family.present.sum(axis=1).max() == 1
    networks = None
    least = fewest_samples(n_points - 1, ALPHA) / n_samples if n_samples else 0.0
    if single and family.scores is not None:
        # What is assumed of seeds is a part of the variance that stands alone.
        known = np.square(judged.errors[0])
        left = np.sqrt(np.maximum(known - judged.spread.extra, 0.0) / known)
        networks = _capped(np.median(np.maximum(judged.margins[0] * left, least)[like_it]))
    shares = []
    if not single:
        for row in np.flatnonzero(like_it):
            shared = family.present[0] & family.present[row]
            if shared.sum() > 1 and judged.errors[0, row] > 0:
                by_seed = (family.accuracies[0] - family.accuracies[row])[shared]
                part = float(by_seed.var(ddof=1)) / shared.sum()
                shares.append(min(1.0, part / float(judged.errors[0, row]) ** 2))
    df = judged.spread.df
    return Comparison(
        method="samples" if family.scores is not None else "accuracies",
        n_points=n_points,
        n_tied=n_tied,
        n_replicates=int(family.present.sum(axis=1).max()),
        df=float(df) if math.isfinite(df) else None,
        margin=margin,
        network_margin=networks,
        seed_share=median(shares) if shares else None,
        sample_margin=_capped(least),
        optimism=judged.optimism if n_tied else 0.0,
        n_noisy=int(judged.noisy.sum()),
        n_without=family.n_without,
        optimism_by_place=judged.by_place if n_tied else (),
    )
