"""What a look at a database has found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final

from coarsefine.hints import Message, Part, option

# Means of the same numbers in another order.
_CLOSE: Final = 1e-9


RESTORE: Final = Message(
    "restore a copy of the file, or search again under another name with ", option("study")
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be, and what to do about it."""

    what: str
    advice: Part


@dataclass(slots=True)
class Check:
    """One kind of thing looked at.

    Attributes:
        looked_at: How many of what ``thing`` is one of.
        left_out: Not looked at here; a note says why.
        notes: What is worth knowing and in order.
    """

    name: str
    thing: str
    looked_at: int = 0
    left_out: bool = False
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Return whether all is as it should be."""
        return not self.problems

    def wrong(self, what: str, advice: Part = RESTORE) -> None:
        """Note a problem."""
        self.problems.append(Problem(what, advice))


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a database found."""

    label: str
    revision: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Return whether all is as it should be."""
        return all(check.passed for check in self.checks)


def close(a: float | None, b: float | None) -> bool:
    """Return whether two numbers are the same to rounding."""
    return a is not None and b is not None and math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-12)


def shown_numbers(numbers: Sequence[int]) -> str:
    """Return numbers in order, those in a row as ``2–5``."""
    if not numbers:
        return "none"
    ends = [i for i, (a, b) in enumerate(pairwise(numbers)) if b != a + 1]
    starts = [0, *(i + 1 for i in ends)]
    ranges = zip(starts, [*ends, len(numbers) - 1], strict=True)
    words = [
        str(numbers[a]) if a == b else f"{numbers[a]}–{numbers[b]}" for a, b in islice(ranges, 9)
    ]
    return ", ".join(words) + (", …" if len(starts) > len(words) else "")
