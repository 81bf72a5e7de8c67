"""Learning-rate schedules: η of every trial at every update."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import column
from coarsefine.models.specs import Hyperparameters

Steps = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]


def constant(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return η = ``learning_rate`` at all steps."""
    return np.broadcast_to(column(trials, "learning_rate"), (steps.size, len(trials)))


def step(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return ``learning_rate``, times ``step_factor`` after each ``step_every`` updates."""
    periods = steps[:, None] // column(trials, "step_every")
    return np.asarray(
        column(trials, "learning_rate") * column(trials, "step_factor") ** periods,
        dtype=np.float64,
    )


def cyclical(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return η on triangles between ``eta_min`` and ``eta_max``.

    Rising for ``half_cycle`` updates, falling for as many, and again: Smith, Cyclical Learning
    Rates for Training Neural Networks (2017), section 3.1. Each is ``cycle_factor`` as high as the
    one before, which is his "triangular2" where that is ½.
    """
    half_cycle = column(trials, "half_cycle")
    low, high = column(trials, "eta_min"), column(trials, "eta_max")
    position = steps[:, None] / half_cycle
    # The distance to the nearest even number: 0 at the start of a cycle, 1 at its middle.
    height = 1 - np.abs(position % 2 - 1)
    factor = column(trials, "cycle_factor")
    if np.any(factor != 1):
        height *= factor ** (position // 2)
    return np.asarray(low + height * (high - low), dtype=np.float64)


def exponential(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return ``learning_rate · exp(−k t)``, t in epochs."""
    epochs = steps[:, None] / per_epoch
    decayed = np.exp(-column(trials, "eta_decay") * epochs)
    return np.asarray(column(trials, "learning_rate") * decayed, dtype=np.float64)


def inverse_time(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return ``learning_rate / (1 + k t)``, t in epochs."""
    epochs = steps[:, None] / per_epoch
    return np.asarray(
        column(trials, "learning_rate") / (1 + column(trials, "eta_decay") * epochs),
        dtype=np.float64,
    )


def cosine(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return η falling from ``eta_max`` to ``eta_min`` as half a cosine.

    Reached after ``half_cycle`` updates, and kept: Loshchilov & Hutter, SGDR (2017), eq. 5, without
    restarts.
    """
    low, high = column(trials, "eta_min"), column(trials, "eta_max")
    position = np.minimum(steps[:, None] / column(trials, "half_cycle"), 1.0)
    return np.asarray(low + (high - low) * (1 + np.cos(np.pi * position)) / 2, dtype=np.float64)


def geometric(steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int) -> Rates:
    """Return η rising by the same factor at each update, from ``eta_min`` to ``eta_max``.

    Reached after ``half_cycle`` updates, and kept. It is the learning-rate range test of Smith
    (2017), section 3.3, but for its shape: his rises linearly, which spends nearly all updates on
    the last decade.
    """
    half_cycle = column(trials, "half_cycle")
    low, high = column(trials, "eta_min"), column(trials, "eta_max")
    position = np.minimum(steps[:, None] / half_cycle, 1.0)
    return np.asarray(low * (high / low) ** position, dtype=np.float64)


Schedule = Callable[[Steps, Sequence[Hyperparameters], int], Rates]

SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "inverse-time": inverse_time,
    "cyclical": cyclical,
    "geometric": geometric,
    "cosine": cosine,
}


def rates_at(
    schedule: str, steps: Steps, trials: Sequence[Hyperparameters], per_epoch: int
) -> Rates:
    """Return η at some updates, counted from 0.

    Where there is a warm-up of w updates, η first rises linearly, by ``1/w`` of the schedule's
    first η at each, and the schedule begins after it: Goyal et al., Accurate, Large Minibatch SGD
    (2017), section 2.2.

    Args:
        schedule: By its name.
        steps: (n,).
        trials: T of them.
        per_epoch: Updates an epoch.

    Returns:
        Shape (n, T).
    """
    waits = {trial.warm_up for trial in trials}
    if waits == {0}:
        return SCHEDULES[schedule](steps, trials, per_epoch)
    etas = np.empty((steps.size, len(trials)))
    for wait in waits:
        which = [i for i, trial in enumerate(trials) if trial.warm_up == wait]
        after = np.maximum(steps - wait, 0)
        waiting = np.minimum((steps + 1) / max(wait, 1), 1.0)
        etas[:, which] = SCHEDULES[schedule](after, [trials[i] for i in which], per_epoch)
        etas[:, which] *= waiting[:, None]
    return etas


def learning_rates(
    schedule: str, first: int, stop: int, trials: Sequence[Hyperparameters], per_epoch: int
) -> Rates:
    """Return η for updates ``first`` … ``stop - 1``, counted from 0, (stop - first, T)."""
    return rates_at(schedule, np.arange(first, stop), trials, per_epoch)


def cycle_ends(trial: Hyperparameters, step: int) -> bool:
    """Return whether a cycle of η ends with so many updates made."""
    made = step - trial.warm_up
    return made > 0 and made % (2 * trial.half_cycle) == 0
