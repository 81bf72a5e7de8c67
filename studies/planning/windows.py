"""The stage that follows another: its ranges are narrowed to where the best values are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from coarsefine.db.records import TrialRow
from coarsefine.hints import Message, option
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.request import SAMPLERS, StageRequest
from coarsefine.studies.planning.stages import Stage, sampler_of
from coarsefine.studies.spaces.conditions import UNUSED
from coarsefine.studies.spaces.dimensions import (
    SEVERAL,
    Dimension,
    Value,
    from_params,
    shown,
    to_params,
)
from coarsefine.studies.spaces.narrowing import Narrowing, ScoredTrial, narrowed
from coarsefine.studies.spaces.ranges import LogRange, is_same
from coarsefine.studies.spaces.refinement import UNKNOWN, Ends
from coarsefine.studies.spaces.scales import range_of
from coarsefine.studies.spaces.search import SearchKind


@dataclass(frozen=True, slots=True)
class Following:
    """A stage that narrows the one before it.

    Attributes:
        warnings: What the user should know of its ranges, a line each.
    """

    stage: Stage
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What decides where a stage looks, beside the scores of trials.

    Attributes:
        tied: UUIDs of the trials that are tied with the best one.
        sizes: The greatest value of parameters that data limit, by name.
        optimum: From where to where the best value of the only number lies.
    """

    tied: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)
    optimum: Ends = UNKNOWN


_NOTHING: Final = Known()
# Where values are named, each lies where it is.
_PLAIN: Final = LogRange(1.0, 2.0)


def next_stage(
    kind: SearchKind,
    name: str,
    parent: Stage,
    request: StageRequest,
    trials: Sequence[TrialRow],
    known: Known = _NOTHING,
) -> Following:
    """Return the stage that looks where the results so far narrow its parent to.

    Args:
        kind: The search.
        name: What the stage is called.
        parent: The stage before it.
        request: What the user wants otherwise.
        trials: All trials of the study up to those of the parent.
        known: What is known of them and of the data.

    Raises:
        StudyError: If a range or values asked for do not hold the best value, or are no narrower.
        SpaceError: If they cannot be searched.
    """
    narrowing = _window(parent, request, trials, known)
    dimensions = narrowing.dimensions
    if request.values is not None and len(dimensions) == 1:
        (dimension,) = dimensions
        values = tuple(dimension.parameter.checked(value) for value in request.values)
        dimensions = (replace(dimension, values=values, range=None),)
    options = parent.run_options
    race = request.race
    prune = request.prune or parent.prune
    if race is None and request.replicates is None and parent.race and prune == "none":
        race = parent.race.asked
    sampler = _sampler(dimensions, request, parent)
    several = sum(d.range is not None for d in dimensions) >= SEVERAL
    stage = Stage(
        name=name,
        dimensions=dimensions,
        sampler=sampler,
        n_trials=request.n_trials or _n_trials(kind, parent),
        run_options=replace(
            options,
            replicates=request.n_first_seeds or (race.least if race else options.replicates),
            alone=options.alone if request.alone is None else request.alone,
        ),
        reason=narrowing.reason,
        prune=prune,
        parent=parent.name,
        race=race,
        start=(to_params(narrowing.best),) if several and sampler != "grid" else (),
        located=parent.located,
    )
    return Following(stage, narrowing.warnings)


def _sampler(dimensions: Sequence[Dimension], request: StageRequest, parent: Stage) -> str:
    """Return how points are chosen: as in the stage before, unless something else is asked for.

    Of several numbers, a sequence that covers them is followed by what learns from it.
    """
    n_ranges = sum(dimension.range is not None for dimension in dimensions)
    if request.sampler is None and n_ranges >= SEVERAL and parent.sampler == "qmc":
        return "tpe"
    if request.sampler is None and n_ranges and parent.sampler in SAMPLERS:
        return parent.sampler
    return sampler_of(dimensions, request)


def _n_trials(kind: SearchKind, parent: Stage) -> int:
    """Return how many trials a stage has: as many as the stage before was asked for, if it was.

    A stage of values has as many as were named, which is no number of trials.
    """
    asked = parent.sampler in SAMPLERS and parent.n_trials not in {kind.n_coarse, kind.n_fine}
    return parent.n_trials if asked else kind.n_fine


def _window(
    parent: Stage, request: StageRequest, trials: Sequence[TrialRow], known: Known
) -> Narrowing:
    """Return what the results leave to be looked at, or the ranges asked for."""
    scored = [
        ScoredTrial(
            from_params(t.params),
            t.validation_accuracy,
            t.validation_loss,
            t.state,
            tied=t.uuid in known.tied,
        )
        for t in trials
    ]
    narrowing = narrowed(parent.dimensions, scored, known.sizes, known.optimum)
    if not request.names_values:
        return narrowing
    asked = tuple(
        _asked(dimension, request, len(parent.dimensions)) for dimension in narrowing.dimensions
    )
    of_parent = [from_params(t.params) for t in trials if t.stage == parent.name]
    for dimension, before in zip(asked, parent.dimensions, strict=True):
        values: list[Any] = [point[dimension.name] for point in of_parent]
        tried = [value for value in values if value is not None]
        _check_narrower(dimension, before, tried, narrowing.best[dimension.name])
    if request.values is not None:
        return narrowing
    return Narrowing(asked, narrowing.best, "the range given")


def _asked(dimension: Dimension, request: StageRequest, n_dimensions: int) -> Dimension:
    """Return a narrowed dimension as the user wants it."""
    given = next((d for d in request.dimensions if d.name == dimension.name), None)
    if dimension.values == UNUSED:
        return dimension
    if given is not None:
        return replace(given, when=())
    if request.values is not None:
        values = tuple(dimension.parameter.checked(value) for value in request.values)
        return replace(dimension, values=values, range=None)
    window = dimension.range
    if window is None or n_dimensions > 1:
        return dimension
    low = window.low if request.low is None else request.low
    high = window.high if request.high is None else request.high
    return dimension.with_range(range_of(low, high, dimension.scale))


def _check_narrower(
    dimension: Dimension, before: Dimension, tried: Sequence[Value], best: Value
) -> None:
    """Check that a range, or the values given in its place, hold the best value and are narrower.

    Args:
        dimension: What is asked for.
        before: The same parameter, as the stage before had it.
        tried: What it tried; values may have been named later.
        best: Of all that was tried so far.
    """
    if not dimension.parameter.numeric or dimension.values == UNUSED:
        return
    given = _numbers(dimension)
    low, high, at = min(given), max(given), float(best)  # type: ignore[arg-type]
    ranged = dimension.range is not None
    what = "a fine range must" if ranged else "fine values must"
    if not (low <= at <= high or is_same(low, at) or is_same(high, at)):
        otherwise = Message("name it, too: what was trained is not trained again")
        if ranged:
            ends = option("low"), " and ", option("high")
            otherwise = Message("leave out ", *ends, " to have it chosen")
        raise StudyError(
            f"{what} hold the best coarse value {shown(best)}, got {low:g} … {high:g}; ", otherwise
        )
    place = (before.range or dimension.range or _PLAIN).placed
    whole = [number for number in (*_numbers(before), *map(float, tried)) if number > 0]  # type: ignore[arg-type]
    coarse = LogRange.spanning(map(place, whole))
    fine = LogRange.spanning(map(place, given))
    if coarse is not None and fine is not None and fine.decades >= coarse.decades:
        raise StudyError(
            f"{what} be narrower than the coarse one, {min(whole):g} … {max(whole):g}, got "
            f"{low:g} … {high:g}"
        )


def _numbers(dimension: Dimension) -> list[float]:
    """Return the ends of a dimension's range, or its values."""
    if dimension.range is not None:
        return [dimension.range.low, dimension.range.high]
    return [float(value) for value in dimension.values or ()]  # type: ignore[arg-type]
