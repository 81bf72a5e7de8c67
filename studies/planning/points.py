"""Which points a stage still has to try: decided from what was tried, and from nothing else."""

import importlib.util
import itertools
import math
from collections.abc import Mapping, Sequence

from coarsefine.db.records import TrialRow
from coarsefine.hints import Message, option
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.axes import Axis
from coarsefine.studies.planning.request import ADAPTIVE, StageRequest
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.spaces.conditions import with_used
from coarsefine.studies.spaces.dimensions import (
    Dimension,
    Value,
    from_params,
)
from coarsefine.studies.spaces.gaps import fine_grid
from coarsefine.studies.spaces.seen import Seen, same_value

Point = dict[str, Value]

# By so many values a range, a grid is made closer before its window counts as searched.
_CLOSER = 4
# So many times as many points are proposed where some may be the same.
_SPARE = 4
# How many trials an adaptive sampler proposes before it waits for what comes of them.
ADAPTIVE_BATCH = 4


def next_points(
    stage: Stage, request: StageRequest, tried: Sequence[TrialRow], seed: int
) -> list[Point]:
    """Return the points that are still to be tried, as many as are tried at a time.

    Args:
        stage: What is varied.
        request: What is asked of the stage now.
        tried: All trials of the study, in the order of stages and trials.
        seed: The study's.

    Raises:
        StudyError: If there is no such grid, or the sampler cannot be used here.
    """
    dimensions = stage.dimensions
    check_installed(stage.sampler)
    own = [trial for trial in tried if trial.stage == stage.name]
    points = [from_params(trial.params) for trial in own]
    if request.values is not None and len(dimensions) == 1:
        (one,) = dimensions
        values = (one.parameter.checked(value) for value in request.values)
        return _untried([{one.name: value} for value in values], points)
    if stage.sampler == "values":
        return _untried(_product(dimensions, [d.values or () for d in dimensions]), points)
    missing = (request.n_trials or stage.n_trials) - len(own)
    if missing <= 0:
        return []
    if stage.sampler == "grid":
        return _of_grid(stage, missing, points, [from_params(trial.params) for trial in tried])
    started = _untried([from_params(point) for point in stage.start], points)
    if started and not own:
        return started[:missing]
    return _proposed(stage, own, tried if stage.start else own, missing, seed)


def check_installed(sampler: str) -> None:
    """Check that what a sampler needs is installed.

    Raises:
        StudyError: If it is not.
    """
    if sampler == "gp" and importlib.util.find_spec("torch") is None:
        raise StudyError(
            "a Gaussian process needs PyTorch, which is not installed; get it with: pip install "
            "torch, or use ",
            option("sampler", "tpe"),
        )


def _of_grid(
    stage: Stage, missing: int, own: Sequence[Point], before: Sequence[Point]
) -> list[Point]:
    """Return the points of a grid over one range, or several, that are still to be tried."""
    dimensions = stage.dimensions
    ranges = [d for d in dimensions if d.range is not None]
    if len(ranges) == 1 and all(len(d.values or (0,)) == 1 for d in dimensions):
        return _between(dimensions, ranges[0], missing, [*own, *before])
    return _grid(stage, missing, before, begun=bool(own))


def _proposed(
    stage: Stage, own: Sequence[TrialRow], known: Sequence[TrialRow], missing: int, seed: int
) -> list[Point]:
    """Return what Optuna's sampler proposes after the trials that are known.

    Args:
        stage: What is varied.
        own: Its trials.
        known: What the sampler learns from, and does not propose again.
        missing: How many are to be proposed.
        seed: The study's.
    """
    from coarsefine.db.optuna.sampling import propose

    axes = [Axis.of(dimension) for dimension in stage.dimensions if _is_free(dimension)]
    fixed = {
        d.name: d.values[0] for d in stage.dimensions if d.values is not None and not _is_free(d)
    }
    alike = [t for t in known if all(same_value(t.params.get(n), v) for n, v in fixed.items())]
    n = min(missing, ADAPTIVE_BATCH) if stage.sampler in ADAPTIVE else missing
    # Numbers that are rounded may be the same: more are proposed, so that enough are left.
    some_same = any(axis.is_rounded or axis.dimension.when for axis in axes)
    n_asked = n * (_SPARE if some_same else 1)
    proposals = propose(
        stage.sampler,  # type: ignore[arg-type]
        {axis.dimension.name: axis.where for axis in axes},
        [
            (
                {axis.dimension.name: axis.place(trial.params) for axis in axes},
                trial.validation_accuracy,
                trial.state,
            )
            for trial in alike
        ],
        n_asked,
        seed=seed,
        # How many trials there are names the batch: a resumed search counts the same.
        batch=len(own),
    )
    points = [
        with_used(
            stage.dimensions,
            {**fixed, **{axis.dimension.name: axis.value(point) for axis in axes}},
        )
        for point in proposals
    ]
    if n_asked == n:
        return points
    different = Seen(from_params(trial.params) for trial in alike)
    found: list[Point] = []
    for point in points:
        if point not in different:
            different.add(point)
            found.append(point)
    return found[:n]


def _is_free(dimension: Dimension) -> bool:
    """Return whether a sampler has anything to choose."""
    return dimension.range is not None or len(dimension.values or ()) > 1


def _fixed(dimensions: Sequence[Dimension]) -> Point:
    """Return the value of each dimension that has one only."""
    return {d.name: d.values[0] for d in dimensions if d.values is not None}


def _per_range(dimensions: Sequence[Dimension], n_trials: int) -> int:
    """Return how many values of each range make a grid of at most ``n_trials`` points."""
    n_ranges = sum(d.range is not None for d in dimensions)
    n_choices = math.prod(len(d.values) for d in dimensions if d.values is not None)
    per_range = int((n_trials / n_choices) ** (1 / n_ranges) + 1e-9)
    if per_range < 1:
        raise StudyError(
            f"a grid over {' and '.join(d.name for d in dimensions)} needs at least {n_choices} "
            f"trials, got {n_trials}"
        )
    return per_range


def fewer_points(stage: Stage) -> Message | None:
    """Return that a grid over several ranges has fewer points than were asked for, if so."""
    ranges = [d for d in stage.dimensions if d.range is not None]
    if stage.sampler != "grid" or len(ranges) < 2:
        return None
    counts = [len(d.grid(_per_range(stage.dimensions, stage.n_trials))) for d in stage.dimensions]
    n_points = math.prod(counts)
    if n_points >= stage.n_trials:
        return None
    names = " and ".join(d.parameter.symbol for d in stage.dimensions)
    sides = " x ".join(map(str, counts))
    return Message(
        f"a grid over {names} has {sides} = {n_points} points, {stage.n_trials} were asked for; ",
        option("sampler", "qmc"),
        " tries as many as are asked for",
    )


def _grid(stage: Stage, missing: int, before: Sequence[Point], *, begun: bool) -> list[Point]:
    """Return the points of a grid over several ranges that were not tried.

    Where all were tried, as the corners of a small window, a closer grid has some; of more than are
    missing, some from all over it.
    """
    dimensions = stage.dimensions
    per_range = _per_range(dimensions, stage.n_trials)
    points = _untried(_product(dimensions, [d.grid(per_range) for d in dimensions]), before)
    if points or begun:
        return points
    for closer in range(per_range + 1, per_range + 1 + _CLOSER):
        points = _untried(_product(dimensions, [d.grid(closer) for d in dimensions]), before)
        if points:
            break
    n = min(missing, len(points))
    return [points[(2 * i + 1) * len(points) // (2 * n)] for i in range(n)]


def _product(dimensions: Sequence[Dimension], grids: Sequence[Sequence[Value]]) -> list[Point]:
    names = [d.name for d in dimensions]
    points = (dict(zip(names, values, strict=True)) for values in itertools.product(*grids))
    if not any(d.when for d in dimensions):
        return list(points)
    seen, found = Seen(), []
    for point in points:
        used = with_used(dimensions, point)
        if used not in seen:
            seen.add(used)
            found.append(used)
    return found


def _untried(points: Sequence[Point], tried: Sequence[Mapping[str, Value]]) -> list[Point]:
    seen = Seen(tried)
    return [point for point in points if point not in seen]


def _between(
    dimensions: Sequence[Dimension],
    ranged: Dimension,
    n: int,
    before: Sequence[Mapping[str, Value]],
) -> list[Point]:
    """Return points that cover the one range evenly, together with those measured before."""
    assert ranged.range is not None  # noqa: S101  # it is the one that has one
    fixed = _fixed(dimensions)
    measured = [
        float(point[ranged.name])  # type: ignore[arg-type]
        for point in before
        if all(same_value(point.get(name), value) for name, value in fixed.items())
    ]
    places = [ranged.range.placed(value) for value in measured]
    found = fine_grid(ranged.range.log, n, places)
    values = [ranged.range.native(place) for place in found]
    if ranged.rounds:
        rounded = dict.fromkeys(ranged.rounded(value) for value in values)
        known = [{**fixed, ranged.name: value} for value in measured]
        return _untried([{**fixed, ranged.name: value} for value in rounded], known)
    return [{**fixed, ranged.name: value} for value in values]
