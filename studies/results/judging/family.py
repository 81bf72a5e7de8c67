"""The points of a ranking or a race that are judged together, with what their runs predicted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.splits import OnSplits, judge_on_splits, variance_by_seed
from coarsefine.studies.results.evidence.ties import Judged
from coarsefine.studies.results.judging.statistics import Measured
from coarsefine.studies.results.scoring.scorer import Scored, Scorer
from coarsefine.studies.results.scoring.splits import Splits

Outcomes = Mapping[int, Mapping[int, bytes]]
"""Packed outcomes by position of the trial and replicate."""


@dataclass(frozen=True, slots=True)
class Family:
    """The points that are judged together.

    Attributes:
        positions: Of their trials, the best first.
        replicates: That any of them has.
        present: (T, S), which runs there are.
        values: (T, S).
        scores: (T, S, N), of each sample; ``None`` where not all runs have outcomes.
        without: Positions of trials some of whose runs have none.
        accuracy: Of the first, where all runs have outcomes.
        by_split: Where replicates are splits: scores by split, (T, N) of its own samples, in place
            of ``scores``; ``present`` and ``values`` are by split then.
        n_seeds: Where replicates are splits: the most seeds that any trial has.
        by_seed: As in ``evidence.splits.OnSplits``.
    """

    positions: Sequence[int]
    replicates: Sequence[int]
    present: NDArray[np.bool_]
    values: NDArray[np.float64]
    scores: NDArray[Any] | None
    without: tuple[int, ...]
    accuracy: float = 0.0
    by_split: tuple[NDArray[np.float64], ...] | None = None
    n_seeds: int = 0
    by_seed: NDArray[np.float64] | None = None

    @property
    def whole(self) -> bool:
        """Return whether all runs have outcomes."""
        return self.scores is not None or self.by_split is not None

    @property
    def single(self) -> bool:
        """Return whether no seed was repeated."""
        return int(self.present.sum(axis=1).max(initial=0)) <= 1

    def judged_on_splits(
        self, scorer: Scorer, n_samples: int, looks: Looks | None, *, n_family: int = 0
    ) -> Judged:
        """Return what is found of each two where replicates are splits, of ``scorer.splits``."""
        assert scorer.splits is not None  # noqa: S101  # or the family would not be by split
        how = OnSplits(scorer.splits.correction, n_samples, self.by_seed, looks)
        return judge_on_splits(
            self.by_split, self.values, self.present, how, n_family=n_family, unit=scorer.unit
        )


def family_of(
    measured: Sequence[Measured],
    positions: Sequence[int],
    n_samples: int,
    read: Callable[[Sequence[int]], Outcomes] | None,
    scorer: Scorer,
) -> Family:
    """Return points that are judged together.

    Args:
        measured: All trials.
        positions: Of those that are meant.
        n_samples: Validation samples; 0 if that is not known.
        read: As for ``compare``.
        scorer: Makes scores of outcomes.
    """
    replicates = sorted({r for p in positions for r in measured[p].values})
    shape = len(positions), len(replicates)
    present, values = np.zeros(shape, np.bool_), np.zeros(shape)
    for row, position in enumerate(positions):
        for column, replicate in enumerate(replicates):
            if replicate in measured[position].values:
                present[row, column] = True
                values[row, column] = measured[position].values[replicate]
    outcomes = {} if read is None or not n_samples or not positions else read(positions)
    runs: dict[tuple[int, int], Scored] = {}
    labels: set[int] = set()
    without: list[int] = []
    for row, position in enumerate(positions):
        whole = True
        for place in np.flatnonzero(present[row]).tolist():
            replicate = replicates[place]
            payload = outcomes.get(position, {}).get(replicate)
            scored = scorer.scored(
                payload, n_samples, replicate=replicate, value=values[row, place]
            )
            if scored is None:
                whole = False
                continue
            runs[row, place] = scored
            labels.add(scored.labels_crc)
        if not whole:
            without.append(position)
    lacking = tuple(without)
    if scorer.splits is not None:
        family = Family(positions, replicates, present, values, None, lacking)
        return _on_splits(family, runs, scorer.splits)
    if lacking or len(labels) != 1:
        return Family(positions, replicates, present, values, None, lacking)
    kind = next(iter(runs.values())).scores.dtype
    scores = np.zeros((*shape, n_samples), kind)
    for at, scored in runs.items():
        scores[at] = scored.scores
    accuracy = fmean(scored.accuracy for (row, _), scored in runs.items() if row == 0)
    return Family(positions, replicates, present, values, scores, lacking, accuracy)


def _on_splits(family: Family, runs: Mapping[tuple[int, int], Scored], splits: Splits) -> Family:
    """Return the family with means over the seeds of each split in place of its runs.

    Args:
        family: By replicate.
        runs: By row and column of it, as far as they have outcomes.
        splits: That the replicates are measured on.
    """
    numbers = [splits.number(replicate) for replicate in family.replicates]
    names = sorted(set(numbers))
    shape = len(family.positions), len(names)
    present, values = np.zeros(shape, np.bool_), np.zeros(shape)
    by_split: list[NDArray[np.float64]] | None = None if family.without else []
    for column, name in enumerate(names):
        own = np.array([number == name for number in numbers])
        n_seeds = (family.present & own).sum(axis=1)
        present[:, column] = n_seeds > 0
        sums = np.where(family.present & own, family.values, 0.0).sum(axis=1)
        values[:, column] = sums / np.maximum(n_seeds, 1)
        if by_split is None:
            continue
        found = {at: run for at, run in runs.items() if own[at[1]]}
        # The loss has no checksum of its labels: theirs are of as many samples at least.
        if len({(run.labels_crc, len(run.scores)) for run in found.values()}) != 1:
            by_split = None
            continue
        scores = np.zeros((shape[0], len(next(iter(found.values())).scores)))
        for (row, _), run in found.items():
            scores[row] += run.scores / n_seeds[row]
        by_split.append(scores)
    return replace(
        family,
        replicates=names,
        present=present,
        values=values,
        by_split=None if by_split is None else tuple(by_split),
        n_seeds=1 + max(map(splits.seed, family.replicates), default=0),
        by_seed=variance_by_seed(family.values, family.present, numbers),
    )
