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

from coarsefine.models import scoring
from coarsefine.models.arrays import Array, Labels, column
from coarsefine.models.cohort import ORDER, CohortPlan, CohortState, Finished
from coarsefine.models.evaluation import Evaluation, SampleOutcomes, Values
from coarsefine.models.kernels.choice import evaluator, kernel
from coarsefine.models.kernels.stretch import Running, Stretch
from coarsefine.models.perturbations import perturbations_of
from coarsefine.models.schedules import cycle_ends, learning_rates
from coarsefine.models.scoring import EvaluationRow, Measured, finished


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

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Return the shape of a sample before it was made a row; nothing if it is not known."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A trial at the end of an epoch; epoch 0 is before the first update.

    Attributes:
        slot: The trial's place in the cohort's plan.
        epoch: From 0; the last may be a part of one, which ``step`` tells.
        step: Updates made.
        eta: η of the last update (of the first one, in epoch 0).
        train_loss: Mean over the training samples looked at (``TrainingSpec.train_samples``;
            all of them where the trial's training ends).
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
        squared_weights: Σ W² over all layers, biases not counted; ``None`` of a trainer of the
            user's.
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
    squared_weights: float | None = None


def train(
    plan: CohortPlan,
    state: CohortState,
    data: Samples,
    n_epochs: int,
    outcomes: dict[int, SampleOutcomes] | None = None,
    evaluations: list[EvaluationRow] | None = None,
) -> tuple[CohortState, list[EpochRow]]:
    """Return the state after at most ``n_epochs`` more epochs, and a row per trial and epoch.

    A trial that diverges, or whose patience ends, leaves the cohort, within an epoch too: it has a
    row for what it made of that epoch, its parameters go to ``finished`` and the arrays are
    compacted. ``state`` itself is left as it is.

    Args:
        plan: What is trained.
        state: Where to go on from; ``initial_state(plan)`` at first.
        data: Arrays of the plan's precision.
        n_epochs: Fewer are made where the training ends before.
        outcomes: Filled, by slot, with what each trial that ends and did not diverge makes of the
            validation split at the epoch it is scored by (T = 1); ``None`` if not wanted.
        evaluations: Given a row per trial and evaluation, where epochs have several.

    Raises:
        ModelError: If the batch size does not fit the data.
    """
    rows: list[EpochRow] = []
    # What overflows belongs to a trial that diverges: a state of its own, not a warning.
    with np.errstate(all="ignore"):
        for _ in range(n_epochs):
            if state.done:
                break
            state = _Trainer(plan, state, data, outcomes, evaluations).epoch(rows)
    return state, rows


class _Trainer:
    """One epoch of a cohort, whose trials may leave it on the way."""

    def __init__(
        self,
        plan: CohortPlan,
        state: CohortState,
        data: Samples,
        outcomes: dict[int, SampleOutcomes] | None,
        evaluations: list[EvaluationRow] | None,
    ) -> None:
        self.plan = plan
        self.data = data
        self.outcomes = outcomes
        self.evaluations = evaluations
        self.running: Running | None = None
        self.perturbations = perturbations_of(plan, state.epoch, data.sample_shape)
        # A trial's share of the epoch's time so far.
        self.seconds = self.evaluation_seconds = 0.0
        # A copy, since it is trained in place.
        self._take(state.rows(range(len(state.slots))))

    def _take(self, state: CohortState) -> None:
        """Train this state's trials from now on."""
        n_trials = len(state.slots)
        self.state = state
        self.trials = [self.plan.trials[slot] for slot in state.slots]
        self.l2_strength = column(self.trials, "l2_strength")
        self.evaluator = evaluator(self.plan, n_trials)

    def epoch(self, rows: list[EpochRow]) -> CohortState:
        """Return the state after the epoch; a row per trial is added to ``rows``."""
        plan, first = self.plan, self.state.step
        spec, n_train = plan.training, len(self.data.y_train)
        steps = spec.evaluation_steps(first, n_train)
        if first == 0:
            rows += self._before_the_first_update()
        order = np.arange(n_train)
        if spec.shuffle:
            plan.generator(ORDER, self.state.epoch).shuffle(order)
        if spec.running:
            self.running = Running(len(self.trials))
        self.state = replace(self.state, epoch=self.state.epoch + 1)
        for step in steps:
            for stop in (*self._cycle_ends(step), step):
                made = self.state.step
                etas = self._etas(made, stop)
                self._updates(order[(made - first) * spec.batch_size :], etas)
                self.state = replace(self.state, step=stop)
                if spec.snapshots:
                    ended = [row for row, t in enumerate(self.trials) if cycle_ends(t, stop)]
                    self.state = self.state.with_snapshots(ended)
            rows += self._evaluated(etas[-1], ends=step == steps[-1])
            if self.state.done:
                break
        return self.state

    def _cycle_ends(self, stop: int) -> list[int]:
        """Return the updates before ``stop`` after which networks are to be kept."""
        if not self.plan.training.snapshots:
            return []
        steps = range(self.state.step + 1, stop)
        return [step for step in steps if any(cycle_ends(trial, step) for trial in self.trials)]

    def _etas(self, first: int, stop: int) -> Values:
        """Return the learning rates of some updates, (stop - first, T)."""
        spec = self.plan.training
        per_epoch = spec.updates_per_epoch(len(self.data.y_train))
        return learning_rates(spec.schedule, first, stop, self.trials, per_epoch)

    def _updates(self, order: npt.NDArray[np.intp], etas: Values) -> None:
        """Make one update per row of ``etas``, with batches of the samples in ``order``."""
        started = time.perf_counter()
        stretch = Stretch(
            self.plan,
            self.state,
            self.data.x_train,
            self.data.y_train,
            order,
            etas,
            self.trials,
            self.running,
            self.perturbations,
        )
        kernel(self.plan)(stretch)
        self.evaluator.forget()
        self.seconds += (time.perf_counter() - started) / len(self.trials)

    def _before_the_first_update(self) -> list[EpochRow]:
        """Measure the initial weights; return the rows of epoch 0."""
        started = time.perf_counter()
        etas = self._etas(0, 1)[0]
        measured = self._measured(range(len(self.trials)), *self._validation())
        self.state = replace(self.state, initial_cost=measured.train_cost)
        seconds = (time.perf_counter() - started) / len(self.trials)
        return self._rows(measured, etas, 0.0, seconds)

    def _evaluated(self, etas: Values, *, ends: bool) -> list[EpochRow]:
        """Validate the trials and let go of those that are finished.

        Args:
            etas: (T,), of the last update.
            ends: Whether this is the end of an epoch.

        Returns:
            A row per trial at the end of an epoch, within it one for each that is finished.
        """
        started = time.perf_counter()
        spec, state = self.plan.training, self.state
        n_trials, last = len(state.slots), state.step == spec.n_updates
        lowest = spec.score == "lowest" and spec.counts(state.step)
        wanted = last or lowest or (ends and spec.score == "best")
        each = self._unknown() if wanted else None
        validation, squared = self._validation(each)
        watch, stops = state.watch, np.zeros(n_trials, np.bool_)
        if self.evaluations is not None and spec.within:
            self.evaluations += scoring.rows_of(state, validation, self.running)
        if spec.counts(state.step):
            watch = watch.seen(validation.loss, validation.accuracy, state.step, spec)
            stops = watch.stops(spec)
        if lowest:
            state = scoring.with_kept(state, watch.step == state.step, each)
        over = stops | ~np.isfinite(validation.loss + self._penalty(squared)) | last
        if each is None and over.any() and (each := self._unknown()) is not None:
            # That a trial ends here was not known before. The same sums give the same bits.
            self._validation(each)
        ending = np.flatnonzero(over).tolist()
        shown = list(range(n_trials)) if ends else ending
        measured = self._measured(shown, validation, squared, ending) if shown else None
        self.evaluation_seconds += (time.perf_counter() - started) / n_trials
        self.state = state = replace(state, watch=watch)
        if measured is None:
            return []
        rows = self._rows(measured, etas, self.seconds, self.evaluation_seconds)
        diverged = self._diverged(measured)
        if spec.score != "lowest":
            self.state = state = scoring.with_best(state, measured, each)
        ended = {
            row: finished(state, row, diverged=failed, train=self._restored(row, failed))
            for row, failed in zip(shown, diverged, strict=True)
            if failed or over[row]
        }
        if ended:
            self._keep_outcomes(ended, each)
            kept = [row for row in range(n_trials) if row not in ended]
            over_now = {state.slots[row]: done for row, done in ended.items()}
            self.state = replace(state.rows(kept), finished=state.finished | over_now)
            if kept:
                self._take(self.state)
            if self.running is not None:
                self.running.keep(kept)
        return rows

    def _restored(self, row: int, diverged: bool) -> Evaluation | None:
        """Return what the network with the lowest loss makes of all training samples."""
        best = self.state.best
        if self.plan.training.score != "lowest" or best is None or diverged:
            return None
        data = self.data
        return evaluator(self.plan, 1).evaluate(best.rows([row]), data.x_train, data.y_train)

    def _validation(self, each: SampleOutcomes | None = None) -> tuple[Evaluation, Values]:
        """Return what all trials make of the validation split, and their Σ W².

        ``each`` is filled with what they make of each sample.
        """
        data, parameters = self.data, self.state.parameters
        x, labels = data.x_validation, data.y_validation
        found = self.evaluator.evaluate(parameters, x, labels, outcomes=each)
        return found, np.asarray(parameters.squared_weights(biases=self.plan.network.bias_row))

    def _penalty(self, squared: Values) -> Values:
        """Return what costs are above losses."""
        return np.asarray(self.l2_strength * squared, dtype=np.float64)

    def _unknown(self) -> SampleOutcomes | None:
        """Return outcomes of all trials to be filled in; ``None`` if they are not wanted."""
        if self.outcomes is None:
            return None
        return SampleOutcomes.unknown(len(self.trials), len(self.data.y_validation))

    def _keep_outcomes(self, ended: dict[int, Finished], each: SampleOutcomes | None) -> None:
        """Hand out the outcomes of trials that end here, by their positions."""
        scored = each if self.state.best is None else self.state.best_outcomes
        for row, done in ended.items():
            if self.outcomes is None or scored is None or done.outcome != "complete":
                continue
            outcomes = scored.rows([row])
            # A best epoch that an older version trained has left none.
            if np.isfinite(outcomes.losses).all():
                self.outcomes[self.state.slots[row]] = outcomes

    def _measured(
        self,
        rows: Sequence[int],
        validation: Evaluation,
        squared: Values,
        ending: Sequence[int] = (),
    ) -> Measured:
        """Return some trials with what they make of the training samples.

        Args:
            rows: Their positions.
            validation: What all trials make of the validation split.
            squared: Σ W² of all trials.
            ending: Those whose training is over: all samples are looked at, of others some.
        """
        looked_at = self._looked_at(len(self.data.y_train))
        parts: list[tuple[list[int], npt.NDArray[np.intp] | None]] = [(list(rows), None)]
        if looked_at is not None:
            going_on = [row for row in rows if row not in ending]
            parts = [(going_on, looked_at), ([row for row in rows if row in ending], None)]
        train = Evaluation(np.empty(len(rows)), np.empty(len(rows)))
        for part, samples in parts:
            if part:
                found = self._of_training_samples(part, samples)
                places = [rows.index(row) for row in part]
                train.loss[places], train.accuracy[places] = found.loss, found.accuracy
        these = np.asarray(rows, dtype=np.intp)
        validation = Evaluation(validation.loss[these], validation.accuracy[these])
        penalty = self._penalty(squared)
        return Measured(rows, train, validation, penalty[these], squared[these])

    def _of_training_samples(
        self, rows: Sequence[int], samples: npt.NDArray[np.intp] | None
    ) -> Evaluation:
        data, parameters, measuring = self.data, self.state.parameters, self.evaluator
        if len(rows) < parameters.n_trials:
            parameters = parameters.rows(rows)
            measuring = evaluator(self.plan, len(rows))
        return measuring.evaluate(parameters, data.x_train, data.y_train, samples)

    def _looked_at(self, n_train: int) -> npt.NDArray[np.intp] | None:
        limit = self.plan.training.train_samples
        if limit is None or limit >= n_train:
            return None
        # Spread over the whole split: a file sorted by class gives a sample of all classes.
        return np.linspace(0, n_train - 1, limit).astype(np.intp)

    def _diverged(self, measured: Measured) -> list[bool]:
        """Return which of the trials have costs past all bounds."""
        finite = np.isfinite(measured.train_cost) & np.isfinite(measured.validation_cost)
        factor = self.plan.training.diverged_at
        if factor is not None:
            finite &= measured.train_cost <= factor * self.state.initial_cost[measured.rows]
        return [not fine for fine in finite]

    def _rows(
        self, measured: Measured, etas: Values, seconds: float, evaluation_seconds: float
    ) -> list[EpochRow]:
        state, running = self.state, self.running
        train, validation = measured.train, measured.validation
        return [
            EpochRow(
                slot=state.slots[row],
                epoch=state.epoch,
                step=state.step,
                eta=float(etas[row]),
                train_loss=float(train.loss[i]),
                train_cost=float(measured.train_cost[i]),
                train_accuracy=float(train.accuracy[i]),
                validation_loss=float(validation.loss[i]),
                validation_cost=float(measured.validation_cost[i]),
                validation_accuracy=float(validation.accuracy[i]),
                seconds=seconds,
                evaluation_seconds=evaluation_seconds,
                squared_weights=float(measured.squared_weights[i]),
                **(running.means(row) if running is not None else {}),
            )
            for i, row in enumerate(measured.rows)
        ]
