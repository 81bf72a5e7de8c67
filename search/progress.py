"""What is seen of a search while it runs: on a terminal, in a log, or nothing at all."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from coarsefine.hints import Part
from coarsefine.search.console import note, stderr
from coarsefine.search.hints import spelled
from coarsefine.search.words import counted, percent, size
from coarsefine.studies.results.notes.note import duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import PreparedData
    from coarsefine.studies.planning.stages import Stage
    from coarsefine.studies.recipes.recipe import Recipe
    from coarsefine.studies.running.watching import CohortProgress

# In a log, a cohort has at most one line in so many seconds.
LOG_SECONDS = 1.0


class Watch:
    """Hears what a search and slow data do, and says nothing; ``stop`` asks the search to end.

    Attributes:
        training: Whether a segment was trained: before, as long as thousands of trials are
            planned, there is nothing to be ended gently.
        silent: Whether nothing that it hears is shown.
    """

    silent = True

    def __init__(self) -> None:
        self.stop_requested = False
        self.training = False
        self._said: set[str] = set()
        # The best validation accuracy so far, and of which study.
        self._best: tuple[str, float | None] = ("", None)

    def stop(self) -> None:
        """Ask the search to end after the segments under way."""
        self.stop_requested = True

    def begins(
        self, study: "StudyRecord", stage: "Stage", recipe: "Recipe", data: "PreparedData"
    ) -> None:
        """Say what is about to be trained."""
        self.training = False
        # A final training is measured on other samples.
        of = study.uuid if stage.searches else ""
        if not of or of != self._best[0]:
            self._best = (of, None)
        if self.silent:
            return
        lines, warnings = beforehand(study, stage, recipe, data)
        for line in lines:
            self.line(line)
        for warning in warnings:
            self.said(warning)

    def worded(self, message: Part) -> str:
        """Return a message in the words of whoever watches."""
        return spelled(message)

    def said(self, message: Part) -> None:
        """Say something worth knowing, once."""
        line = self.worded(message)
        if line not in self._said:
            self._said.add(line)
            self.line(f"note: {line}")

    def progressed(self, progress: "CohortProgress") -> None:
        """Show a cohort that came further."""
        self.training = True
        of, best = self._best
        known = [each for each in (best, progress.best_accuracy) if each is not None]
        self._best = (of, max(known, default=None))
        self.show(progress, self._best[1])

    def show(self, progress: "CohortProgress", best: float | None) -> None:
        """Show a cohort, and the best validation accuracy of the search so far."""

    def line(self, line: str) -> None:
        """Print a line."""

    def start(self, task: str, total: int | None) -> None:
        """Begin something slow about data."""

    def advance(self, n_bytes: int) -> None:
        """Count bytes."""

    def finish(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        """Begin watching."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the screen as it should stay."""


class Log(Watch):
    """Writes plain lines, not too many."""

    silent = False

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[int, float] = {}

    def line(self, line: str) -> None:
        """Print a line."""
        note(line)

    def show(self, progress: "CohortProgress", best: float | None) -> None:
        """Print where a cohort is, if that is some time ago, and always where it ends."""
        now = time.monotonic()
        ended = is_over(progress)
        if ended or now - self._written.get(progress.cohort, now - LOG_SECONDS) >= LOG_SECONDS:
            self._written[progress.cohort] = now
            self.line(f"{title(progress)}: {standing(progress, best)}")

    def start(self, task: str, total: int | None) -> None:
        """Print what begins."""
        self.line(task if total is None else f"{task} ({size(total)})")


class Screen(Watch):
    """Keeps a line a cohort up to date on a terminal; lines of those done stay above."""

    silent = False

    def __init__(self) -> None:
        super().__init__()
        self._console = stderr()
        self._live: Progress | None = None
        self._tasks: dict[int, TaskID] = {}
        self._waiting: TaskID | None = None
        self._bytes: TaskID | None = None

    def __exit__(self, *_: object) -> None:
        """Take the live lines away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._waiting is not None or self.training:
            note("")

    def line(self, line: str) -> None:
        """Print a line above the live ones."""
        note(line)

    def begins(
        self, study: "StudyRecord", stage: "Stage", recipe: "Recipe", data: "PreparedData"
    ) -> None:
        """Say what is about to be trained, and show that something happens."""
        super().begins(study, stage, recipe, data)
        self._waiting = self._progress().add_task("training", total=None, text="")

    def show(self, progress: "CohortProgress", best: float | None) -> None:
        """Show how far a cohort is."""
        live = self._progress()
        if self._waiting is not None:
            live.remove_task(self._waiting)
            self._waiting = None
        key = progress.cohort
        if is_over(progress):
            if key in self._tasks:
                live.remove_task(self._tasks.pop(key))
            self.line(f"{title(progress)}: {standing(progress, best)}")
            return
        if key not in self._tasks:
            self._tasks[key] = live.add_task(title(progress), total=progress.n_epochs, text="")
        live.update(
            self._tasks[key], completed=progress.epoch, text=standing(progress, best), refresh=True
        )

    def start(self, task: str, total: int | None) -> None:
        """Show a bar for something slow about data."""
        text = "" if total is None else size(total)
        self._bytes = self._progress().add_task(task, total=total, text=text)

    def advance(self, n_bytes: int) -> None:
        """Move the bar."""
        if self._live is not None and self._bytes is not None:
            self._live.advance(self._bytes, n_bytes)

    def finish(self) -> None:
        """Take the bar away."""
        if self._live is not None and self._bytes is not None:
            self._live.remove_task(self._bytes)
            self._bytes = None

    def _progress(self) -> "Progress":
        if self._live is None:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            self._live = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=12),
                TextColumn("{task.fields[text]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._live.start()
        return self._live


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Yield what fits: nothing, live lines on a terminal, or lines for a log."""
    with Watch() if quiet else Screen() if sys.stderr and sys.stderr.isatty() else Log() as watch:
        yield watch


def beforehand(
    study: "StudyRecord", stage: "Stage", recipe: "Recipe", data: "PreparedData"
) -> tuple[list[str], list[Part]]:
    """Return what is about to be trained, and what the user should know before it is."""
    from coarsefine.studies.checks import preflight as beforehand
    from coarsefine.studies.recipes.lengths import resolve

    network, searched = recipe.network, {d.parameter.key for d in stage.dimensions}
    hidden = ("searched",) if "network.hidden" in searched else network.hidden
    widths = "-".join(map(str, (data.n_features, *hidden, data.n_classes)))
    kind = f" {network.activation}" if hidden and "network.activation" not in searched else ""
    sizes = f"{data.n_train:,} training and {data.n_validation:,} validation samples"
    if recipe.trainer is not None:
        # What its network and updates are is for it to know.
        return [f"{study.name} {stage.name}: {sizes}, trainer {recipe.trainer}"], [*data.warnings]
    # A final training varies nothing: its trials have been chosen.
    found = beforehand.beforehand(
        recipe,
        data,
        stage.dimensions if stage.searches else (),
        equal_updates=stage.run_options.equal_updates,
    )
    lines = [
        f"{study.name} {stage.name}: {sizes}, network {widths}{kind}",
        *(found.lines if stage.searches else ("; ".join(resolve(recipe, data.n_train).lines),)),
    ]
    return lines, [*data.warnings, *found.warnings]


def is_over(progress: "CohortProgress") -> bool:
    """Return whether a cohort is trained to its end."""
    return progress.done


def title(progress: "CohortProgress") -> str:
    """Return which cohort this is."""
    replicate = f", replicate {progress.replicate + 1}" if progress.replicate else ""
    trials = counted(progress.n_trials, "trial")
    return f"{progress.stage} {progress.cohort}/{progress.n_cohorts} ({trials}{replicate})"


def standing(progress: "CohortProgress", best: float | None) -> str:
    """Return how far a cohort is, and the search with it."""
    parts = [f"epoch {progress.epoch} of {progress.n_epochs}"]
    if is_over(progress):
        parts = [counted(progress.epoch, "epoch")]
    if progress.empty:
        parts.append("no trial is left")
    if best is not None:
        parts.append(f"best validation accuracy so far {percent(best)} %")
    if progress.seconds_left and not is_over(progress):
        parts.append(f"{duration(progress.seconds_left)} left in all")
    return ", ".join(parts)
