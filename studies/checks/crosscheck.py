"""The same training in another framework, step by step: are the weights the same?

Both sides begin with the same weights and see the same samples in the same batches. Ours is the
trainer that searches use, on a cohort of one. Two right programs differ by rounding, and how far
rounding is carried depends on the training: so it is measured, by trainings of ours whose first
weights are changed by one rounding unit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import ORDER, CohortPlan, CohortState, initial_state
from coarsefine.models.data import PreparedData
from coarsefine.models.losses import class_weights
from coarsefine.models.network import Parameters
from coarsefine.models.perturbations import perturbations_of
from coarsefine.models.schedules import learning_rates
from coarsefine.models.training import EpochRow, Samples, train
from coarsefine.studies.checks.crosscheck_result import Comparison, CrossCheck, Epoch, Measures
from coarsefine.studies.checks.frameworks import (
    FRAMEWORKS,
    FrameworkMissingError,
    NotComparableError,
    Side,
    Task,
    begin,
)
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import to_specs

__all__ = [
    "FRAMEWORKS",
    "CrossCheck",
    "FrameworkMissingError",
    "NotComparableError",
    "crosscheck",
]

N_STEPS = 10

# How much further than rounding itself a difference may go. Two programs round in other places
# and at each update, the nudged trainings only once; docs/crosscheck.md has what was measured.
SLACK = 100.0
# With relu, whether rounding tips a unit over is chance: several nudged trainings see it.
N_NUDGED = 3
# Where so much of the largest weight may differ by rounding alone, nothing is left to be judged.
MEANINGLESS = 0.1
# Accuracies jump by whole samples: so many may tip over though none does in a nudged training.
SAMPLES = 3

_BLOCK = 1000


def crosscheck(
    recipe: Recipe, data: PreparedData, against: str = "torch", n_steps: int = N_STEPS
) -> CrossCheck:
    """Return how a recipe's training compares with the same in another framework.

    Early stopping and the choice of the best epoch are left out: all sides train to the end.

    Args:
        recipe: Trained as it is, λ included, in its precision.
        data: What the recipe asks for.
        against: ``torch`` or ``sklearn``.
        n_steps: So many updates of the first epoch are compared one by one; all others at the
            ends of epochs.

    Raises:
        FrameworkMissingError: If the framework is not installed.
        NotComparableError: If it cannot do the same.
        StudyError: If there is no such framework, or a batch is larger than the training set.
    """
    if recipe.trainer is not None:
        raise NotComparableError(
            f"a cross-check is of this program's own trainer, and the recipe's is {recipe.trainer}"
        )
    network, training, numbers = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    # All samples are measured, so that both sides have the same: a search looks at some of them.
    training = replace(
        training,
        patience=None,
        stop_rule="best",
        evaluations=1,
        evaluate_every=None,
        diverged_at=None,
        score="final",
        running=False,
        train_samples=None,
    )
    plan = CohortPlan(network, training, (numbers,), recipe.seed)
    per_epoch = training.updates_per_epoch(data.n_train)
    # One core, as a search gives a cohort: others would round in other places.
    with limited_blas(1):
        first = initial_state(plan)
        task = Task(network, training, numbers, first.parameters, per_epoch)
        weights = class_weights(training.class_weights, data.open().y_train, network.n_classes)
        if weights is not None:
            training = replace(training, class_weights=tuple(weights.tolist()))
            plan = replace(plan, training=training)
            task = replace(task, class_weights=weights.astype(plan.dtype))
        side = begin(against, task)
        try:
            # What overflows belongs to a training that diverges, on whichever side.
            with np.errstate(all="ignore"):
                steps, epochs = _compared(plan, first, data.open(), side, n_steps)
        finally:
            side.end()
    notes = list(side.notes)
    if recipe.training.patience is not None:
        notes.append("early stopping is left out: both sides train to the end")
    kind = f" {network.activation}" if network.hidden else ""
    kind += " with batch normalisation" if network.n_normalised else ""
    return CrossCheck(
        against=against,
        version=side.version,
        precision=training.precision,
        network=f"{'-'.join(map(str, network.widths))}{kind}, {network.loss}",
        steps=tuple(steps),
        epochs=tuple(epochs),
        notes=tuple(notes),
    )


def _compared(
    plan: CohortPlan, first: CohortState, data: Samples, side: Side, n_steps: int
) -> tuple[list[Comparison], list[Epoch]]:
    """Train all sides, and compare them after the first updates and after each epoch."""
    per_epoch = plan.training.updates_per_epoch(len(data.y_train))
    ours, nudged = _Own(plan, first, per_epoch), _nudged(plan, per_epoch)
    judge = _Judge(float(np.finfo(plan.dtype).eps), len(data.y_train), len(data.y_validation))
    begin_with = _begun(plan, data, n_steps)
    steps: list[Comparison] = []
    epochs: list[Epoch] = []
    step = 0
    while not ours.over:
        before = ours.parameters(), nudged.parameters()
        rows, of_nudged = ours.epoch(data), nudged.epoch(data)
        if step == 0:
            weights = judge.weights(0, None, *before, side)
            epochs.append(judge.epoch(weights, rows, of_nudged, _theirs(plan, side, data)))
        eta = 0.0
        batches = _batches(plan, ours.state.epoch - 1, data)
        perturbations = perturbations_of(plan, ours.state.epoch - 1, data.sample_shape)
        for x, labels in islice(batches, plan.training.n_updates - step):
            masks = None
            if perturbations is not None:
                perturbations.change(x)
                masks = perturbations.masks(plan.trials, len(labels))
            at = learning_rates(plan.training.schedule, step, step + 1, plan.trials, per_epoch)
            eta = float(at[0, 0])
            side.update(x, labels, eta, masks)
            step += 1
            if step <= len(begin_with):
                begun = begin_with[step - 1]
                short = ours.after(begun), nudged.after(begun)
                steps.append(judge.weights(step, eta, *short, side))
        weights = judge.weights(step, eta, ours.parameters(), nudged.parameters(), side)
        epochs.append(judge.epoch(weights, rows, of_nudged, _theirs(plan, side, data)))
    return steps, epochs


class _Own:
    """A training of ours, an epoch at a time."""

    def __init__(self, plan: CohortPlan, first: CohortState, per_epoch: int) -> None:
        self.plan = plan
        self.per_epoch = per_epoch
        self.first = self.state = first
        self.rows: dict[int, list[EpochRow]] = {}

    @property
    def over(self) -> bool:
        """Return whether it is trained to the end, or has diverged."""
        return self.state.done

    def epoch(self, data: Samples) -> dict[int, list[EpochRow]]:
        """Return the rows of one more epoch by slot; of those that are over, their last."""
        self.state, rows = train(self.plan, self.state, data, 1)
        new: dict[int, list[EpochRow]] = {}
        for row in rows:
            new.setdefault(row.slot, []).append(row)
        self.rows = self.rows | new
        return self.rows

    def parameters(self) -> dict[str, Array]:
        """Return the parameters as they are now, (T, …)."""
        return _parameters(self.plan, self.state)

    def after(self, begun: "_Begun") -> dict[str, Array]:
        """Return the parameters after the first updates: those of a training that ends there."""
        training = replace(self.plan.training, n_updates=begun.n_updates, shuffle=False)
        # Decays go by epochs, and these are shorter.
        shorter = begun.n_updates / self.per_epoch
        trials = tuple(replace(t, eta_decay=t.eta_decay * shorter) for t in self.plan.trials)
        plan = replace(self.plan, training=training, trials=trials)
        return _parameters(plan, train(plan, self.first, begun, 1)[0])


@dataclass(frozen=True, slots=True)
class _Begun:
    """The first batches of a training alone, in their order: to be trained on without shuffling.

    The trainer hands out weights at the ends of trainings only, where it measures all samples. Of
    the whole training set that would take longer than the updates.
    """

    n_updates: int
    x_train: Array
    y_train: Labels
    x_validation: Array
    y_validation: Labels
    sample_shape: tuple[int, ...]


def _begun(plan: CohortPlan, data: Samples, n_steps: int) -> list[_Begun]:
    """Return what the first updates are made on: the first, the first two, and so on."""
    n_steps = min(n_steps, plan.training.n_updates)
    batches = list(islice(_batches(plan, 0, data), n_steps))
    return [
        _Begun(
            n,
            np.concatenate([x for x, _ in batches[:n]]),
            np.concatenate([labels for _, labels in batches[:n]]),
            data.x_validation[:1],
            data.y_validation[:1],
            data.sample_shape,
        )
        for n in range(1, len(batches) + 1)
    ]


def _parameters(plan: CohortPlan, state: CohortState) -> dict[str, Array]:
    trials: list[Parameters] = []
    for slot in range(len(plan.trials)):
        done = state.finished.get(slot)
        row = [state.slots.index(slot)] if done is None else []
        trials.append(state.parameters.rows(row) if done is None else done.parameters)
    named = [dict(parameters.names()) for parameters in trials]
    return {name: np.concatenate([one[name] for one in named]) for name in named[0]}


def _nudged(plan: CohortPlan, per_epoch: int) -> _Own:
    """Return trainings whose first weights are a rounding unit of their layer's largest away."""
    several = replace(plan, trials=plan.trials * N_NUDGED)
    first = initial_state(several)
    rng = np.random.default_rng(plan.seed)
    for weights in first.parameters.weights:
        # Weights of 0 have no size of their own: take that of small first weights.
        unit = np.finfo(plan.dtype).eps * (float(np.abs(weights).max()) or 0.01)
        nudges = (unit * rng.choice([-1.0, 1.0], weights.shape)).astype(plan.dtype)
        np.add(weights, nudges, out=weights)
    return _Own(several, first, per_epoch)


def _batches(plan: CohortPlan, epoch: int, data: Samples) -> Iterator[tuple[Array, Labels]]:
    """Yield the batches of an epoch, cut here anew: the samples of the k-th are k B … (k + 1) B."""
    size, n_train = plan.training.batch_size, len(data.y_train)
    order = np.arange(n_train)
    if plan.training.shuffle:
        plan.generator(ORDER, epoch).shuffle(order)
    stop = n_train // size * size if plan.training.drop_last else n_train
    for start in range(0, stop, size):
        rows = order[start : min(start + size, stop)]
        yield data.x_train[rows], data.y_train[rows]


def _theirs(plan: CohortPlan, side: Side, data: Samples) -> Measures:
    """Return what the other side makes of all samples."""
    penalty = plan.trials[0].l2_strength * side.squared_weights()
    values = []
    for x, labels in ((data.x_train, data.y_train), (data.x_validation, data.y_validation)):
        loss, n_right = 0.0, 0
        for start in range(0, len(labels), _BLOCK):
            rows = slice(start, start + _BLOCK)
            of_block = side.measured(np.array(x[rows]), np.array(labels[rows]))
            loss, n_right = loss + of_block[0], n_right + of_block[1]
        values.append((loss / len(labels), n_right / len(labels)))
    (train_loss, train_accuracy), (validation_loss, validation_accuracy) = values
    return Measures(
        train_loss=train_loss,
        train_cost=train_loss + penalty,
        train_accuracy=train_accuracy,
        validation_loss=validation_loss,
        validation_cost=validation_loss + penalty,
        validation_accuracy=validation_accuracy,
    )


def _ours(row: EpochRow) -> Measures:
    return Measures(
        train_loss=row.train_loss,
        train_cost=row.train_cost,
        train_accuracy=row.train_accuracy,
        validation_loss=row.validation_loss,
        validation_cost=row.validation_cost,
        validation_accuracy=row.validation_accuracy,
    )


class _Judge:
    """Says what rounding may have done, from how far it has carried the nudged trainings."""

    def __init__(self, unit: float, n_train: int, n_validation: int) -> None:
        self._unit = unit
        self._samples = {"train_accuracy": n_train, "validation_accuracy": n_validation}
        self._carried: dict[str, float] = {}

    def _rounding(self, name: str, now: float) -> float:
        """Return how far rounding has carried something so far, now included."""
        now = now if math.isfinite(now) else math.inf
        self._carried[name] = max(self._carried.get(name, 0.0), now)
        return self._carried[name]

    def weights(
        self,
        update: int,
        eta: float | None,
        ours: dict[str, Array],
        nudged: dict[str, Array],
        side: Side,
    ) -> Comparison:
        """Return how the parameters compare.

        Args:
            update: Updates made.
            eta: η of the last of them.
            ours: (1, …) by name.
            nudged: (T, …) by name.
            side: The other framework, after as many updates.
        """
        theirs = side.parameters()
        differences = {name: _apart(ours[name][0], theirs[name]) for name in ours}
        name = max(differences, key=lambda n: _by_size(differences[n]))
        size = max(float(np.abs(array).max()) for array in ours.values())
        carried = max((_apart(ours[n], nudged[n]) for n in ours), key=_by_size)
        allowed = SLACK * max(self._unit * size, self._rounding("weights", carried))
        agrees: bool | None
        gone = not all(np.isfinite(array).all() for array in theirs.values())
        if differences[name] == 0 or (gone and not math.isfinite(size)):
            agrees = True
        elif not allowed <= MEANINGLESS * size:
            agrees = None
        else:
            agrees = differences[name] <= allowed
        return Comparison(update, eta, differences[name], name, size, allowed, agrees)

    def epoch(
        self,
        weights: Comparison,
        ours: dict[int, list[EpochRow]],
        nudged: dict[int, list[EpochRow]],
        theirs: Measures,
    ) -> Epoch:
        """Return how the measures compare, too; epoch 0 is the first row of the first epoch."""
        at = 0 if weights.update == 0 else -1
        row = ours[0][at]
        found, differing = _ours(row), []
        others = [_ours(rows[at]) for rows in nudged.values()]
        for name in Measures.__dataclass_fields__:
            value, of_theirs = getattr(found, name), getattr(theirs, name)
            apart = [abs(value - getattr(other, name)) for other in others]
            carried = self._rounding(name, max(apart, key=_by_size))
            if name in self._samples:
                # Half a sample on top, so that the rounding of a quotient does not count.
                allowed = max((SAMPLES + 0.5) / self._samples[name], 10 * carried)
            else:
                allowed = SLACK * max(self._unit * max(1.0, abs(value)), carried)
            both_gone = not (math.isfinite(value) or math.isfinite(of_theirs))
            if weights.agrees and not both_gone and not abs(value - of_theirs) <= allowed:
                differing.append(name)
        return Epoch(row.epoch, weights, found, theirs, tuple(differing))


def _apart(first: Array, second: Array) -> float:
    """Return the largest absolute difference; NaN where anything is not finite."""
    largest = float(np.abs(first - second).max())
    return largest if math.isfinite(largest) else math.nan


def _by_size(value: float) -> tuple[bool, float]:
    """Sort NaN after all numbers."""
    return math.isnan(value), value
