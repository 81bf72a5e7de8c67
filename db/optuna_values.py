"""Values and ranges of parameters as Optuna takes them."""

import math
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

UUID: Final = "uuid"
"""Attribute of a study (our stage) and of a trial (our trial): Optuna's ids are reused."""

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
