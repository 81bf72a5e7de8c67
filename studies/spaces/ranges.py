"""What a parameter may be: ranges on a log scale, and lists of values."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from coarsefine.studies.errors import SpaceError
from coarsefine.studies.recipes.keys.kinds import number_of

# Two values closer than this, relatively, are the same value.
SAME = 1e-9


@dataclass(frozen=True)
class LogRange:
    """All numbers from ``low`` to ``high``, seen on a log scale; ``0 < low < high``.

    Zero lies infinitely far away on this scale: it can be a value to try, never an end.

    Raises:
        SpaceError: If the ends are not finite, not positive or not in order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SpaceError(f"{name} must be finite and > 0, got {value}")
        if not self.low < self.high:
            raise SpaceError(f"low must be < high, got {self.low} and {self.high}")

    def __str__(self) -> str:
        return f"{self.low:.4g} … {self.high:.4g}"

    @property
    def log(self) -> "LogRange":
        """Return the range on the logarithmic scale that this one is seen as: itself."""
        return self

    def placed(self, value: float) -> float:
        """Return where a value lies on the logarithmic scale."""
        return value

    def native(self, place: float) -> float:
        """Return the value at a place on the logarithmic scale."""
        return place

    def within(self, window: "LogRange") -> "LogRange":
        """Return the range of a window on the logarithmic scale."""
        return window

    @property
    def decades(self) -> float:
        """Return the width in powers of ten."""
        # The ratio of two doubles can overflow; the difference of their logarithms cannot.
        return math.log10(self.high) - math.log10(self.low)

    def contains(self, value: float) -> bool:
        """Return whether ``value`` lies in this range, ends included."""
        return self.low <= value <= self.high

    def position(self, value: float) -> float:
        """Return where ``value`` lies on the log scale: 0 at ``low``, 1 at ``high``.

        Args:
            value: ``> 0``; outside the range its position is below 0 or above 1.

        >>> round(LogRange(1e-5, 1e-1).position(1e-4), 3)
        0.25
        """
        if not value > 0:
            raise SpaceError(f"only values > 0 have a place on a log scale, got {value}")
        return (math.log10(value) - math.log10(self.low)) / self.decades

    def at(self, position: float) -> float:
        """Return the value at ``position`` in [0, 1]; the ends are met exactly.

        >>> LogRange(1e-5, 1e-1).at(0.25)
        0.0001
        """
        if position <= 0:
            return self.low
        if position >= 1:
            return self.high
        exponent = math.log10(self.low) + position * self.decades
        return min(max(_tidy(10**exponent), self.low), self.high)

    def grid(self, n: int) -> tuple[float, ...]:
        """Return ``n`` values at equal distances, both ends among them; one is the middle.

        Raises:
            SpaceError: If ``n < 1``, or if the range is too narrow for ``n`` different values.

        >>> LogRange(1e-4, 1e-1).grid(4)
        (0.0001, 0.001, 0.01, 0.1)
        """
        if n < 1:
            raise SpaceError(f"a grid has >= 1 values, got {n}")
        if n == 1:
            return (self.at(0.5),)
        values = tuple(self.at(i / (n - 1)) for i in range(n))
        if any(is_same(a, b) for a, b in pairwise(values)):
            raise SpaceError(f"the range {self.low} … {self.high} is too narrow for {n} values")
        return values

    def narrowed(self, around: float, decades: float) -> "LogRange":
        """Return the part of this range within ``decades`` of ``around``.

        Args:
            around: A value inside this range.
            decades: Half-width, in powers of ten; ``> 0``.

        Returns:
            A range inside this one that holds ``around``.

        Raises:
            SpaceError: If ``around`` lies outside this range.

        >>> LogRange(1e-5, 1e-1).narrowed(around=1e-2, decades=2)
        LogRange(low=0.0001, high=0.1)
        """
        if not self.contains(around):
            raise SpaceError(f"a range is narrowed around a value inside {self}, got {around}")
        if not decades > 0:
            raise SpaceError(f"decades must be > 0, got {decades}")
        return LogRange(
            max(self.low, min(shifted(around, -decades), around)),
            min(self.high, max(shifted(around, decades), around)),
        )

    @classmethod
    def spanning(cls, values: Iterable[float]) -> "LogRange | None":
        """Return the range from the least to the greatest positive value; ``None`` for fewer."""
        positive = sorted(value for value in values if value > 0)
        if not positive or is_same(positive[0], positive[-1]):
            return None
        return cls(positive[0], positive[-1])


def is_same(a: float, b: float) -> bool:
    """Return whether two values differ by no more than rounding."""
    return math.isclose(a, b, rel_tol=SAME, abs_tol=0.0)


def midpoint(a: float, b: float) -> float:
    """Return the geometric mean of two positive values: half-way on the log scale.

    >>> midpoint(1e-4, 1e-2)
    0.001
    """
    low, high = min(a, b), max(a, b)
    return min(max(_tidy(math.sqrt(a) * math.sqrt(b)), low), high)


def shifted(value: float, decades: float) -> float:
    """Return ``value`` times so many powers of ten.

    >>> shifted(1e-5, -1)
    1e-06
    """
    return _tidy(value * 10.0**decades)


def parse_values(text: str, *, zero_allowed: bool = True) -> tuple[float, ...]:
    """Return the numbers of a comma-separated list, in the order given.

    Args:
        text: For example ``0,1e-4,1e-2``.
        zero_allowed: Whether 0 is a possible value: it is for λ, not for η.

    Raises:
        SpaceError: If there are none, one is no number, negative, or stands there twice.

    >>> parse_values("1e-5, 1e-3")
    (1e-05, 0.001)
    """
    rule = "values are numbers separated by commas, as in 1e-5,1e-3,1e-1"
    values: list[float] = []
    for part in text.split(","):
        try:
            value = number_of(part)
        except SpaceError:
            raise
        except ValueError:
            raise SpaceError(f"{rule}; got {part.strip()!r} in {text!r}") from None
        if not math.isfinite(value) or value < 0 or (value == 0 and not zero_allowed):
            bound = ">= 0" if zero_allowed else "> 0"
            raise SpaceError(f"values must be finite and {bound}, got {part.strip()} in {text!r}")
        values.append(value + 0.0)  # no -0.0
    # Side by side once they are sorted: each beside each would take minutes for thousands.
    ordered = sorted(zip(values, itertools.count(), text.split(","), strict=False))
    for (value, _, _), (other, _, part) in pairwise(ordered):
        if is_same(value, other):
            raise SpaceError(f"values must differ, got {part.strip()} twice in {text!r}")
    return tuple(values)


def _tidy(value: float) -> float:
    # The last digits of a power depend on the machine's mathematics library. Twelve digits are
    # the same everywhere, so a search planned on one machine goes on with equal values on another.
    return float(f"{value:.12g}")
