"""Learning-rate schedules: η of every trial at every update."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from coarsefine.models.specs import Hyperparameters

Steps = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]


def _column(trials: Sequence[Hyperparameters], name: str) -> Rates:
    return np.array([getattr(trial, name) for trial in trials], dtype=np.float64)


def constant(steps: Steps, trials: Sequence[Hyperparameters]) -> Rates:
    """Return η = ``learning_rate`` at all steps."""
    return np.broadcast_to(_column(trials, "learning_rate"), (steps.size, len(trials)))


def step(steps: Steps, trials: Sequence[Hyperparameters]) -> Rates:
    """Return ``learning_rate``, times ``step_factor`` after each ``step_every`` updates."""
    periods = steps[:, None] // _column(trials, "step_every")
    return np.asarray(
        _column(trials, "learning_rate") * _column(trials, "step_factor") ** periods,
        dtype=np.float64,
    )


def cyclical(steps: Steps, trials: Sequence[Hyperparameters]) -> Rates:
    """Return η on a triangle between ``eta_min`` and ``eta_max``.

    Rising for ``half_cycle`` updates, falling for as many, and again: Smith, Cyclical Learning
    Rates for Training Neural Networks (2017), section 3.1.
    """
    half_cycle = _column(trials, "half_cycle")
    low, high = _column(trials, "eta_min"), _column(trials, "eta_max")
    position = steps[:, None] / half_cycle
    # The distance to the nearest even number: 0 at the start of a cycle, 1 at its middle.
    height = 1 - np.abs(position % 2 - 1)
    return np.asarray(low + height * (high - low), dtype=np.float64)


def geometric(steps: Steps, trials: Sequence[Hyperparameters]) -> Rates:
    """Return η rising by the same factor at each update, from ``eta_min`` to ``eta_max``.

    Reached after ``half_cycle`` updates, and kept. It is the learning-rate range test of Smith
    (2017), section 3.3, but for its shape: his rises linearly, which spends nearly all updates on
    the last decade.
    """
    half_cycle = _column(trials, "half_cycle")
    low, high = _column(trials, "eta_min"), _column(trials, "eta_max")
    position = np.minimum(steps[:, None] / half_cycle, 1.0)
    return np.asarray(low * (high / low) ** position, dtype=np.float64)


SCHEDULES: dict[str, Callable[[Steps, Sequence[Hyperparameters]], Rates]] = {
    "constant": constant,
    "step": step,
    "cyclical": cyclical,
    "geometric": geometric,
}


def learning_rates(
    schedule: str, first: int, stop: int, trials: Sequence[Hyperparameters]
) -> Rates:
    """Return η for updates ``first`` … ``stop - 1``, counted from 0.

    Returns:
        Shape (stop - first, T).
    """
    return SCHEDULES[schedule](np.arange(first, stop), trials)
