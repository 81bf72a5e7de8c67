"""What a user asks of a stage, whether on a command line, in Python or in a lab file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coarsefine.hints import option
from coarsefine.studies.errors import SpaceError, did_you_mean
from coarsefine.studies.planning.pruning import PRUNERS
from coarsefine.studies.planning.races import Race
from coarsefine.studies.spaces.dimensions import Dimension, Value
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.search import SearchKind

# Which trials get more seeds.
ONLY = ("tied", "all")
SAMPLERS = ("grid", "random", "qmc", "tpe", "gp")
# Those that learn from what trials came to, and so propose a few at a time.
ADAPTIVE = ("tpe", "gp")
EQUAL = ("epochs", "updates")
# A plan is made and stored whole: more trials than anyone can look at would take hours to plan.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class StageRequest:
    """What the user asks of a stage; ``None`` leaves it to the stage or the search.

    Attributes:
        n_trials: How many trials the stage should have in the end.
        values: The values to try, in place of a sampler's; of a search over one parameter.
        low: Lower end of the range; of a search over one parameter.
        high: Upper end of the range; of a search over one parameter.
        dimensions: Ranges and values by parameter, in place of ``values``, ``low`` and ``high``.
        sampler: One of ``SAMPLERS``.
        replicates: Seeds that each trial is trained with.
        race: In place of ``replicates``, the race over seeds that decides them.
        race_if_quick: Whether values of a new search are raced where that takes a few seconds.
        only: Which of the trials that are there get more seeds; one of ``ONLY``. ``None`` is those
            of ``values``, or the tied ones.
        prune: ``halving`` stops trials that are far behind; one of ``PRUNERS``.
        alone: Whether trials are trained one after another, to be timed.
        equal: Whether all trials make equal ``epochs`` or ``updates``.
        fresh: Train what was trained before, too.
        lab: The file or preset of the lab that asks, as it was named.
    """

    n_trials: int | None = None
    values: tuple[Value, ...] | None = None
    low: float | None = None
    high: float | None = None
    dimensions: tuple[Dimension, ...] = ()
    sampler: str | None = None
    replicates: int | None = None
    race: Race | None = None
    race_if_quick: bool = False
    only: str | None = None
    prune: str | None = None
    alone: bool | None = None
    equal: str | None = None
    fresh: bool = False
    lab: str = ""

    def __post_init__(self) -> None:
        for name in ("n_trials", "replicates"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MOST:
                raise SpaceError(f"{name.removeprefix('n_')} must be 1 … {MOST:,}, got {value:,}")
        for name, choices in (
            *(("prune", PRUNERS), ("sampler", SAMPLERS)),
            *(("equal", EQUAL), ("only", ONLY)),
        ):
            choice = getattr(self, name)
            if choice is not None and choice not in choices:
                raise SpaceError(
                    f"{name} must be one of {', '.join(choices)}, got {choice!r}"
                    f"{did_you_mean(choice, choices)}"
                )
        if self.only is not None and self.replicates is None:
            how_many = option("replicates")
            raise SpaceError(f"only {self.only} needs a number of seeds: state ", how_many)
        others = (self.n_trials, self.sampler, self.low, self.high)
        if self.values is not None and any(other is not None for other in others):
            raise SpaceError(
                "a stage has either values, or a number of trials, a sampler and a range; got both"
            )

    @property
    def n_first_seeds(self) -> int | None:
        """Return how many seeds new trials get at first; ``None`` leaves it to the search."""
        return self.replicates if self.race is None else self.race.least

    @property
    def names_values(self) -> bool:
        """Return whether it says what to try, value by value or as ranges."""
        given = (self.values, self.low, self.high)
        return bool(self.dimensions) or any(each is not None for each in given)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a user wants a search to look, by parameter; what is not named is left to the search.

    Attributes:
        values: What to try, in place of a range.
        low: Lower ends of ranges.
        high: Upper ends of ranges.
    """

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)


def stage_request(kind: SearchKind, wanted: Wanted, **options: Any) -> StageRequest:
    """Return what is asked of a stage.

    Args:
        kind: The search.
        wanted: Where it is to look.
        options: Attributes of ``StageRequest`` that are no values and no ranges.

    Raises:
        SpaceError: If these are no such values, ranges or options.
    """
    values = {
        dimension.name: tuple(dimension.parameter.checked(v) for v in wanted.values[dimension.name])
        for dimension in kind.dimensions
        if dimension.name in wanted.values
    }
    if len(kind.dimensions) == 1:
        (name,) = (dimension.name for dimension in kind.dimensions)
        return StageRequest(
            values=values.get(name), low=wanted.low.get(name), high=wanted.high.get(name), **options
        )
    dimensions = []
    for dimension in kind.dimensions:
        name, usual = dimension.name, dimension.range
        if name in values:
            dimensions.append(Dimension(dimension.parameter, values=values[name]))
        elif name in wanted.low or name in wanted.high:
            assert usual is not None  # noqa: S101  # searches over several parameters have ranges
            low, high = wanted.low.get(name, usual.low), wanted.high.get(name, usual.high)
            dimensions.append(dimension.with_range(LogRange(low, high)))
    return StageRequest(dimensions=tuple(dimensions), **options)


def n_points(kind: SearchKind, request: StageRequest) -> int:
    """Return about how many trials a request has planned at a time."""
    if request.values is not None:
        return len(request.values)
    named = {dimension.name: dimension for dimension in request.dimensions}
    dimensions = [named.get(dimension.name, dimension) for dimension in kind.dimensions]
    if all(dimension.values is not None for dimension in dimensions):
        return math.prod(len(dimension.values or ()) for dimension in dimensions)
    return request.n_trials or max(kind.n_coarse, kind.n_fine)


def layers_of(hidden: Sequence[int], numbers: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return hidden layers, each as wide as the first of ``hidden``, as many as each number says.

    >>> layers_of((30, 20), [0, 1, 2])
    ((), (30,), (30, 30))
    """
    width = tuple(hidden[:1]) or (50,)
    return tuple(width * number for number in numbers)
