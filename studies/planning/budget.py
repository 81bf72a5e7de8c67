"""How long searches may take, and what training costs on this machine."""

import time
from dataclasses import dataclass, field
from typing import Final

from coarsefine.studies.planning.costs import Costs

# What is kept for the ranking at the end: so much, and of the budget so much at the most.
_END_SECONDS: Final = 0.3
_END_SHARE: Final = 0.08
# An epoch that ends so much late, as a share of the budget, is trained.
_LATE: Final = 0.03
# Of what is left, a segment is planned to take so much: it may take longer than foreseen.
_AT_ONCE: Final = 0.7
# So long, and so much of the budget, may be spent to measure what training costs.
_MEASURING: Final = (1.5, 0.05)


@dataclass(frozen=True, slots=True)
class Budget:
    """A time that searches may take together; it runs from when it is made.

    Attributes:
        seconds: In all.
        began: When it was made, on the clock that never goes back.
        costs: What training costs here, as far as it was measured.
        end_seconds: Kept for what comes after training, the ranking say.
        of_seconds: The budget that it is a share of; ``None`` where it is no share.
    """

    seconds: float
    began: float = field(default_factory=time.monotonic)
    costs: Costs = field(default_factory=Costs)
    end_seconds: float = _END_SECONDS
    of_seconds: float | None = None

    @property
    def asked(self) -> float:
        """Return how many seconds the user allows."""
        return self.of_seconds or self.seconds

    @classmethod
    def since(cls, began: float, seconds: float) -> "Budget":
        """Return a budget that has begun before now.

        A ranking, and a worker process, take about as long as to get here did, on this machine as
        it is at the moment.
        """
        gone = time.monotonic() - began
        end = min(max(_END_SECONDS, gone), _END_SHARE * seconds)
        return cls(seconds, began, Costs(start_seconds=gone), end)

    @property
    def left(self) -> float:
        """Return how many seconds are left for training; <= 0 where it is over."""
        return self.began + self.seconds - self.end_seconds - time.monotonic()

    @property
    def measuring(self) -> float:
        """Return how many seconds may be spent to measure what training costs."""
        most, share = _MEASURING
        return min(most, share * self.seconds)

    @property
    def patience(self) -> float:
        """Return how many seconds may be waited for what was begun."""
        return max(0.0, self.left + _LATE * self.seconds)

    def has_time_for(self, n_workers: int) -> bool:
        """Return whether workers that are yet to start train more than this process would."""
        return n_workers * (self.left - self.costs.starting(n_workers)) >= self.left

    def at_once(self, starting: float) -> float:
        """Return how long a segment should take at the most, after so many seconds to start."""
        return _AT_ONCE * (self.left - starting)

    def allows(self, seconds: float) -> bool:
        """Return whether something that takes so long ends in time, or hardly late."""
        left = self.left
        return left > 0 and seconds <= left + _LATE * self.seconds

    def share(self, share: float) -> "Budget":
        """Return a budget of a share of what is left, from now on."""
        now = time.monotonic()
        left = self.began + self.seconds - now
        return Budget(share * left, now, self.costs, share * self.end_seconds, self.asked)
