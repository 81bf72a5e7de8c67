"""New values of a range: with those that were measured, they cover it evenly."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from coarsefine.studies.errors import StudyError
from coarsefine.studies.spaces.ranges import LogRange, is_same


def fine_grid(window: LogRange, n: int, measured: Iterable[float] = ()) -> tuple[float, ...]:
    """Return ``n`` new values that, with those measured, cover the window evenly.

    Without measured values in it, it is the window's grid. Measured values cut the window into
    gaps; each gap is filled with equal steps, the widest ones first. An end that is measured is
    left out, one that is not is met.

    Raises:
        StudyError: If ``n < 1``, or the window is too narrow for so many new values.

    >>> fine_grid(LogRange(1e-4, 1e-2), 3)
    (0.0001, 0.001, 0.01)
    >>> fine_grid(LogRange(1e-4, 1e-1), 2, measured=[1e-4, 1e-1])
    (0.001, 0.01)
    >>> fine_grid(LogRange(1e-4, 1e-1), 3, measured=[1e-4])
    (0.001, 0.01, 0.1)
    """
    if n < 1:
        raise StudyError(f"a grid has >= 1 values, got {n}")
    known = [value for value in _distinct(measured) if _holds(window, value)]
    if not known:
        return window.grid(n)
    ends = [end for end in (window.low, window.high) if not any(is_same(end, k) for k in known)]
    gaps = [
        _Gap(LogRange(a, b), free_low=a in ends, free_high=b in ends)
        for a, b in pairwise(sorted(ends + known))
    ]
    queue = [(-gap.step(0), position, 0) for position, gap in enumerate(gaps)]
    heapq.heapify(queue)
    for _ in range(n):
        _, position, count = queue[0]
        step = gaps[position].step(count + 1)
        if step < 1e-7:
            raise StudyError(f"the range {window.low} … {window.high} is too narrow for {n} values")
        heapq.heapreplace(queue, (-step, position, count + 1))
    return tuple(sorted(value for _, i, count in queue for value in gaps[i].filled(count)))


@dataclass(frozen=True)
class _Gap:
    """A stretch between two values, of which the free ones may be taken."""

    range: LogRange
    free_low: bool
    free_high: bool

    def step(self, n: int) -> float:
        """Return the decades between neighbours with ``n`` values in this gap."""
        # An end without a value is further from one than any inner part can be.
        intervals = n + (not self.free_low) - self.free_high
        return self.range.decades / intervals if intervals > 0 else math.inf

    def filled(self, n: int) -> list[float]:
        intervals = n + (not self.free_low) - self.free_high
        first = 0 if self.free_low else 1
        # A digit fewer than the ends have, for 0.001 and not 0.000999999999999 between two of them.
        rounded = (float(f"{self.range.at(i / intervals):.9g}") for i in range(first, first + n))
        return [min(max(value, self.range.low), self.range.high) for value in rounded]


def _distinct(values: Iterable[float]) -> list[float]:
    """Return the values in ascending order, those that differ by rounding once."""
    distinct: list[float] = []
    for value in sorted(values):
        if not distinct or not is_same(distinct[-1], value):
            distinct.append(value)
    return distinct


def _holds(window: LogRange, value: float) -> bool:
    return window.contains(value) or is_same(value, window.low) or is_same(value, window.high)
