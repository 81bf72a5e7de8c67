"""Which epoch a trial is scored by: what is remembered at an evaluation, and when a trial ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from coarsefine.models.cohort import CohortState, Finished
from coarsefine.models.evaluation import Evaluation, SampleOutcomes, Values
from coarsefine.models.kernels.stretch import Running


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


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """A trial at an evaluation, where epochs have several.

    Attributes:
        slot: The trial's place in the cohort's plan.
        step: Updates made.
        validation_loss: Mean over the validation split.
        validation_accuracy: In [0, 1].
        batch_loss: Mean of the losses of the batches since the evaluation before, each before its
            update; ``None`` unless ``TrainingSpec.running``.
        batch_deviation: Their standard deviation, likewise.
    """

    slot: int
    step: int
    validation_loss: float
    validation_accuracy: float
    batch_loss: float | None = None
    batch_deviation: float | None = None


def rows_of(
    state: CohortState, validation: Evaluation, running: Running | None
) -> list[EvaluationRow]:
    """Return a row a trial of an evaluation."""
    measures = np.stack([validation.loss, validation.accuracy])
    if running is not None:
        measures = np.concatenate([measures, running.since_evaluation()])
    return [
        EvaluationRow(slot, state.step, *of_trial)
        for slot, of_trial in zip(state.slots, measures.T.tolist(), strict=True)
    ]


def with_best(state: CohortState, measured: Measured, each: SampleOutcomes | None) -> CohortState:
    """Return the state with the best epochs of the trials that have a row kept."""
    better = np.zeros(len(state.slots), np.bool_)
    accuracy = state.best_accuracy.copy()
    rows = np.asarray(measured.rows, dtype=np.intp)
    better[rows] = measured.validation.accuracy > accuracy[rows]
    accuracy[rows] = np.maximum(accuracy[rows], measured.validation.accuracy)
    return replace(with_kept(state, better, each), best_accuracy=accuracy)


def with_kept(
    state: CohortState, better: npt.NDArray[np.bool_], each: SampleOutcomes | None
) -> CohortState:
    """Return the state with some trials, (T,), kept as they are, if any are to be."""
    if state.best is not None:
        arrays = zip(state.best.arrays, state.parameters.arrays, strict=True)
        for kept, current in arrays:
            kept[better] = current[better]
    outcomes = state.best_outcomes
    if state.best is not None and each is not None:
        outcomes = outcomes or SampleOutcomes.unknown(*each.predicted.shape)
        outcomes.put(better, each)
    best_epoch = np.where(better, state.epoch, state.best_epoch)
    return replace(state, best_epoch=best_epoch, best_outcomes=outcomes)


def finished(
    state: CohortState, row: int, *, diverged: bool, train: Evaluation | None = None
) -> Finished:
    """Return what becomes of a trial that ends here.

    Args:
        state: Where it ends.
        row: Its position.
        diverged: Whether it has.
        train: What the network that it counts with makes of all training samples, T = 1, if that is
            the one with the lowest loss.
    """
    epoch, parameters, lowest = state.epoch, state.parameters, state.lowest(row)
    if train is not None and lowest is not None:
        loss, accuracy = float(train.loss[0]), float(train.accuracy[0])
        lowest = replace(lowest, train_loss=loss, train_accuracy=accuracy)
    if state.best is not None and not diverged:
        epoch, parameters = int(state.best_epoch[row]), state.best
    return Finished(
        outcome="diverged" if diverged else "complete",
        epoch=state.epoch,
        scored_epoch=epoch,
        parameters=parameters.rows([row]),
        step=state.step,
        lowest=lowest,
        snapshots=state.snapshots.get(state.slots[row], ()),
    )
