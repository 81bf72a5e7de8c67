"""The points of a ranking or a race that are judged together, with what their runs predicted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.studies.results.scorer import Scored, Scorer
from coarsefine.studies.results.statistics import Measured

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
    """

    positions: Sequence[int]
    replicates: Sequence[int]
    present: NDArray[np.bool_]
    values: NDArray[np.float64]
    scores: NDArray[Any] | None
    without: tuple[int, ...]
    accuracy: float = 0.0

    @property
    def single(self) -> bool:
        """Return whether no seed was repeated."""
        return int(self.present.sum(axis=1).max(initial=0)) <= 1


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
            payload = outcomes.get(position, {}).get(replicates[place])
            scored = scorer.scored(payload, n_samples, value=values[row, place])
            if scored is None:
                whole = False
                continue
            runs[row, place] = scored
            labels.add(scored.labels_crc)
        if not whole:
            without.append(position)
    lacking = tuple(without)
    if lacking or len(labels) != 1:
        return Family(positions, replicates, present, values, None, lacking)
    kind = next(iter(runs.values())).scores.dtype
    scores = np.zeros((*shape, n_samples), kind)
    for at, scored in runs.items():
        scores[at] = scored.scores
    accuracy = fmean(scored.accuracy for (row, _), scored in runs.items() if row == 0)
    return Family(positions, replicates, present, values, scores, lacking, accuracy)
