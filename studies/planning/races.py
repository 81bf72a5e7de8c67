"""Races over seeds: what is asked of one, and what is decided, as it is stored with its stage."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from coarsefine.db.records import TrialRecord
from coarsefine.hints import option
from coarsefine.studies.errors import SpaceError, StudyError
from coarsefine.studies.metric import metric_named

AUTO: Final = "auto"
OPEN: Final = "open"
_RANGE: Final = re.compile(r"(\d{1,6})\.\.(\d{1,6})")
# Of more values, all pairs of them would take long to look at.
MOST_RACED: Final = 64
_MOST_SEEDS: Final = 200
# So long may a race take at the most to be the default.
QUICK_SECONDS: Final = 6.0


@dataclass(frozen=True, slots=True)
class RaceEnd:
    """How a race ended; what ``evidence.racing.Look`` says, of trials by their UUIDs.

    Attributes:
        end: ``best``, ``close``, ``samples`` or ``seeds``; ``open`` where it goes on.
        best: The best measured trial.
        above: By how much any other may be better, in [0, 1].
        below: By how much any that is left may be worse.
        ahead: By how much the best is better than all others at the least; <= 0 if that is open.
        samples: Validation samples in all that would end it.
        seeds: Seeds that would.
    """

    end: str
    best: str
    above: float
    below: float
    ahead: float
    samples: int | None
    seeds: int | None


@dataclass(frozen=True, slots=True)
class Race:
    """A race over seeds.

    Attributes:
        least: Seeds that all trials get, >= 2.
        most: Seeds that any gets.
        indifference: The largest difference that does not matter, in [0, 1].
        n_trials: Complete trials that the steps are about.
        steps: UUIDs of the trials that left after each number of seeds, from the least on.
        ended: How it ended; ``None`` if it has not.
        stands: What the last look said that did not end it; ``None`` before there was one.
    """

    least: int = 3
    most: int = 20
    indifference: float = 0.005
    n_trials: int = 0
    steps: tuple[tuple[str, ...], ...] = ()
    ended: RaceEnd | None = None
    stands: RaceEnd | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.least <= self.most <= _MOST_SEEDS:
            raise SpaceError(
                option("replicates"),
                f" of a race must be auto, or two numbers from 2 to {_MOST_SEEDS} as in 3..20, got "
                f"{self.least}..{self.most}",
            )
        if not (math.isfinite(self.indifference) and 0 < self.indifference < 1):
            raise SpaceError(
                option("indifference"),
                f" must be above 0 and below 100 points, got {100 * self.indifference:g}",
            )

    @property
    def n_seeds(self) -> int:
        """Return after how many seeds it is looked at next, or was at last if it has ended."""
        return self.least + len(self.steps) - (self.ended is not None)

    @property
    def left(self) -> dict[str, int]:
        """Return the trials that have left, each with its seeds then."""
        return {uuid: self.least + i for i, step in enumerate(self.steps) for uuid in step}

    @property
    def asked(self) -> "Race":
        """Return the race as it was asked for, before its first look."""
        return Race(self.least, self.most, self.indifference)

    def with_step(self, left: Sequence[str], found: RaceEnd) -> "Race":
        """Return the race after one more look; ``open`` does not end it."""
        steps = (*self.steps, tuple(left))
        if found.end == OPEN:
            return replace(self, steps=steps, stands=found)
        return replace(self, steps=steps, ended=found, stands=None)

    def racing(self, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Return the complete trials that have not left."""
        return [t for t in trials if t.state == "complete" and t.uuid not in self.left]

    def of(self, trials: Sequence[TrialRecord]) -> "Race":
        """Return the race of these trials: from its start where others have come, or been lost."""
        n_trials = sum(trial.state == "complete" for trial in trials)
        if n_trials == self.n_trials:
            return self
        return replace(self, n_trials=n_trials, steps=(), ended=None, stands=None)

    def is_quick(self, seconds: float, seeds: Collection[int]) -> bool:
        """Return whether even the last seed is soon trained.

        Args:
            seconds: About how long a core takes to train some of them.
            seeds: These.
        """
        return self.most * seconds <= QUICK_SECONDS * max(1, len(seeds))

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)

    def shown(self, places: Mapping[str, str]) -> dict[str, Any]:
        """Return it for programs, with the places of trials by their UUIDs."""
        ended = None if self.ended is None else asdict(self.ended)
        if ended is not None:
            ended["best"] = places.get(ended["best"])
        return {
            "least": self.least,
            "most": self.most,
            "indifference": self.indifference,
            "seeds": self.n_seeds,
            "left": {places[uuid]: n for uuid, n in self.left.items() if uuid in places},
            "ended": ended,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Race":
        """Return what ``to_json`` gave."""
        looks = {name: stored.get(name) for name in ("ended", "stands")}
        ends = {name: look and RaceEnd(**look) for name, look in looks.items()}
        return cls(**{**stored, "steps": tuple(map(tuple, stored["steps"])), **ends})


def quick_race(n_trials: int, seconds: float) -> Race | None:
    """Return the race that is the default where even its last seed is soon trained.

    Args:
        n_trials: Values that are tried at first.
        seconds: About how long a core takes to train all of them with one seed.
    """
    race = Race()
    return race if 2 <= n_trials <= MOST_RACED and race.is_quick(seconds, [1]) else None


def check_raced(metric: str | None, race: Race | None) -> None:
    """Refuse to race by what is no share of samples: of no difference is it known not to matter.

    Raises:
        StudyError: If that is asked for.
    """
    if race is not None and not metric_named(metric or "accuracy").share:
        raise StudyError(
            f"a race compares shares of samples, this study ranks by {metric}: state a number of ",
            option("replicates"),
        )


def replicates_of(
    asked: str | int | None, indifference: float | None = None
) -> tuple[int | None, Race | None]:
    """Return a number of seeds, or a race, that is asked for.

    Args:
        asked: ``auto``, two numbers as in ``3..20``, or one.
        indifference: In percentage points; ``None`` is the usual one.

    Raises:
        SpaceError: If it is none of these.

    >>> replicates_of("5")[0], replicates_of("3..8")[1].most, replicates_of(None)
    (5, 8, (None, None))
    """
    text = str(asked).strip()
    delta = Race().indifference if indifference is None else indifference / 100
    if (found := _RANGE.fullmatch(text)) or text == AUTO:
        least, most = (int(found[1]), int(found[2])) if found else (Race().least, Race().most)
        return None, Race(least, most, delta)
    if indifference is not None:
        raise SpaceError(option("indifference"), " is for a race: add ", option("replicates", AUTO))
    if asked is None:
        return None, None
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise SpaceError(
            option("replicates"), f" must be a number, auto or as in 3..20, got {text[:40]!r}"
        )
    return int(text), None
