"""Trials as Optuna is told of them, in words of its own; Optuna itself is not needed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np

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


_STATES: Final = {"complete": "COMPLETE", "pruned": "PRUNED"}


@dataclass(frozen=True, slots=True)
class End:
    """How a trial ended, as Optuna has it.

    Attributes:
        state: The name of Optuna's state.
        value: Mean validation accuracy; of a pruned trial the last point of its curve.
        attributes: JSON.
        points: Of its curve, by step.
    """

    state: str
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
        return cls(_STATES.get(state, "FAIL"), kept, shown, points)


@dataclass(frozen=True, slots=True)
class OptunaTrial:
    """A trial to be started in Optuna's study.

    Attributes:
        uuid: Ours; a trial that is there already is not started again.
        params: By the names that users know; ``None`` of what the trial has no use for.
        space: Range or choices of each parameter.
        attributes: Shown by the dashboard; JSON.
        end: How it ended, if it has ended before Optuna hears of it.
    """

    uuid: str
    params: Mapping[str, Any]
    space: Mapping[str, Range | Choices]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    end: End | None = None

    @property
    def used(self) -> Mapping[str, Range | Choices]:
        """Return the space without parameters that the trial has no use for."""
        return {n: where for n, where in self.space.items() if self.params[n] is not None}

    @property
    def suggested(self) -> dict[str, Any]:
        """Return its parameters as Optuna takes them: inside their space."""
        return {name: inside(plain(self.params[name]), where) for name, where in self.used.items()}

    @property
    def user_attributes(self) -> dict[str, Any]:
        """Return all attributes that it is written with."""
        ended = {} if self.end is None else self.end.attributes
        return {**plain(self.attributes), **ended, UUID: self.uuid}
