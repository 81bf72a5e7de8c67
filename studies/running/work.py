"""What a run loop trains: a stage with all that is needed for it, and its cohorts as they stand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from coarsefine.db.records import CohortRecord, RunRecord, StageRecord, TrialRecord
from coarsefine.models.cohort import CohortPlan, CohortState
from coarsefine.models.data import PreparedData
from coarsefine.models.plugin import Plugin
from coarsefine.studies.planning.costs import Job
from coarsefine.studies.planning.point_runs import Prepare
from coarsefine.studies.planning.stages import Stage


class Mirror(Protocol):
    """Optuna's side of a stage."""

    def start(
        self, trials: Sequence[TrialRecord], started: Callable[[int], None] | None = None
    ) -> None:
        """Have every trial running in Optuna, and its number there in our tables."""

    def tell(self, trials: Sequence[TrialRecord]) -> None:
        """Tell the results of finished trials; twice does no harm."""


@dataclass(frozen=True, slots=True)
class Work:
    """A stage and all that is needed to train what is planned of it.

    Attributes:
        record: The stage as it is stored.
        stage: What it says.
        data: What its cohorts are trained on, unless they name data of their own.
        prepare: Returns the data that a cohort names.
        trainer: The user's own, as their recipe names it: no other is called.
        mirror: Optuna's side, if the stage has one.
        by_loss: Whether trials are ranked by their loss.
        racing: Whether seeds still come after these: Optuna sees the trials running, and what it
            was told of a finished one cannot be changed there.
    """

    record: StageRecord
    stage: Stage
    data: PreparedData
    prepare: Prepare
    trainer: str | None = None
    mirror: Mirror | None = None
    by_loss: bool = False
    racing: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """What a budget has left over of a stage.

    Attributes:
        seconds: About how long it takes.
        n_epochs: Of the longest training.
        next_seconds: About how long the next seed of them takes.
        seconds_unused: That were left of the budget; <= 0 if none were.
        n_begun: Seeds of which some epochs are trained.
        begun_epoch: The least that they came to, where they were begun.
    """

    seconds: float
    n_epochs: int
    next_seconds: float
    seconds_unused: float
    n_begun: int
    begun_epoch: int


@dataclass(slots=True)
class CohortAtWork:
    """A cohort that is being trained; ``epoch`` and ``seconds`` (by slot) are as stored."""

    record: CohortRecord
    position: int
    plan: CohortPlan
    plugin: Plugin | None
    runs: list[RunRecord]
    data: PreparedData
    state: CohortState | None
    epoch: int = field(init=False)
    seconds: list[float] = field(init=False)
    seconds_per_epoch: float | None = None

    def __post_init__(self) -> None:
        self.epoch = self.record.epochs_done
        self.seconds = [run.seconds or 0.0 for run in self.runs]

    @property
    def done(self) -> bool:
        """Return whether none of its trials is left to be trained."""
        return self.state is not None and self.state.done

    @property
    def n_epochs(self) -> int:
        """Return how many epochs its training has."""
        return self.plan.training.n_epochs(self.data.n_train)

    @property
    def reached(self) -> int:
        """Return how many of them are trained, stored or not."""
        return 0 if self.state is None else self.state.epoch

    def seed(self, n_runs: int) -> int:
        """Return which seed its runs have, from 0; on each fold, if a seed has ``n_runs``."""
        return self.record.replicate // n_runs

    def job(self, n_runs: int) -> Job:
        """Return what it has left; a seed has ``n_runs``."""
        threads, custom = self.record.blas_threads, self.plugin is not None
        return Job(
            self.plan, self.data, self.n_epochs - self.epoch, self.seed(n_runs), threads, custom
        )
