"""The learning-rate range test: one pass with η rising, and what the loss makes of it.

Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3: train for some
epochs while η rises from a value at which nothing happens to one at which training breaks down; a
cycle goes from where accuracy begins to rise to where it no longer does. Smith's η rises linearly;
here it rises geometrically, so that each decade gets equally many updates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coarsefine.models.batch_norm import KEPT
from coarsefine.models.cohort import ORDER, CohortPlan, initial_state
from coarsefine.models.evaluation import count_right
from coarsefine.models.losses import LOSSES, class_weights, targets
from coarsefine.models.network import Network
from coarsefine.models.perturbations import perturbations_of
from coarsefine.models.training import Samples
from coarsefine.models.updaters import make_updater

Numbers = Sequence[float] | npt.NDArray[np.float64]

# A smoothed loss so many times its first is a training that has broken down.
BROKEN = 4.0
# Share of updates that the smoothed loss is a mean over.
_WINDOW = 0.04


@dataclass(frozen=True, slots=True)
class RangeTest:
    """What came of a range test; all arrays are by update, (n,).

    Attributes:
        etas: η of the update.
        losses: Mean loss of the batch before the update, penalty not counted.
        accuracies: Accuracy on the batch before the update, in [0, 1].
        smoothed: The losses, averaged over neighbouring updates.
        eta_min: Where a tenth of the fall of the smoothed loss was made; ``None`` if it never fell.
        eta_max: Where nine tenths of it were made.
        broke_at: η at which training broke down; ``None`` if it did not.
    """

    etas: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    accuracies: npt.NDArray[np.float64]
    smoothed: npt.NDArray[np.float64]
    eta_min: float | None
    eta_max: float | None
    broke_at: float | None


def range_test(
    plan: CohortPlan, data: Samples, low: float, high: float, n_updates: int
) -> RangeTest:
    """Return the losses of one training while η rises geometrically from ``low`` to ``high``.

    Args:
        plan: Of one trial; its schedule and length play no part.
        data: Trained on; the validation split is not looked at.
        low: First η; ``> 0``.
        high: Last η; ``> low``.
        n_updates: How many updates, unless training breaks down before.
    """
    etas = np.geomspace(low, high, n_updates)
    with np.errstate(all="ignore"):
        losses, accuracies = _trained(plan, data, etas)
    return judged(etas[: len(losses)], losses, accuracies)


def judged(etas: Numbers, losses: Numbers, accuracies: Numbers) -> RangeTest:
    """Return where the loss began to fall, where it had fallen, and where it broke down."""
    values = np.asarray(losses, dtype=np.float64)
    rates = np.asarray(etas, dtype=np.float64)
    smoothed = _smoothed(values, max(1, round(_WINDOW * len(values))))
    first = float(smoothed[0])
    broken = np.flatnonzero(~(smoothed <= BROKEN * first))
    n_well = int(broken[0]) if len(broken) else len(values)
    well = smoothed[:n_well]
    eta_min = eta_max = None
    if n_well and float(well.min()) < 0.9 * first:
        lowest = int(well.argmin())
        fall = first - float(well[lowest])
        # The first update at which so much of the fall was made.
        made = np.maximum.accumulate(first - well[: lowest + 1])
        eta_min = float(rates[int(np.argmax(made >= 0.1 * fall))])
        eta_max = float(rates[int(np.argmax(made >= 0.9 * fall))])
    return RangeTest(
        etas=rates,
        losses=values,
        accuracies=np.asarray(accuracies, dtype=np.float64),
        smoothed=smoothed,
        eta_min=eta_min,
        eta_max=eta_max,
        broke_at=float(rates[n_well]) if n_well < len(values) else None,
    )


def _smoothed(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Return centred means over ``window`` neighbours, fewer at the ends."""
    finite = np.where(np.isfinite(values), values, math.inf)
    half = window // 2
    return np.array(
        [finite[max(0, i - half) : i + half + 1].mean() for i in range(len(finite))],
        dtype=np.float64,
    )


def _trained(
    plan: CohortPlan, data: Samples, etas: npt.NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Return loss and accuracy of each batch before its update, until they break down."""
    spec, state = plan.training, initial_state(plan)
    parameters = state.parameters
    updater = make_updater(
        spec.optimizer,
        parameters,
        state.optimizer,
        plan.trials,
        bias_row=plan.network.bias_row,
    )
    n_train, size = len(data.y_train), spec.batch_size
    per_epoch = n_train // size
    network = Network(plan.network, 1, size, plan.dtype)
    loss = LOSSES[plan.network.loss]
    classes = targets(plan.network.n_classes, plan.trials, plan.dtype)
    weights = class_weights(spec.class_weights, data.y_train, plan.network.n_classes)
    losses: list[float] = []
    accuracies: list[float] = []
    order = np.arange(n_train)
    perturbations = perturbations_of(plan, 0, data.sample_shape)
    updater.plan(0, etas[:, None], np.full(len(etas), size))
    for i in range(len(etas)):
        epoch, batch = divmod(i, per_epoch)
        if batch == 0:
            order = np.arange(n_train)
            if spec.shuffle:
                plan.generator(ORDER, epoch).shuffle(order)
            perturbations = perturbations_of(plan, epoch, data.sample_shape)
        rows = order[batch * size : (batch + 1) * size]
        x, labels = data.x_train[rows], data.y_train[rows]
        masks = None
        if perturbations is not None:
            perturbations.change(x)
            masks = perturbations.masks(plan.trials, size)
        scores = network.forward(parameters, x, updater.scale, masks, KEPT if i else 0.0)
        accuracies.append(float(count_right(scores, labels)[0]) / size)
        total = loss.measured_backward(scores, np.take(classes, labels, axis=-1), labels)
        losses.append(float(total[0]) / size)
        if not losses[-1] <= 10 * BROKEN * max(losses[0], 1e-12):
            break
        if weights is not None:
            scores *= weights[labels].astype(plan.dtype)
        scores *= updater.begin(i)
        for layer, delta, below, norm in network.backward(parameters, x, scores):
            updater.apply(layer, delta, below, norm)
    return losses, accuracies
