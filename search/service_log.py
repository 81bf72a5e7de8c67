"""The log of a service: a line with the time for all that happens."""

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from coarsefine.hints import Part
from coarsefine.search.console import note
from coarsefine.search.progress import Log, is_over, standing, title

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import PreparedData
    from coarsefine.studies.planning.stages import Stage
    from coarsefine.studies.recipes.recipe import Recipe
    from coarsefine.studies.running.watching import CohortProgress

# In a log that is kept for weeks, a cohort has a line in so many seconds.
LOG_SECONDS: Final = 60.0


class ServiceLog(Log):
    """Writes a line with the time for all that happens, few of them while it trains."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__()
        self._quiet = quiet
        self._ending = threading.Event()

    def begins(
        self, study: "StudyRecord", stage: "Stage", recipe: "Recipe", data: "PreparedData"
    ) -> None:
        """Write what is about to be trained."""
        self._written.clear()
        super().begins(study, stage, recipe, data)

    def line(self, line: str) -> None:
        """Write a line about a search."""
        if not self._quiet:
            self.log(line)

    def log(self, line: str) -> None:
        """Write a line: one, whatever is in it."""
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        note(f"{moment} {one_line(line)}")

    def said(self, message: Part) -> None:
        """Write something worth knowing, each time: it may be about another study."""
        self.line(f"note: {self.worded(message)}")

    def show(self, progress: "CohortProgress", best: float | None) -> None:
        """Write where a cohort is, now and then, and always where it ends."""
        now = time.monotonic()
        last = self._written.setdefault(progress.cohort, now)
        if is_over(progress) or now - last >= LOG_SECONDS:
            self._written[progress.cohort] = now
            self.line(f"{title(progress)}: {standing(progress, best)}")

    def stop(self) -> None:
        """End after the segments under way."""
        super().stop()
        self._ending.set()

    def wait(self, seconds: float) -> None:
        """Return after some time, or when it is to end."""
        self._ending.wait(seconds)


def one_line(text: str) -> str:
    """Return a text such that it is one line and commands no terminal, whoever wrote it."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
