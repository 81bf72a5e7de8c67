"""Trials that somebody enqueued on Optuna's side, and that become trials of ours.

``study.enqueue_trial`` leaves a waiting trial in Optuna's study of a stage. Whoever holds the
study's lock plans all of them together; those that cannot be trained are failed, with the reason
as an attribute. Before one is planned a UUID is reserved for it: killed in between, another one is
reserved.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from coarsefine.db.records import StageRecord, TrialRecord, new_uuid
from coarsefine.models.errors import ModelError
from coarsefine.studies.errors import SpaceError, StudyError, did_you_mean
from coarsefine.studies.planning.points import Point
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.running.mirror import OptunaMirror
from coarsefine.studies.spaces.conditions import conditions, is_used
from coarsefine.studies.spaces.dimensions import (
    Dimension,
    Value,
    from_params,
    shown,
)
from coarsefine.studies.spaces.ranges import is_same
from coarsefine.studies.spaces.seen import same_point, same_value
from coarsefine.studies.states import UNFINISHED


class Accepted(NamedTuple):
    """Points that were enqueued and can be trained, with the UUIDs reserved for them."""

    points: list[Point]
    uuids: list[str]


def accepted(
    mirror: OptunaMirror,
    record: StageRecord,
    stage: Stage,
    trials: Sequence[TrialRecord],
    check: Callable[[Point], None],
) -> tuple[Accepted, list[str]]:
    """Return what is to be planned of the trials that wait, and what is to be said of the others.

    Args:
        mirror: Optuna's side of the stage.
        record: The stage, whose study is locked.
        stage: What it varies.
        trials: All that it has.
        check: Raises what keeps a point from being trained.
    """
    numbers = {trial.uuid: trial.number for trial in trials}
    tried = [(f"trial {trial.position}", from_params(trial.params)) for trial in trials]
    found, lines = Accepted([], []), []
    for waiting in mirror.enqueued():
        if not waiting.waits:
            continue
        if waiting.uuid in numbers and numbers[waiting.uuid] in {None, waiting.number}:
            continue  # planned already, by whoever was killed before it was taken up
        try:
            point = enqueued_point(waiting.params, stage.dimensions)
            _check_new(point, tried)
            check(point)
        except (StudyError, ModelError) as error:
            reason = " ".join(str(error).split())
            mirror.refuse(waiting.number, reason)
            lines.append(f"{record.optuna_name}: enqueued trial {waiting.number} failed: {reason}")
            continue
        uuid = new_uuid()
        mirror.reserve(waiting.number, uuid)
        tried.append((f"enqueued trial {waiting.number}", point))
        found.points.append(point)
        found.uuids.append(uuid)
    if found.points:
        n = len(found.points)
        plural = "" if n == 1 else "s"
        lines.append(f"{record.optuna_name}: {n} enqueued trial{plural} to be trained")
    return found, lines


def under_way(mirror: OptunaMirror, trials: Sequence[TrialRecord]) -> bool:
    """Return whether a stage lacks nothing but what was enqueued: nobody else is to finish it."""
    theirs = {trial.uuid for trial in mirror.enqueued()}
    return all(t.uuid in theirs for t in trials if t.state in UNFINISHED)


def enqueued_point(params: Mapping[str, Any], dimensions: Sequence[Dimension]) -> dict[str, Any]:
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
    choices = {d.name: _value(d, params) for d in dimensions if not d.when}
    used = {d.name: is_used(d, choices) for d in dimensions}
    for dimension in dimensions:
        if dimension.name in params and not used[dimension.name]:
            raise SpaceError(f"{dimension.name} is used {conditions(dimension)}: leave it out")
    return {d.name: _value(d, params) if used[d.name] else None for d in dimensions}


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
