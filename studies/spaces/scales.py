"""Ranges on other scales than a logarithmic one: each is the logarithmic scale of something else.

A range of probabilities on the logit scale is one of their odds on the log scale. A linear one is
that of powers of ten whose exponents grow with the value. So one code lays grids, fills gaps and
narrows windows, whatever the scale.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

from coarsefine.studies.errors import SpaceError
from coarsefine.studies.spaces.ranges import LogRange

Scale = Literal["log", "linear", "logit"]
SCALES: Final[tuple[Scale, ...]] = get_args(Scale)

# A linear range is as wide as so many decades: what is a decade elsewhere is a quarter of it.
_LINEAR_DECADES: Final = 4.0


@dataclass(frozen=True)
class ScaledRange(LogRange):
    """All numbers from ``low`` to ``high`` on a linear or logit scale.

    Raises:
        SpaceError: If the ends are not finite, not in order, or not between 0 and 1 on the logit
            scale.

    >>> ScaledRange(0.5, 0.99, "logit").grid(3)
    (0.5, 0.908674751, 0.99)
    >>> ScaledRange(0.0, 0.5, "linear").grid(3)
    (0.0, 0.25, 0.5)
    """

    scale: Scale = "linear"

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise SpaceError(f"{name} must be finite and >= 0, got {value}")
            if self.scale == "logit" and not 0 < value < 1:
                raise SpaceError(
                    f"{name} must be between 0 and 1 on the logit scale, both left out; got {value}"
                )
        if not self.low < self.high:
            raise SpaceError(f"low must be < high, got {self.low} and {self.high}")

    @property
    def log(self) -> LogRange:
        """Return the range on the logarithmic scale that this one is seen as."""
        return LogRange(self.placed(self.low), self.placed(self.high))

    def placed(self, value: float) -> float:
        """Return where a value lies on the logarithmic scale."""
        if self.scale == "logit":
            return value / (1 - value) if value < 1 else math.inf
        try:
            return float(10 ** (_LINEAR_DECADES * (value - self.low) / (self.high - self.low)))
        except OverflowError:
            return math.inf

    def native(self, place: float) -> float:
        """Return the value at a place on the logarithmic scale."""
        if self.scale == "logit":
            value = place / (1 + place)
        else:
            value = self.low + (self.high - self.low) * math.log10(place) / _LINEAR_DECADES
        # Nine digits: places are rounded, too.
        return float(f"{value:.9g}") + 0.0 if abs(value) > 1e-12 else 0.0

    def within(self, window: LogRange) -> "ScaledRange":
        """Return the range of a window on the logarithmic scale."""
        return ScaledRange(self._end(window.low), self._end(window.high), self.scale)

    def _end(self, place: float) -> float:
        for end in (self.low, self.high):
            if math.isclose(place, self.placed(end), rel_tol=1e-12):
                return end
        return max(0.0, self.native(place))

    @property
    def decades(self) -> float:
        """Return the width in powers of ten of what is seen on the logarithmic scale."""
        return self.log.decades

    def position(self, value: float) -> float:
        """Return where ``value`` lies: 0 at ``low``, 1 at ``high``."""
        return self.log.position(self.placed(value))

    def at(self, position: float) -> float:
        """Return the value at ``position`` in [0, 1]; the ends are met exactly."""
        if position <= 0:
            return self.low
        if position >= 1:
            return self.high
        return min(max(self.native(self.log.at(position)), self.low), self.high)


def range_of(low: float, high: float, scale: Scale = "log") -> LogRange:
    """Return a range on a scale.

    Raises:
        SpaceError: If there is none with these ends.
    """
    if scale == "log":
        if low == 0:
            raise SpaceError(f"a log scale has no place for 0, got {low} … {high}; use linear")
        return LogRange(low, high)
    return ScaledRange(low, high, scale)
