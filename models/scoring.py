"""Which epoch a trial is scored by: what is remembered at an evaluation, and when a trial ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from coarsefine.models.cohort import CohortState, Finished
from coarsefine.models.evaluation import Evaluation, SampleOutcomes, Values


@dataclass(frozen=True, slots=True)
class Measured:
    """Some trials of a cohort at an evaluation; arrays hold a number for each of them.

    Attributes:
        rows: Their positions in the cohort.
        penalty: What their costs are above their losses.
        squared_weights: Σ W².
    """

    rows: Sequence[int]
    train: Evaluation
    validation: Evaluation
    penalty: Values
    squared_weights: Values

    @property
    def train_cost(self) -> Values:
        """Return loss plus penalty."""
        return np.asarray(self.train.loss + self.penalty)

    @property
    def validation_cost(self) -> Values:
        """Return loss plus penalty."""
        return np.asarray(self.validation.loss + self.penalty)


def with_best(state: CohortState, measured: Measured, each: SampleOutcomes | None) -> CohortState:
    """Return the state with the bests of the trials that have a row kept."""
    better = np.zeros(len(state.slots), np.bool_)
    accuracy = state.best_accuracy.copy()
    rows = np.asarray(measured.rows, dtype=np.intp)
    better[rows] = measured.validation.accuracy > accuracy[rows]
    accuracy[rows] = np.maximum(accuracy[rows], measured.validation.accuracy)
    if state.best is not None:
        arrays = zip(state.best.arrays, state.parameters.arrays, strict=True)
        for kept, current in arrays:
            kept[better] = current[better]
    outcomes = state.best_outcomes
    if state.best is not None and each is not None:
        outcomes = outcomes or SampleOutcomes.unknown(*each.predicted.shape)
        outcomes.put(better, each)
    best_epoch = np.where(better, state.epoch, state.best_epoch)
    return replace(state, best_accuracy=accuracy, best_epoch=best_epoch, best_outcomes=outcomes)


def finished(state: CohortState, row: int, *, diverged: bool) -> Finished:
    """Return what becomes of a trial that ends here."""
    epoch, parameters = state.epoch, state.parameters
    if state.best is not None and not diverged:
        epoch, parameters = int(state.best_epoch[row]), state.best
    return Finished(
        outcome="diverged" if diverged else "complete",
        epoch=state.epoch,
        scored_epoch=epoch,
        parameters=parameters.rows([row]),
        step=state.step,
        lowest=state.lowest(row),
        snapshots=state.snapshots.get(state.slots[row], ()),
    )
