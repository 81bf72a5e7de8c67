"""Axes of searched values: logarithmic, with a place for 0, and ticks that can be read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from coarsefine.search.figures.fonts import give_tick_fonts
from coarsefine.search.figures.style import width_of

_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# How far beyond the last value an axis goes, in decades or as a share of a linear one.
_BEYOND: Final = 0.35
# What an axis may reach at the most: drawing takes logarithms of what lies beyond its ends.
_SMALLEST, _LARGEST = 1e-305, 1e305
# Of a panel of the usual width, its ticks' letters in points, and the least room between two.
_AXIS_INCHES, _TICK_SIZE, _TICK_GAP = 3.7, 7.5, 0.08


@dataclass(frozen=True, slots=True)
class Scale:
    """How the values of one parameter lie on an axis.

    Attributes:
        log: Whether equal factors are equal distances; else equal differences are.
        low: The least positive value (of a linear axis, the least).
        high: The greatest value.
        zero: Where 0 lies on a logarithmic axis; ``None`` if it is not among the values.
        counts: Whether values are counts, written with all their digits.
    """

    log: bool
    low: float
    high: float
    zero: float | None = None
    counts: bool = False

    @classmethod
    def of(cls, values: Sequence[float], *, counts: bool = False) -> "Scale":
        """Return the scale that suits some values, which must be finite and >= 0.

        Logarithmic from a factor of 10 on. Where 0 is among them, it is set apart then: at the
        left end, as far from the least positive value as that is from the next.
        """
        positive = sorted({value for value in values if value > 0})
        if not positive or positive[-1] < 10 * positive[0]:
            return cls(False, min(values, default=0.0), max(values, default=1.0), counts=counts)
        zero = None
        if any(value == 0 for value in values):
            step = _decades(positive[0], positive[1])
            zero = positive[0] / 10 ** min(max(step, 0.5), 1.5)
        return cls(True, positive[0], positive[-1], zero, counts)

    def place(self, value: float) -> float:
        """Return where a value lies on the axis."""
        return self.zero if value == 0 and self.zero is not None else value

    @property
    def limits(self) -> tuple[float, float]:
        """Return the ends of the axis, beyond the last values."""
        if self.log:
            first = self.low if self.zero is None else self.zero
            beyond = 10 ** max(_BEYOND, 0.06 * _decades(first, self.high))
            return max(first / beyond, _SMALLEST), min(self.high * beyond, _LARGEST)
        width = self.high - self.low or abs(self.high) or 1.0
        return self.low - 0.08 * width, self.high + 0.08 * width

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return where ticks stand, and what is written at them."""
        low, high = self.limits
        if not self.log:
            places = MaxNLocator(6, integer=self.counts).tick_values(low, high)
            inside = [float(each) for each in places if low <= each <= high]
            return inside, [f"{each:,.6g}" for each in inside]
        places = _log_ticks(self.low / 1.001 if self.zero is not None else low, high)
        small = self.counts or _is_small(low, high)
        texts = [_number(each) if small else _power(each) for each in places]
        if self.zero is not None:
            return [self.zero, *places], ["0", *texts]
        return places, texts


def _decades(low: float, high: float) -> float:
    # The quotient of two numbers may be none.
    return math.log10(high) - math.log10(low)


def _log_ticks(low: float, high: float) -> list[float]:
    decades = _decades(low, high)
    steps: tuple[float, ...] = (1,)
    if decades < 0.5:
        places = MaxNLocator(4).tick_values(low, high)
        return [float(place) for place in places if low <= place <= high]
    if decades < 1:
        steps = (1, 2, 3, 5, 7)
    elif decades < 2.5:
        steps = (1, 2, 5)
    every = max(1, math.ceil(decades / 7))
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        place
        for exponent in exponents
        if exponent % every == 0
        for step in steps
        if low <= (place := step * 10.0**exponent) <= high
    ]


def _number(value: float) -> str:
    return f"{value:,.6g}"


def _is_small(low: float, high: float) -> bool:
    """Return whether numbers in a range are easier to read with all their digits."""
    return low >= 1e-3 and high <= 1e4


def tick_text(value: float) -> str:
    """Return what is written at a tick.

    >>> tick_text(0), tick_text(0.05), tick_text(1e-5)
    ('0', '0.05', '10⁻⁵')
    """
    return _number(value) if value == 0 or _is_small(value, value) else _power(value)


def _power(value: float) -> str:
    """Return a value > 0 as a power of ten.

    >>> _power(1e-5), _power(2e-4), _power(10.0)
    ('10⁻⁵', '2·10⁻⁴', '10')
    """
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = round(value / 10.0**exponent, 6)
    if exponent in {0, 1}:
        return f"{value:g}"
    power = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return power if mantissa == 1 else f"{mantissa:g}·{power}"


def set_scale(panel: Axes, scale: Scale, axis: str = "x") -> None:
    """Give a panel's axis the scale, with its ticks."""
    line = panel.xaxis if axis == "x" else panel.yaxis
    if scale.log:
        if axis == "x":
            panel.set_xscale("log")
        else:
            panel.set_yscale("log")
    places, texts = scale.ticks()
    set_ticks(panel, places, texts, axis)
    if scale.log and _decades(scale.low, scale.high) < 7:
        low, high = scale.limits
        if scale.zero is not None:
            low = scale.low / 1.001
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        small = (s * 10.0**e for e in range(first, last + 1) for s in range(2, 10))
        line.set_minor_locator(FixedLocator([each for each in small if low <= each <= high]))
        line.set_minor_formatter(NullFormatter())
    if axis == "x":
        panel.set_xlim(*scale.limits)
    else:
        panel.set_ylim(*scale.limits)
    if scale.zero is not None:
        _break_axis(panel, scale, axis)


def room_for(scale: Scale, places: Sequence[float], texts: Sequence[str]) -> bool:
    """Return whether texts fit side by side at some places of a horizontal axis."""
    low, high = scale.limits
    if scale.log:
        low, high = math.log10(low), math.log10(high)
        places = [math.log10(place) for place in places]
    inches = [_AXIS_INCHES * (place - low) / (high - low) for place in places]
    widths = [max(width_of(line, _TICK_SIZE) for line in text.split("\n")) for text in texts]
    return all(
        b - a > (one + other) / 2 + _TICK_GAP
        for (a, b), (one, other) in zip(pairwise(inches), pairwise(widths), strict=True)
    )


def set_log(panel: Axes, low: float, high: float, axis: str = "y") -> None:
    """Give a panel's axis a logarithmic scale from ``low`` to ``high``, both > 0."""
    if axis == "x":
        panel.set_xscale("log")
        panel.set_xlim(low, high)
    else:
        panel.set_yscale("log")
        panel.set_ylim(low, high)
    places = _log_ticks(low, high)
    small = _is_small(low, high)
    set_ticks(panel, places, [_number(each) if small else _power(each) for each in places], axis)


def set_ticks(panel: Axes, places: Sequence[float], texts: Sequence[str], axis: str = "x") -> None:
    """Put ticks at some places of an axis and nowhere else."""
    line = panel.xaxis if axis == "x" else panel.yaxis
    line.set_major_locator(FixedLocator(list(places)))
    line.set_minor_locator(NullLocator())
    if axis == "x":
        panel.set_xticks(list(places), list(texts))
    else:
        panel.set_yticks(list(places), list(texts))
    give_tick_fonts(line, texts)


def _break_axis(panel: Axes, scale: Scale, axis: str) -> None:
    """Show that 0 does not belong to the logarithmic axis: two strokes across it."""
    assert scale.zero is not None  # noqa: S101  # asked for that
    low, high = (math.log10(each) for each in scale.limits)
    middle = (math.log10(scale.zero) + math.log10(scale.low)) / 2
    at = (middle - low) / (high - low)
    for shift in (-0.006, 0.006):
        along, across = (at + shift - 0.006, at + shift + 0.006), (-0.018, 0.018)
        panel.plot(
            *((along, across) if axis == "x" else (across, along)),
            color="black",
            linewidth=0.7,
            transform=panel.transAxes,
            clip_on=False,
            gid="axis-break",
        )
