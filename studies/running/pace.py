"""How long a stage has yet to be trained, from what was estimated and what was measured."""

from collections.abc import Mapping

from coarsefine.studies.planning.budget import Budget


class Pace:
    """Counts what is left of a stage's cohorts, as segments of them are trained.

    >>> pace = Pace({"a": (1.0, 10), "b": (2.0, 10)})
    >>> pace.seconds_left(1) is None
    True
    >>> pace.trained("a", 5, 5, 10.0)  # twice as slow as estimated
    >>> pace.seconds_left(1), pace.seconds_left(2)
    (50.0, 25.0)
    """

    def __init__(self, cohorts: Mapping[str, tuple[float, int]]) -> None:
        """Begin.

        Args:
            cohorts: Estimated seconds an epoch, and epochs that are left, by name.
        """
        self._seconds = {name: seconds for name, (seconds, _) in cohorts.items()}
        self._epochs = {name: n_epochs for name, (_, n_epochs) in cohorts.items() if n_epochs > 0}
        self._left = sum(seconds * n_epochs for seconds, n_epochs in cohorts.values())
        self._measured = self._estimated = 0.0

    def trained(self, name: str, n_epochs: int, n_left: int, seconds: float) -> None:
        """Count a segment.

        Args:
            name: The cohort's.
            n_epochs: How many it trained.
            n_left: How many are left of the cohort: none if all of its trials have ended.
            seconds: How long it took.
        """
        each = self._seconds[name]
        self._measured += seconds
        self._estimated += each * n_epochs
        self._left -= each * (self._epochs.pop(name, 0) - n_left)
        if n_left:
            self._epochs[name] = n_left

    @property
    def ratio(self) -> float:
        """Return by how much what was trained took longer than estimated; 1 before any was."""
        return self._measured / self._estimated if self._estimated else 1.0

    def seconds_of(self, name: str) -> float:
        """Return how long a cohort has yet to be trained."""
        return self._seconds[name] * self._epochs.get(name, 0) * self.ratio

    @property
    def seconds(self) -> float:
        """Return how long all cohorts have yet to be trained, one after another."""
        return max(0.0, self._left) * self.ratio

    def seconds_left(self, n_workers: int, budget: Budget | None = None) -> float | None:
        """Return how long all cohorts have yet to be trained; ``None`` before one was.

        Args:
            n_workers: That train them.
            budget: What is left of it is not exceeded.
        """
        if not self._estimated:
            return None
        at_once = max(1, min(n_workers, len(self._epochs)))
        seconds = self.seconds / at_once
        return seconds if budget is None else max(0.0, min(seconds, budget.left))
