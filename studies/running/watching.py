"""Who watches a search, and what they are told."""

from dataclasses import dataclass
from typing import Protocol

from coarsefine.db.records import StudyRecord
from coarsefine.hints import Message
from coarsefine.models.data import PreparedData
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class CohortProgress:
    """Where a cohort is, for whoever watches.

    Attributes:
        cohort: From 1, of ``n_cohorts`` that the stage has yet to train.
        params: Of its trials, in slot order.
        epoch: Of ``n_epochs``.
        best_accuracy: Highest validation accuracy that the stage has seen so far; ``None`` if
            there is none.
        seconds_left: Estimate for all that the stage has yet to train; ``None`` before there is
            one.
        done: Whether the cohort is trained to its end.
        empty: Whether no trial of the cohort is left, because all diverged or were stopped.
    """

    stage: str
    cohort: int
    n_cohorts: int
    n_trials: int
    replicate: int
    epoch: int
    n_epochs: int
    best_accuracy: float | None
    seconds_left: float | None
    done: bool = False
    empty: bool = False


class Observer(Protocol):
    """Watches a search, and may ask it to stop."""

    @property
    def stop_requested(self) -> bool:
        """Return whether the search should end after the segments under way."""

    def begins(self, study: StudyRecord, stage: Stage, recipe: Recipe, data: PreparedData) -> None:
        """Hear what is about to be trained, if any of it is left."""

    def progressed(self, progress: CohortProgress) -> None:
        """Hear of a cohort that came further."""

    def said(self, line: str | Message) -> None:
        """Hear of something worth knowing."""


class NullObserver:
    """Watches nothing."""

    stop_requested = False

    def begins(self, study: StudyRecord, stage: Stage, recipe: Recipe, data: PreparedData) -> None:
        """Look away."""

    def progressed(self, progress: CohortProgress) -> None:
        """Look away."""

    def said(self, line: str | Message) -> None:
        """Look away."""


class StoppedByRequest(KeyboardInterrupt):
    """The search was asked to stop; what was trained is stored."""
