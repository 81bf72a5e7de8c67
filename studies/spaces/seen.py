"""Values and points that were seen, found again in a time that does not grow with their number."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from coarsefine.studies.spaces.ranges import SAME, is_same

# Numbers that are the same lie in one drawer or in two that are side by side.
_DRAWER = 2 * SAME


def same_value(a: Any, b: Any) -> bool:
    """Return whether two values are the same, up to rounding."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or is_same(a, b)
    return bool(stored_value(a) == stored_value(b))


def same_point(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether two points have the same values."""
    return a.keys() == b.keys() and all(same_value(value, b[name]) for name, value in a.items())


class Seen:
    """Points, each with its values by name.

    >>> seen = Seen([{"lambda": 0.1, "hidden": (5, 5)}])
    >>> {"lambda": 0.1 + 1e-17, "hidden": [5, 5]} in seen, {"lambda": 0.2, "hidden": (5, 5)} in seen
    (True, False)
    """

    def __init__(self, points: Iterable[Mapping[str, Any]] = ()) -> None:
        """Begin with some points."""
        self._points: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for point in points:
            self.add(point)

    def add(self, point: Mapping[str, Any]) -> None:
        """Count a point as seen."""
        key = tuple((name, _drawer(point[name])) for name in sorted(point))
        self._points.setdefault(key, []).append(point)

    def __contains__(self, point: Mapping[str, Any]) -> bool:
        names = sorted(point)
        drawers = [_beside(_drawer(point[name])) for name in names]
        return any(
            same_point(point, other)
            for key in itertools.product(*drawers)
            for other in self._points.get(tuple(zip(names, key, strict=True)), ())
        )


def first_twice(values: Iterable[Any]) -> Any:
    """Return the first value that is the same as one before it; ``None`` if all differ.

    >>> first_twice([1e-3, 0.1, 0.1]), first_twice([True, 1, (1,)])
    (0.1, None)
    """
    seen = Seen()
    for value in values:
        if {"": value} in seen:
            return value
        seen.add({"": value})
    return None


def _drawer(value: Any) -> Any:
    """Return where a value is kept: a number by its logarithm, anything else by itself."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value > 0 and math.isfinite(value):
            return math.floor(math.log(value) / _DRAWER)
        return str(float(value))
    return repr(stored_value(value))


def _beside(drawer: Any) -> tuple[Any, ...]:
    return (drawer, drawer - 1, drawer + 1) if isinstance(drawer, int) else (drawer,)


def stored_value(value: Any) -> Any:
    """Return a value as JSON has it: widths as a list."""
    return list(value) if isinstance(value, tuple) else value
