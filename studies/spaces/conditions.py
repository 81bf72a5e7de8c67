"""Parameters that are used only where a choice of the same search has certain values.

μ means nothing to plain gradient descent: where the optimizer is a choice, too, μ is varied when
that is momentum. A point without a use for a parameter has no value of it: ``None``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from coarsefine.studies.errors import SpaceError, did_you_mean
from coarsefine.studies.spaces.dimensions import Dimension, parameter, shown
from coarsefine.studies.spaces.seen import same_value

# The values of a dimension that no point of a stage has a use for.
UNUSED: Final[tuple[Any, ...]] = (None,)


def is_used(dimension: Dimension, point: Mapping[str, Any]) -> bool:
    """Return whether a point has a use for a dimension."""
    return all(
        any(same_value(point.get(name), value) for value in values)
        for name, values in dimension.when
    )


def with_used(dimensions: Sequence[Dimension], point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a point with ``None`` for whatever it has no use for."""
    used = {d.name: is_used(d, point) for d in dimensions}
    return {name: value if used.get(name, True) else None for name, value in point.items()}


def settled(dimension: Dimension, point: Mapping[str, Any]) -> Dimension:
    """Return a dimension where all choices are those of a point: always used, or without a value.

    Args:
        dimension: With a condition or without.
        point: A value of each choice.
    """
    if not dimension.when:
        return dimension
    if is_used(dimension, point):
        return replace(dimension, when=())
    return Dimension(dimension.parameter, values=UNUSED)


def when_of(stated: Mapping[str, Any]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Return a condition as dimensions have it.

    Args:
        stated: A value of each parameter, or a list of values.

    Raises:
        SpaceError: If there is no such parameter, or it has no such value.

    >>> when_of({"optimizer": "momentum"})
    (('optimizer', ('momentum',)),)
    """
    found = []
    for name, values in stated.items():
        known = parameter(name)
        several = values if isinstance(values, list) else [values]
        checked = [
            known.parse(each) if isinstance(each, str) else known.checked(each) for each in several
        ]
        found.append((known.name, tuple(checked)))
    return tuple(found)


def check_conditions(dimensions: Sequence[Dimension]) -> None:
    """Check that each condition is about a choice that is searched, and can be met.

    Raises:
        SpaceError: If one is not.
    """
    choices = {d.name: d for d in dimensions if not (d.parameter.numeric or d.when)}
    for dimension in dimensions:
        for name, values in dimension.when:
            if name not in choices:
                raise SpaceError(
                    f"{dimension.name} is varied when {name} has some value: {name} must be a "
                    f"choice that is varied, too, at any time{did_you_mean(name, choices)}"
                )
            tried = choices[name].values or ()
            for value in values:
                if not any(same_value(value, each) for each in tried):
                    raise SpaceError(
                        f"{dimension.name} is varied when {name} is {shown(value)}, but {name} is "
                        f"one of {', '.join(map(shown, tried))}"
                    )


def conditions(dimension: Dimension) -> str:
    """Return when a dimension is used, in words; ``""`` for always.

    >>> from dataclasses import replace
    >>> momentum = Dimension(parameter("momentum"), values=(0.5, 0.9))
    >>> conditions(replace(momentum, when=(("optimizer", ("momentum", "nesterov")),)))
    'when optimizer is momentum or nesterov'
    """
    each = [f"{name} is {' or '.join(map(shown, values))}" for name, values in dimension.when]
    return f"when {' and '.join(each)}" if each else ""
