"""What upper floors see of the queue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

QueueState = Literal["waiting", "paused", "running", "finished", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """A lab that was submitted.

    Attributes:
        name: What its studies' names begin with.
        content: The whole text of the file.
        options: What was asked beside it.
        to_cancel: Whether whoever is at it is asked to end, for good.
        tries: How often it was begun since it last came further.
        progress: Where it stands, in words; empty before it begins.
        error: Why it failed, in one line.
        answers: What its parts came to, so far.
        driver_host: Who is at it, as far as is known.
        priority: Higher ones are taken first; of equal ones, the one that was submitted first.
        to_pause: Whether whoever is at it is asked to end for now.
    """

    id: int
    uuid: str
    name: str
    content: str
    options: dict[str, Any]
    state: QueueState
    to_cancel: bool
    submitted_by: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    tries: int
    progress: str
    error: str | None
    answers: list[Any]
    driver_host: str | None
    driver_pid: int | None
    priority: int = 0
    to_pause: bool | None = None

    @property
    def turn(self) -> tuple[bool, int, int]:
        """Return what entries are sorted by for their turn: one under way comes first."""
        return self.state != "running", -self.priority, self.id
