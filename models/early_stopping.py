"""When a trial stops before the end: rules that look at its validation losses so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from coarsefine.models.specs import TrainingSpec

Values = npt.NDArray[np.float64]
Which = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of T trials' validation losses.

    Attributes:
        lowest: (T,), the lowest loss so far; infinite before the first evaluation.
        step: (T,), updates made at that evaluation.
        accuracy: (T,), validation accuracy at that evaluation.
        waited: (T,), evaluations in a row since.
        recent: (T, n), the last losses as far as the rule looks back, oldest first; n is 0 where
            it does not.
    """

    lowest: Values
    step: npt.NDArray[np.int64]
    accuracy: Values
    waited: npt.NDArray[np.int64]
    recent: Values

    def rows(self, which: Sequence[int]) -> "Watch":
        """Return a copy of the trials at the positions ``which``."""
        index = np.asarray(which, dtype=np.intp)
        return Watch(**{name: array[index] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that is remembered, by name."""
        return {name: getattr(self, name) for name in Watch.__slots__}

    def seen(self, loss: Values, accuracy: Values, step: int, spec: TrainingSpec) -> "Watch":
        """Return what is remembered after another evaluation."""
        improved = loss < self.lowest
        watch = Watch(
            lowest=np.where(improved, loss, self.lowest),
            step=np.where(improved, step, self.step),
            accuracy=np.where(improved, accuracy, self.accuracy),
            waited=np.where(improved, 0, self.waited + 1),
            recent=self.recent,
        )
        if spec.patience is None or spec.stop_rule != "window":
            return watch
        recent = np.concatenate([self.recent, loss[:, None]], axis=1)
        return replace(watch, recent=recent[:, -(spec.patience + 1) :])

    def stops(self, spec: TrainingSpec) -> Which:
        """Return which trials stop here, (T,)."""
        if spec.patience is None:
            return np.zeros(len(self.lowest), np.bool_)
        return _RULES[spec.stop_rule](self, spec.patience)


def new_watch(n_trials: int) -> Watch:
    """Return what is remembered before the first evaluation."""
    return Watch(
        lowest=np.full(n_trials, np.inf),
        step=np.zeros(n_trials, np.int64),
        accuracy=np.zeros(n_trials),
        waited=np.zeros(n_trials, np.int64),
        recent=np.empty((n_trials, 0)),
    )


def _best(watch: Watch, patience: int) -> Which:
    """Stop after ``patience`` evaluations in a row that were no lower than the lowest before."""
    return np.asarray(watch.waited >= patience)


def _window(watch: Watch, patience: int) -> Which:
    """Stop when the oldest of the last ``patience + 1`` losses is the lowest of them; ties stop.

    NTNU TDT4265's rule, in the variant of its official solution: with exactly ``patience`` losses
    yet, the oldest of those counts, so that it can stop one evaluation sooner than its text says.
    It differs from ``best``, whose patience begins anew at a new lowest loss only: here, any loss
    that is below the oldest in the window keeps a trial going, and one that a later window does
    not hold is forgotten.
    """
    recent = watch.recent
    if recent.shape[1] < patience:
        return np.zeros(len(recent), np.bool_)
    return np.asarray(recent[:, 0] == recent.min(axis=1))


_RULES: dict[str, Callable[[Watch, int], Which]] = {"best": _best, "window": _window}
