"""Two studies compared by a test: which trials, on what they are paired, and what follows.

Pure functions of rankings and outcomes; ``evidence.contrasts`` has the arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Final, Literal

import numpy as np

from coarsefine.db.records import StudyRecord
from coarsefine.studies.results.evidence.between import between
from coarsefine.studies.results.evidence.contrasts import (
    Contrast,
    Needed,
    contrast,
    contrast_of_accuracies,
    decided,
    mcnemar,
    needed,
)
from coarsefine.studies.results.evidence.splits import contrast_on_splits
from coarsefine.studies.results.evidence.spread import ASSUMED, Spread
from coarsefine.studies.results.judging.statistics import INDIFFERENT
from coarsefine.studies.results.outcomes import TrialOutcomes
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.scorer import MOST_SCORES
from coarsefine.studies.results.scoring.seeds import ASSUMED_SEEDS, SeedNoise

MOST_TRIALS: Final = 8
"""Of either study, so many trials at the most show how much seeds move."""

# What of a recipe's data splits follow from, beside the seed.
_SPLIT_BY: Final = ("split", "folds", "redraw", "validation", "stratified")

Refusal = Literal["no-trial", "data", "samples", "same-runs", "splits"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A study with the trial that stands for it.

    Attributes:
        trial: The best one unless named; ``None`` where none is complete.
        outcomes: What was measured of the trial.
        others: What was measured of the study's other trials, of the best of them: they show how
            much seeds move.
        chosen_by_hand: Whether the trial was named.
        seeds: What the file knows of seeds in such studies; ``None`` where that is nothing.
    """

    ranking: Ranking
    trial: RankedTrial | None
    outcomes: TrialOutcomes | None
    others: tuple[TrialOutcomes, ...] = ()
    chosen_by_hand: bool = False
    seeds: SeedNoise | None = None

    @property
    def study(self) -> StudyRecord:
        """Return the study."""
        return self.ranking.study


@dataclass(frozen=True, slots=True)
class Networks:
    """Two single networks on the same samples, by McNemar's (1947) exact test.

    Attributes:
        n_first: Samples that only the first got right.
        n_second: Samples that only the second did.
        p: Two-sided.
    """

    n_first: int
    n_second: int
    p: float


@dataclass(frozen=True, slots=True)
class Pair:
    """What a test says of two studies.

    Attributes:
        first: Position of the one.
        second: Position of the other.
        refused: Why there is no test; ``None`` where there is one.
        contrast: The difference and the verdict on it; ``None`` if refused.
        needed: What would decide it, where it is undecided.
        same_samples: Whether single validation samples are compared.
        same_seeds: Whether runs of the same seed are compared.
        without: Positions of those whose runs have not all kept their predictions.
        networks: Of one seed on the same samples: these networks alone.
        seeds_from: Of one seed: the studies that say how far seeds move a run, if any does.
        split: What a split is called, where replicates are splits: both are compared on the same.
    """

    first: int
    second: int
    refused: Refusal | None = None
    contrast: Contrast | None = None
    needed: Needed | None = None
    same_samples: bool = False
    same_seeds: bool = False
    without: tuple[int, ...] = ()
    networks: Networks | None = None
    seeds_from: tuple[str, ...] = ()
    split: str | None = None


def compared_pairs(entries: Sequence[Entry], indifference: float = INDIFFERENT) -> tuple[Pair, ...]:
    """Return what a test says of each two of some studies, adjusted for how many pairs there are.

    Args:
        entries: Two or more.
        indifference: The largest difference that does not matter, > 0; accuracies are in [0, 1].
    """
    pairs = [_pair((i, j), entries[i], entries[j]) for i, j in combinations(range(len(entries)), 2)]
    tested = [pair.contrast for pair in pairs if pair.contrast is not None]
    verdicts = iter(decided(tested, indifference))
    found = []
    for pair in pairs:
        if pair.contrast is None:
            found.append(pair)
            continue
        verdict = next(verdicts)
        more = None
        if verdict.verdict == "undecided" and pair.split is None:
            more = needed(verdict, indifference, len(tested))
        # Accuracies differ by no more than 100 points.
        ends = max(-1.0, verdict.interval[0]), min(1.0, verdict.interval[1])
        found.append(replace(pair, contrast=replace(verdict, interval=ends), needed=more))
    return tuple(found)


def _pair(places: tuple[int, int], one: Entry, other: Entry) -> Pair:
    if one.outcomes is None or other.outcomes is None:
        return Pair(*places, refused="no-trial")
    if one.study.data_fingerprint != other.study.data_fingerprint:
        return Pair(*places, refused="data")
    sizes = one.ranking.n_validation, other.ranking.n_validation
    if min(sizes) < 2 or not one.outcomes.runs or not other.outcomes.runs:
        return Pair(*places, refused="samples")
    a, b = one.outcomes, other.outcomes
    keys = [sorted(run.recipe_key for run in each.runs.values()) for each in (a, b)]
    if keys[0] == keys[1]:
        return Pair(*places, refused="same-runs")
    if a.splits is None and b.splits is None:
        return _on_same_samples(places, one, other)
    return _on_splits(places, one, other)


def _on_same_samples(places: tuple[int, int], one: Entry, other: Entry) -> Pair:
    """Return what a test says where all runs of a study have the same validation samples."""
    a, b = one.outcomes, other.outcomes
    assert a is not None  # noqa: S101  # only complete trials are compared
    assert b is not None  # noqa: S101  # likewise
    sizes = one.ranking.n_validation, other.ranking.n_validation
    without = tuple(place for place, each in zip(places, (a, b), strict=True) if not each.whole)
    common = sorted(a.runs.keys() & b.runs.keys())
    same_seeds = one.study.seed == other.study.seed and bool(common)
    if without:
        known = [
            _of_accuracies(each, common if same_seeds else sorted(each.runs)) for each in (a, b)
        ]
        assumed, source = _assumed(one, other)
        found = contrast_of_accuracies(
            known[0], known[1], sizes, same_seeds=same_seeds, spread=assumed
        )
        source = source if found.assumed else ()
        return Pair(
            *places, contrast=found, same_seeds=same_seeds, without=without, seeds_from=source
        )
    same_samples = same_validation(one, other) and a.labels == b.labels
    same_seeds = same_seeds and same_samples
    scores = [each.scores(common if same_seeds else sorted(each.runs)) for each in (a, b)]
    single = min(map(len, scores)) == 1
    assumed, source = _assumed(one, other)
    source = source if single else ()
    spread = _between(one, other, common) if same_seeds and not single else assumed
    found = contrast(
        scores[0], scores[1], same_samples=same_samples, same_seeds=same_seeds, spread=spread
    )
    networks = None
    if same_samples and len(scores[0]) == len(scores[1]) == 1:
        first, second = scores[0][0], scores[1][0]
        networks = Networks(
            int(np.count_nonzero(first > second)),
            int(np.count_nonzero(second > first)),
            mcnemar(first, second),
        )
    return Pair(
        *places,
        contrast=found,
        same_samples=same_samples,
        same_seeds=same_seeds,
        networks=networks,
        seeds_from=source,
    )


def _on_splits(places: tuple[int, int], one: Entry, other: Entry) -> Pair:
    """Return what a test says where replicates are splits: on those that both have, or nothing."""
    a, b = one.outcomes, other.outcomes
    assert a is not None  # noqa: S101  # only complete trials are compared
    assert b is not None  # noqa: S101  # likewise
    drawn = [
        (each.study.seed, *(each.study.recipe["data"].get(key) for key in _SPLIT_BY))
        for each in (one, other)
    ]
    if a.splits is None or b.splits is None or drawn[0] != drawn[1]:
        return Pair(*places, refused="splits")
    values = [a.splits.averaged(a.accuracies), a.splits.averaged(b.accuracies)]
    common = sorted(values[0].keys() & values[1].keys())
    if len(common) < 2:
        return Pair(*places, refused="splits")
    apart = [values[0][split] - values[1][split] for split in common]
    without = tuple(place for place, each in zip(places, (a, b), strict=True) if not each.whole)
    within = 0.0
    if not without:
        right = a.by_split(), b.by_split()
        within = fmean(float((right[0][s] - right[1][s]).var(ddof=1)) for s in common)
    found = contrast_on_splits(apart, a.splits.n_samples(0), a.splits.correction, within)
    return Pair(*places, contrast=found, same_samples=True, without=without, split=a.splits.word)


def _assumed(one: Entry, other: Entry) -> tuple[Spread, tuple[str, ...]]:
    """Return what is assumed of seeds where a trial has one, and from which studies.

    A seed moves networks of two studies independently of each other, as far as is known: so the
    variances of both add up.
    """
    known = [entry.seeds or ASSUMED_SEEDS for entry in (one, other)]
    source = tuple(dict.fromkeys(each.source for each in known if each.source is not None))
    if not source:
        return ASSUMED, ()
    return Spread(extra=sum(each.run.extra for each in known)), source


def _between(one: Entry, other: Entry, replicates: Sequence[int]) -> Spread | None:
    """Return what all trials of two studies say of seeds; ``None`` where that is nothing."""
    if len(replicates) < 2:
        return None
    room = max(1, MOST_SCORES // (2 * len(replicates) * one.ranking.n_validation))
    families = []
    for entry in (one, other):
        own = entry.outcomes
        assert own is not None  # noqa: S101  # only complete trials are compared
        like = [
            each
            for each in entry.others
            if each.whole and each.labels == own.labels and each.runs.keys() >= set(replicates)
        ]
        families.append(np.stack([each.scores(replicates) for each in (own, *like)[:room]]))
    return between(families[0], families[1])


def _of_accuracies(outcomes: TrialOutcomes, replicates: Sequence[int]) -> list[float]:
    known = outcomes.accuracies
    return [known[each] for each in replicates]


def same_validation(one: Entry, other: Entry) -> bool:
    """Return whether two studies of the same data validate on the same samples, in one order.

    Where their training samples differ, the fingerprint of the split does, too.
    """
    data = [each.study.data for each in (one, other)]
    if data[0].get("n_validation") != data[1].get("n_validation"):
        return False
    recipes = [each.study.recipe for each in (one, other)]
    methods = {recipe["data"].get("split") for recipe in recipes}
    if "ordered" in methods:
        # Its validation samples follow the training samples, of however many there are.
        moved = any("train" in (each.trial.params if each.trial else {}) for each in (one, other))
        return not moved and data[0].get("split_fingerprint") == data[1].get("split_fingerprint")
    if data[0].get("split_fingerprint") == data[1].get("split_fingerprint"):
        return True
    if methods == {"canonical"}:
        return True
    drawn = [
        (one.study.seed, *(recipe["data"].get(key) for key in ("validation", "stratified")))
        for one, recipe in zip((one, other), recipes, strict=True)
    ]
    return methods == {"random"} and drawn[0] == drawn[1]
