"""Optuna's distributions of our ranges, and what its trials say of ours."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

from coarsefine.db.optuna.trials import UUID, Choices, Range


def distribution_of(where: Range | Choices) -> BaseDistribution:
    """Return Optuna's distribution of a range or of choices."""
    if isinstance(where, Choices):
        return CategoricalDistribution(where.values)
    if isinstance(where.low, int) and isinstance(where.high, int):
        return IntDistribution(where.low, where.high, log=where.log)
    return FloatDistribution(float(where.low), float(where.high), log=where.log)


@contextmanager
def quiet() -> Generator[None]:
    """Keep Optuna's notes about itself off the user's screen."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
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
