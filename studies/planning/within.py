"""A time that is asked for, and what a stage did not come to within it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from coarsefine.hints import option
from coarsefine.studies.errors import SpaceError

_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TIME: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:s|min|m|h))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h)")
_MOST: Final = 1e8


@dataclass(frozen=True, slots=True)
class Cut:
    """What a stage did not come to within its budget.

    Attributes:
        within: The budget that the user asked for, in seconds.
        n_values: That the stage has so far.
        n_complete: Of them, values with at least one seed trained to its end.
        seeds: That every complete value has at least.
        of_seeds: That are planned for one at the most.
        epoch: The least that a training run of the first seed came to.
        of_epochs: That the longest training has.
        seconds_left: About how long the rest takes.
        best: Where no value is complete, the UUID of the best one at that epoch.
        best_accuracy: Its validation accuracy there, in [0, 1].
        next_seconds: About how long the next seed takes, where every value has one.
        seconds_unused: That were left of the budget.
        n_begun: Further seeds that were begun, where every value has one.
        begun_epoch: The least that these came to.
    """

    within: float
    n_values: int
    n_complete: int
    seeds: int
    of_seeds: int
    epoch: int
    of_epochs: int
    seconds_left: float
    best: str | None = None
    best_accuracy: float | None = None
    next_seconds: float | None = None
    seconds_unused: float = 0.0
    n_begun: int = 0
    begun_epoch: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)

    def shown(self, places: Mapping[str, str]) -> dict[str, Any]:
        """Return it for programs, with the places of trials by their UUIDs."""
        return {**asdict(self), "best": places.get(self.best or "")}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Cut":
        """Return what ``to_json`` gave."""
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})


def seconds_of(asked: str | float) -> float:
    """Return a time in seconds.

    Args:
        asked: Seconds, or a text such as ``90s``, ``20m`` or ``1h30m``.

    Raises:
        SpaceError: If it is no such time, or not above 0.

    >>> seconds_of("1h30m"), seconds_of("90s"), seconds_of(5)
    (5400.0, 90.0, 5.0)
    """
    text = str(asked).strip().lower().replace(" ", "")
    seconds = -1.0
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        seconds = float(asked)
    elif _TIME.fullmatch(text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not 0 < seconds <= _MOST:
        raise SpaceError(
            option("within"), f" must be a time such as 90s, 20m or 1h30m, got {str(asked)[:40]!r}"
        )
    return seconds
