"""Values and ranges of parameters as Optuna takes them."""

import math
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

FinalState = Literal["complete", "diverged", "pruned", "failed"]

UUID: Final = "uuid"
"""Attribute of a study (our stage) and of a trial (our trial): Optuna's ids are reused."""

STATE: Final = "state"
"""Attribute of a failed trial: whether it diverged."""

ENDED: Final = frozenset({"seconds", STATE})
"""Attributes of a trial that this program states before it ends one, for good."""

_SNAP: Final = 1e-9


class Range(NamedTuple):
    """Where a number may lie; of integers if both ends are."""

    low: float
    high: float
    log: bool = False


class Choices(NamedTuple):
    """What a parameter may be; must be the same for all trials of a stage."""

    values: tuple[str | int | float | bool | None, ...]


def distribution_of(where: Range | Choices) -> BaseDistribution:
    """Return Optuna's distribution of a range or of choices."""
    if isinstance(where, Choices):
        return CategoricalDistribution(where.values)
    if isinstance(where.low, int) and isinstance(where.high, int):
        return IntDistribution(where.low, where.high, log=where.log)
    return FloatDistribution(float(where.low), float(where.high), log=where.log)


def inside(value: Any, where: Range | Choices) -> Any:
    """Return ``value``, or the end of its range if it is past it by rounding only."""
    if isinstance(where, Range):
        for end in (where.low, where.high):
            if value != end and math.isclose(value, end, rel_tol=_SNAP):
                return end
    return value


def plain(value: Any) -> Any:
    """Return ``value`` with Python's numbers for NumPy's, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


_STATES: Final = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


@dataclass(frozen=True, slots=True)
class End:
    """How a trial ended, as Optuna has it.

    Attributes:
        value: Mean validation accuracy; of a pruned trial the last point of its curve.
        attributes: JSON.
        points: Of its curve, by step.
    """

    state: TrialState
    value: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    points: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        state: FinalState,
        value: float | None,
        attributes: Mapping[str, Any] | None = None,
        curve: Mapping[int, float] | None = None,
    ) -> Self:
        """Return the end of a trial of ours: as arguments of ``OptunaStage.finish``.

        Raises:
            ValueError: If the value of a complete trial is not finite.
        """
        if state == "complete" and (value is None or not math.isfinite(value)):
            raise ValueError(f"a complete trial needs a finite value, got {value}")
        points = {int(s): float(v) for s, v in (curve or {}).items() if math.isfinite(v)}
        shown = plain(attributes or {})
        if state not in _STATES:
            shown[STATE] = state
        if state == "pruned":  # Optuna's convention
            value = points[max(points)] if points else None
        kept = None if value is None or state not in _STATES else float(value)
        return cls(_STATES.get(state, TrialState.FAIL), kept, shown, points)


@contextmanager
def quiet() -> Generator[None]:
    """Keep Optuna's notes about itself off the user's screen."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def uuid_of(trial: FrozenTrial) -> str | None:
    """Return a trial's UUID of ours; attributes can be anything, whoever set them."""
    uuid = trial.user_attrs.get(UUID)
    return uuid if isinstance(uuid, str) else None
