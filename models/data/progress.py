"""How slow steps (a download, unpacking an archive) tell the caller how far they are."""

from typing import Protocol


class Progress(Protocol):
    """Something that draws a task at a time; ``start`` follows ``finish``."""

    def start(self, task: str, total: int | None) -> None:
        """Begin ``task``, words for people, of ``total`` bytes (unknown: ``None``)."""

    def advance(self, n_bytes: int) -> None:
        """Count ``n_bytes`` more as done."""

    def finish(self) -> None:
        """End the task, whether or not it reached its total."""


class Silent:
    """A ``Progress`` that draws nothing."""

    def start(self, task: str, total: int | None) -> None:
        """Draw nothing."""

    def advance(self, n_bytes: int) -> None:
        """Draw nothing."""

    def finish(self) -> None:
        """Draw nothing."""
