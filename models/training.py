"""The trainer: a pure function from a cohort's state to its state some epochs later.

One trial is a cohort of one; there is no second trainer. The random numbers of an epoch follow
from seed, replicate and epoch, so that segments of any length lead to the same bits.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.arrays import Array, Labels
from models.cohort import ORDER, CohortPlan, CohortState, Finished, Outcome
from models.evaluation import Evaluation, Evaluator, count_right
from models.losses import LOSSES
from models.network import Network, Parameters
from models.optimizers import make_updater
from models.schedules import learning_rates


class Samples(Protocol):
    """What is trained on and validated with. There is no test split in it."""

    @property
    def x_train(self) -> Array:
        """Return (N, D)."""

    @property
    def y_train(self) -> Labels:
        """Return (N,), in 0 … K-1."""

    @property
    def x_validation(self) -> Array:
        """Return (N', D)."""

    @property
    def y_validation(self) -> Labels:
        """Return (N',)."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A trial at the end of an epoch; epoch 0 is before the first update.

    Attributes:
        slot: The trial's place in the cohort's plan.
        epoch: From 0; the last may be a part of one.
        step: Updates made.
        eta: η of the last update (of the first one, in epoch 0).
        train_loss: Mean over the training samples looked at (``TrainingSpec.train_samples``;
            all of them at the end of the training).
        train_cost: Loss plus penalty.
        train_accuracy: In [0, 1], re-evaluated on the samples of ``train_loss``.
        validation_loss: Mean over the validation split.
        validation_cost: Loss plus penalty.
        validation_accuracy: In [0, 1].
        seconds: Training time of the epoch, the cohort's divided by its trials.
        evaluation_seconds: Time of these measurements, divided likewise.
        running_loss: Mean over the epoch's samples of the loss that each had in its batch, before
            that batch's update, so of as many networks as there were updates; ``None`` unless
            ``TrainingSpec.running``, and in epoch 0.
        running_accuracy: Likewise; what Keras prints as an epoch's training accuracy.
    """

    slot: int
    epoch: int
    step: int
    eta: float
    train_loss: float
    train_cost: float
    train_accuracy: float
    validation_loss: float
    validation_cost: float
    validation_accuracy: float
    seconds: float
    evaluation_seconds: float
    running_loss: float | None = None
    running_accuracy: float | None = None


class _Running:
    """Sums over the batches of an epoch, each measured before its update."""

    def __init__(self, n_trials: int) -> None:
        self.n_samples = 0
        self.loss = np.zeros(n_trials)
        self.n_right = np.zeros(n_trials)

    def means(self, trial: int) -> dict[str, float]:
        """Return a trial's means, by the names of ``EpochRow``."""
        return {
            "running_loss": float(self.loss[trial] / self.n_samples),
            "running_accuracy": float(self.n_right[trial] / self.n_samples),
        }


def train(
    plan: CohortPlan, state: CohortState, data: Samples, n_epochs: int
) -> tuple[CohortState, list[EpochRow]]:
    """Return the state after at most ``n_epochs`` more epochs, and a row per trial and epoch.

    A trial that diverges, or whose patience ends, leaves the cohort: its parameters go to
    ``finished`` and the arrays are compacted. ``state`` itself is left as it is.

    Args:
        plan: What is trained.
        state: Where to go on from; ``initial_state(plan)`` at first.
        data: Arrays of the plan's precision.
        n_epochs: Fewer are made where the training ends before.

    Raises:
        ModelError: If the batch size does not fit the data.
    """
    rows: list[EpochRow] = []
    # What overflows belongs to a trial that diverges: a state of its own, not a warning.
    with np.errstate(all="ignore"):
        for _ in range(n_epochs):
            if state.done:
                break
            state = _Trainer(plan, state, data).epoch(rows)
    return state, rows


class _Trainer:
    """The arrays and the order of one epoch."""

    def __init__(self, plan: CohortPlan, state: CohortState, data: Samples) -> None:
        self.plan = plan
        self.data = data
        n_trials = len(state.slots)
        everything = list(range(n_trials))
        self.state = state.rows(everything)
        self.trials = [plan.trials[slot] for slot in state.slots]
        self.l2_strength = np.array([trial.l2_strength for trial in self.trials])
        self.evaluator = Evaluator(plan.network, n_trials, plan.dtype)
        self.running: _Running | None = None

    def epoch(self, rows: list[EpochRow]) -> CohortState:
        plan, state = self.plan, self.state
        spec = plan.training
        n_train = len(self.data.y_train)
        per_epoch = spec.updates_per_epoch(n_train)
        stop = min(state.step + per_epoch, spec.n_updates)
        etas = learning_rates(spec.schedule, state.step, stop, self.trials)
        if state.step == 0:
            rows += self._rows(0, 0, etas[0], 0.0, last=False)[1]
        self.running = _Running(len(state.slots)) if spec.running else None
        started = time.perf_counter()
        self._updates(state.step, etas)
        seconds = time.perf_counter() - started
        epoch = state.epoch + 1
        last = stop == spec.n_updates
        evaluation, new_rows = self._rows(epoch, stop, etas[-1], seconds, last=last)
        rows += new_rows
        state = replace(state, step=stop, epoch=epoch)
        finite = [
            bool(np.isfinite([row.train_cost, row.validation_cost]).all()) for row in new_rows
        ]
        return _after_evaluation(plan, state, evaluation, finite, last=last)

    def _updates(self, first_step: int, etas: npt.NDArray[np.float64]) -> None:
        """Make one update per row of ``etas``."""
        plan, data = self.plan, self.data
        spec, parameters = plan.training, self.state.parameters
        n_train, batch_size = len(data.y_train), spec.batch_size
        n_trials = parameters.n_trials
        order = np.arange(n_train)
        if spec.shuffle:
            plan.generator(ORDER, self.state.epoch).shuffle(order)
        updater = make_updater(
            spec.optimizer,
            parameters,
            self.state.optimizer,
            self.l2_strength,
            np.array([trial.momentum for trial in self.trials]),
        )
        loss, running = LOSSES[plan.network.loss], self.running
        network = Network(plan.network, n_trials, batch_size, plan.dtype)
        x = np.empty((batch_size, plan.network.n_features), plan.dtype)
        classes = np.eye(plan.network.n_classes, dtype=plan.dtype)
        one_hot = np.empty((plan.network.n_classes, batch_size), plan.dtype)
        # The last batch of an epoch is smaller where the batch size does not divide the samples.
        starts = np.arange(len(etas)) * batch_size
        updater.plan(first_step, etas, np.minimum(batch_size, n_train - starts))
        for i in range(len(etas)):
            rows = order[i * batch_size : (i + 1) * batch_size]
            if len(rows) < batch_size:
                network = Network(plan.network, n_trials, len(rows), plan.dtype)
                x, one_hot = x[: len(rows)], np.empty((len(classes), len(rows)), plan.dtype)
            # With mode "raise" NumPy would gather into a buffer first.
            np.take(data.x_train, rows, axis=0, out=x, mode="clip")
            np.take(classes, data.y_train[rows], axis=1, out=one_hot, mode="clip")
            scores = network.forward(parameters, x, updater.scale)
            if running is None:
                loss.backward(scores, one_hot)
            else:
                labels = data.y_train[rows]
                running.n_samples += len(rows)
                running.n_right += count_right(scores, labels)
                running.loss += loss.measured_backward(scores, one_hot, labels)
            scores *= updater.begin(i)
            for layer, delta, below in network.backward(parameters, x, scores):
                updater.apply(layer, delta, below)
        updater.settle()

    def _rows(
        self, epoch: int, step: int, eta: npt.NDArray[np.float64], seconds: float, *, last: bool
    ) -> tuple[Evaluation, list[EpochRow]]:
        """Return the validation and a row per trial."""
        started = time.perf_counter()
        data, state = self.data, self.state
        parameters = state.parameters
        penalty = self.l2_strength * parameters.squared_weights()
        looked_at = None if last else self._looked_at(len(data.y_train))
        train = self.evaluator.evaluate(parameters, data.x_train, data.y_train, looked_at)
        validation = self.evaluator.evaluate(parameters, data.x_validation, data.y_validation)
        evaluation_seconds = time.perf_counter() - started
        n_trials = len(state.slots)
        rows = [
            EpochRow(
                slot=slot,
                epoch=epoch,
                step=step,
                eta=float(eta[row]),
                train_loss=float(train.loss[row]),
                train_cost=float(train.loss[row] + penalty[row]),
                train_accuracy=float(train.accuracy[row]),
                validation_loss=float(validation.loss[row]),
                validation_cost=float(validation.loss[row] + penalty[row]),
                validation_accuracy=float(validation.accuracy[row]),
                seconds=seconds / n_trials,
                evaluation_seconds=evaluation_seconds / n_trials,
                **(self.running.means(row) if self.running is not None else {}),
            )
            for row, slot in enumerate(state.slots)
        ]
        return validation, rows

    def _looked_at(self, n_train: int) -> npt.NDArray[np.intp] | None:
        limit = self.plan.training.train_samples
        if limit is None or limit >= n_train:
            return None
        # Spread over the whole split: a file sorted by class gives a sample of all classes.
        return np.linspace(0, n_train - 1, limit).astype(np.intp)


def _after_evaluation(
    plan: CohortPlan,
    state: CohortState,
    evaluation: Evaluation,
    finite: Sequence[bool],
    *,
    last: bool,
) -> CohortState:
    """Return the state with bests kept, and without the trials that are finished."""
    improved = evaluation.loss < state.best_loss
    best_loss = np.where(improved, evaluation.loss, state.best_loss)
    waited = np.where(improved, 0, state.waited + 1)
    better = evaluation.accuracy > state.best_accuracy
    best_accuracy = np.where(better, evaluation.accuracy, state.best_accuracy)
    best_epoch = np.where(better, state.epoch, state.best_epoch)
    if state.best is not None:
        arrays = zip(_arrays(state.best), _arrays(state.parameters), strict=True)
        for kept, current in arrays:
            kept[better] = current[better]
    state = replace(
        state,
        best_loss=best_loss,
        waited=waited,
        best_accuracy=best_accuracy,
        best_epoch=best_epoch,
    )
    patience = plan.training.patience
    finished = dict(state.finished)
    going_on = []
    for row, slot in enumerate(state.slots):
        out_of_patience = patience is not None and waited[row] >= patience
        if finite[row] and not last and not out_of_patience:
            going_on.append(row)
            continue
        outcome: Outcome = "complete" if finite[row] else "diverged"
        kept_epoch, kept_parameters = state.epoch, state.parameters
        if state.best is not None and finite[row]:
            kept_epoch, kept_parameters = int(best_epoch[row]), state.best
        finished[slot] = Finished(outcome, state.epoch, kept_epoch, kept_parameters.rows([row]))
    if len(going_on) < len(state.slots):
        state = state.rows(going_on)
    return replace(state, finished=finished)


def _arrays(parameters: Parameters) -> list[Array]:
    return [*parameters.weights, *parameters.biases]
