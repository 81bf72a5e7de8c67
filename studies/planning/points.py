"""Which points a stage still has to try: decided from what was tried, and from nothing else."""

import itertools
import math
from collections.abc import Mapping, Sequence

from coarsefine.db.records import TrialRow
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.spaces.dimensions import (
    Dimension,
    Value,
    from_params,
    same_point,
    same_value,
)
from coarsefine.studies.spaces.ranges import is_same
from coarsefine.studies.spaces.refinement import fine_grid

Point = dict[str, Value]

# How many trials TPE proposes before it waits for what comes of them.
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
        StudyError: If there is no such grid.
    """
    dimensions = stage.dimensions
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
        before = [from_params(trial.params) for trial in tried]
        ranges = [d for d in dimensions if d.range is not None]
        if len(ranges) == 1 and all(len(d.values or (0,)) == 1 for d in dimensions):
            return _between(dimensions, ranges[0], missing, [*points, *before])
        per_range = _per_range(dimensions, stage.n_trials)
        grids = [d.grid(per_range) for d in dimensions]
        return _untried(_product(dimensions, grids), before)
    return _proposed(stage, own, missing, seed)


def _proposed(stage: Stage, own: Sequence[TrialRow], missing: int, seed: int) -> list[Point]:
    """Return what Optuna's sampler proposes after the stage's own trials."""
    from coarsefine.db.optuna_sampling import propose
    from coarsefine.db.optuna_values import Range

    space = {}
    for dimension in stage.dimensions:
        if dimension.range is None:
            continue
        low, high = dimension.range.low, dimension.range.high
        if not dimension.parameter.continuous:
            low, high = max(1, round(low)), max(1, round(high))
        space[dimension.name] = Range(low, high, log=True)
    proposals = propose(
        stage.sampler,  # type: ignore[arg-type]
        space,
        [(trial.params, trial.validation_accuracy, trial.state) for trial in own],
        min(missing, ADAPTIVE_BATCH) if stage.sampler == "tpe" else missing,
        seed=seed,
        # How many trials there are names the batch: a resumed search counts the same.
        batch=len(own),
    )
    return [{**_fixed(stage.dimensions), **point} for point in proposals]


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


def _product(dimensions: Sequence[Dimension], grids: Sequence[Sequence[Value]]) -> list[Point]:
    names = [d.name for d in dimensions]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*grids)]


def _untried(points: Sequence[Point], tried: Sequence[Mapping[str, Value]]) -> list[Point]:
    return [point for point in points if not any(same_point(point, other) for other in tried)]


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
    values = fine_grid(ranged.range, n, measured)
    if not ranged.parameter.continuous:
        rounded = dict.fromkeys(ranged.rounded(value) for value in values)
        return [
            {**fixed, ranged.name: value}
            for value in rounded
            if not any(is_same(float(value), other) for other in measured)  # type: ignore[arg-type]
        ]
    return [{**fixed, ranged.name: value} for value in values]
