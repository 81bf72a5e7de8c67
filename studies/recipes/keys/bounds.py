"""The natural limits of a number: what a search may propose beyond the values that were tried."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from coarsefine.studies.recipes.keys.kinds import Kind, Real, Size, Whole

Side = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which numbers a value must lie; ends that are not finite, and 0, are no ends.

    Attributes:
        low: Least value.
        high: Greatest value.
        low_open: Whether ``low`` itself is none.
        high_open: Whether ``high`` itself is none.
        zero: Whether 0 is a value, which small ones come close to.
    """

    low: float = 0.0
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    zero: bool = False

    def capped(self, most: float | None) -> "Bounds":
        """Return these bounds, with another greatest value if that is less."""
        if most is None or most >= self.high:
            return self
        return Bounds(self.low, most, self.low_open, zero=self.zero)

    def placed(self, place: Callable[[float], float]) -> "Bounds":
        """Return these bounds as they are seen on another scale."""
        high = place(self.high) if math.isfinite(self.high) else math.inf
        return Bounds(place(self.low), high, self.low_open, self.high_open)

    def beyond(self, end: float, side: Side) -> float | None:
        """Return the number one decade beyond an end of what was tried.

        A bound that is no value itself is come a decade closer to. ``None`` if nothing lies beyond.

        >>> Bounds(0.0, 1.0, high_open=True).beyond(0.9, "high")
        0.99
        >>> Bounds(1.0).beyond(4.0, "low"), Bounds(1.0).beyond(1.0, "low")
        (1.0, None)
        >>> Bounds().beyond(4.0, "high")
        40.0
        """
        bound, is_open = (self.low, self.low_open) if side == "low" else (self.high, self.high_open)
        there = end * (0.1 if side == "low" else 10.0)
        passed = there <= bound if side == "low" else there >= bound
        if passed and bound > 0 and math.isfinite(bound):
            there = bound + (end - bound) / 10 if is_open else bound
        there = float(f"{there:.12g}")
        return None if math.isclose(there, end, rel_tol=1e-6) else there


def bounds_of(kind: Kind) -> Bounds:
    """Return the natural limits of the values of a kind of key.

    >>> bounds_of(Real(least=0, below=1)).high_open, bounds_of(Whole()).low
    (True, 1)
    """
    if isinstance(kind, Real):
        low = kind.above if kind.least is None else kind.least
        high = kind.below if kind.most is None else kind.most
        return Bounds(
            low or 0.0,
            math.inf if high is None else high,
            low_open=kind.least is None,
            high_open=kind.most is None,
            zero=kind.zero_allowed,
        )
    if isinstance(kind, Whole):
        return Bounds(kind.least, kind.most, zero=kind.zero_allowed)
    # Ranges of sizes are of counts.
    return Bounds(1.0) if isinstance(kind, Size) else Bounds()
