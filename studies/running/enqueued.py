"""Trials that somebody enqueued on Optuna's side, and that become trials of ours.

``study.enqueue_trial`` leaves a waiting trial in Optuna's study of a stage. Whoever holds the
study's lock plans all of them together; those that cannot be trained are failed, with the reason
as an attribute. Before one is planned it is promised a UUID: killed in between, the promise is
made once more.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coarsefine.db.records import StageRecord, TrialRecord, new_uuid
from coarsefine.models.data import PreparedData
from coarsefine.models.errors import ModelError
from coarsefine.studies.errors import SpaceError, StudyError, did_you_mean
from coarsefine.studies.planning.runs import Prepare, recipe_at
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import SEARCHABLE, searched_field, to_data_spec, to_specs
from coarsefine.studies.running.mirror import OptunaMirror
from coarsefine.studies.spaces.dimensions import (
    Dimension,
    Value,
    from_params,
    same_point,
    same_value,
    shown,
)
from coarsefine.studies.spaces.ranges import is_same


class Granted(NamedTuple):
    """Points that were wished for and can be trained, with the UUIDs they were promised."""

    points: list[dict[str, Value]]
    uuids: list[str]


def granted(
    mirror: OptunaMirror,
    stage: StageRecord,
    recipe: Recipe,
    data: PreparedData,
    dimensions: Sequence[Dimension],
    trials: Sequence[TrialRecord],
    prepare: Prepare,
) -> tuple[Granted, list[str]]:
    """Return what is to be planned of the trials that wait, and what is to be said of the others.

    Args:
        mirror: Optuna's side of the stage.
        stage: Whose study is locked.
        recipe: The study's.
        data: Its data.
        dimensions: What the stage varies.
        trials: All that the stage has.
        prepare: Returns other data, where a point asks for any.
    """
    numbers = {trial.uuid: trial.number for trial in trials}
    tried = [(f"trial {trial.position}", from_params(trial.params)) for trial in trials]
    found, said = Granted([], []), []
    for wish in mirror.wishes():
        if not wish.waits:
            continue
        if wish.uuid in numbers and numbers[wish.uuid] in {None, wish.number}:
            continue  # planned already, by whoever was killed before it was taken up
        try:
            point = wished_point(wish.params, dimensions)
            _check_new(point, tried)
            _check_trainable(recipe, dimensions, point, data, prepare)
        except (StudyError, ModelError) as error:
            reason = " ".join(str(error).split())
            mirror.refuse(wish.number, reason)
            said.append(f"{stage.optuna_name}: enqueued trial {wish.number} failed: {reason}")
            continue
        uuid = new_uuid()
        mirror.promise(wish.number, uuid)
        tried.append((f"enqueued trial {wish.number}", point))
        found.points.append(point)
        found.uuids.append(uuid)
    if found.points:
        n = len(found.points)
        said.append(f"{stage.optuna_name}: {n} enqueued trial{'' if n == 1 else 's'} to be trained")
    return found, said


def under_way(mirror: OptunaMirror, trials: Sequence[TrialRecord]) -> bool:
    """Return whether a stage lacks nothing but what was wished for: nobody else is to finish it."""
    wished = {wish.uuid for wish in mirror.wishes()}
    return all(t.uuid in wished for t in trials if t.state in {"planned", "running"})


def wished_point(params: Mapping[str, Any], dimensions: Sequence[Dimension]) -> dict[str, Value]:
    """Return the point of a stage that parameters stand for; they may be anything.

    Raises:
        SpaceError: If they are none of the stage's space.
    """
    names = [dimension.name for dimension in dimensions]
    for name in params:
        if name not in names:
            raise SpaceError(
                f"this stage varies {' and '.join(names)}, got {str(name)[:60]!r}"
                f"{did_you_mean(str(name)[:60], names)}"
            )
    return {d.name: _value(d, params) for d in dimensions}


def _value(dimension: Dimension, params: Mapping[str, Any]) -> Value:
    name, values = dimension.name, dimension.values
    if name not in params:
        if values is not None and len(values) == 1:
            return values[0]
        raise SpaceError(f"a trial of this stage must state {name}")
    given = params[name]
    if not dimension.parameter.numeric:
        for value in values or ():
            # Optuna knows hidden layers as text.
            if same_value(value, given) or (isinstance(value, tuple) and shown(value) == given):
                return value
        raise SpaceError(
            f"{name} must be one of {', '.join(map(shown, values or ()))}, got {_short(given)}"
        )
    ends = (
        [float(value) for value in values or ()]  # type: ignore[arg-type]  # they are numbers
        if dimension.range is None
        else [dimension.range.low, dimension.range.high]
    )
    low, high = min(ends), max(ends)
    rule = f"{name} must lie in {low:g} … {high:g}, got {_short(given)}"
    try:
        number = float(given)
        if isinstance(given, bool | str) or not math.isfinite(number):
            raise SpaceError(rule)
        value = dimension.parameter.checked(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise SpaceError(str(error) if isinstance(error, SpaceError) else rule) from None
    if not (low <= number <= high or is_same(number, low) or is_same(number, high)):
        raise SpaceError(rule)
    return value


def _short(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _check_new(
    point: Mapping[str, Value], tried: Sequence[tuple[str, Mapping[str, Value]]]
) -> None:
    """Raise if a point was tried: it would count as evidence twice."""
    for name, other in tried:
        if same_point(point, other):
            raise SpaceError(f"{name} of this stage is at the same point")


def _check_trainable(
    recipe: Recipe,
    dimensions: Sequence[Dimension],
    point: Mapping[str, Value],
    data: PreparedData,
    prepare: Prepare,
) -> None:
    """Raise what keeps a point from being trained."""
    there = recipe_at(recipe, dimensions, point)
    if recipe.trainer is not None:
        return
    for dimension in dimensions:
        if dimension.name in SEARCHABLE:
            searched_field(recipe, dimension.name)
    wanted = to_data_spec(there)
    n_train = data.n_train if wanted == data.spec else prepare(wanted).n_train
    to_specs(there, data.n_features, data.n_classes, n_train)
