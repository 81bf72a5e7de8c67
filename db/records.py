"""What upper floors see of the database: plain frozen values, never ORM objects."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple

from coarsefine.db.final_records import TestEnsembleRecord

TrialState = Literal["planned", "running", "complete", "diverged", "pruned", "failed"]
CohortState = Literal["planned", "done"]

FINAL_STATES: frozenset[str] = frozenset({"complete", "diverged", "pruned", "failed"})
"""A trial or run in one of these is not trained any further."""


def new_uuid() -> str:
    """Return a fresh UUID as text."""
    return str(uuid.uuid4())


# ------------------------------------------------------------------------------- what is stored


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One question asked of a recipe.

    Attributes:
        trashed_at: When it was moved to the trash; ``trashed_name`` is what it was called.
    """

    id: int
    uuid: str
    name: str
    search: str
    recipe: dict[str, Any]
    seed: int
    data_name: str
    data_fingerprint: str
    data: dict[str, Any]
    versions: dict[str, Any]
    machine: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    driver_host: str | None
    driver_pid: int | None
    driver_since: datetime | None
    tags: list[Any] | None = None
    note: str | None = None
    trashed_at: datetime | None = None
    trashed_name: str | None = None


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One line of the list of studies.

    Attributes:
        stages: Names in order.
        trials: How many trials there are in each state; states without any are missing.
        best_accuracy: Highest validation accuracy of a complete trial.
        trashed_at: When it was moved to the trash; ``name`` is what it was called.
    """

    name: str
    uuid: str
    search: str
    data_name: str
    stages: tuple[str, ...]
    trials: dict[str, int]
    best_accuracy: float | None
    test_openings: int
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()
    note: str = ""
    trashed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One Optuna study of a study."""

    id: int
    uuid: str
    study_id: int
    name: str
    position: int
    optuna_name: str | None
    parent: str | None
    parameter: str
    low: float | None
    high: float | None
    values: list[Any] | None
    sampler: str
    reason: str
    options: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One point of the space; numbers are means over its first ``replicates`` runs.

    Runs beyond these are under way: they count once all of the trial's runs are finished.
    """

    id: int
    uuid: str
    stage_id: int
    position: int
    number: int | None
    params: dict[str, Any]
    state: TrialState
    validation_accuracy: float | None
    validation_loss: float | None
    train_accuracy: float | None
    replicates: int
    seconds: float | None
    told: bool
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class CohortRecord:
    """Training runs that are trained as one."""

    id: int
    uuid: str
    stage_id: int
    position: int
    replicate: int
    blas_threads: int
    plan: dict[str, Any]
    state: CohortState
    epochs_done: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One training run; without cohort and slot if it was reused from an earlier one."""

    id: int
    trial_id: int
    cohort_id: int | None
    slot: int | None
    replicate: int
    seed: int
    recipe_key: str
    state: TrialState
    epochs: int
    updates: int
    validation_accuracy: float | None
    validation_loss: float | None
    train_accuracy: float | None
    train_loss: float | None
    best_epoch: int | None
    seconds: float | None
    reused_from: int | None
    failure: str | None = None


class EpochRecord(NamedTuple):
    """One row of a run's curve; what was not finite comes back as ``None``.

    A tuple, because there are hundreds of thousands: dataclasses take five times as long to make.
    """

    run_id: int
    epoch: int
    step: int
    eta: float | None = None
    train_loss: float | None = None
    train_cost: float | None = None
    train_accuracy: float | None = None
    validation_loss: float | None = None
    validation_cost: float | None = None
    validation_accuracy: float | None = None
    seconds: float | None = None
    evaluation_seconds: float | None = None
    running_accuracy: float | None = None
    running_loss: float | None = None
    squared_weights: float | None = None


class EvaluationRecord(NamedTuple):
    """One evaluation of a run whose epochs have several; what was not finite is ``None``."""

    run_id: int
    step: int
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    batch_loss: float | None = None
    batch_deviation: float | None = None


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """All of a stage that is needed to carry on with it, each in its order."""

    trials: tuple[TrialRecord, ...]
    cohorts: tuple[CohortRecord, ...]
    runs: tuple[RunRecord, ...]


@dataclass(frozen=True, slots=True)
class TestOpeningRecord:
    """One time that the test set was opened, with its runs in rank order.

    Attributes:
        study_id: Of its study; ``None`` if that was deleted.
        stage: The stage that trained for it; ``None`` where trained weights were taken.
        study_name: What its study is called, and whether it is in the trash or was deleted.
        runs: A trial each.
        ensembles: Of all its networks, if any were asked for.
    """

    __test__: ClassVar[bool] = False  # pytest: not a test

    id: int
    uuid: str
    study_id: int | None
    opened_at: datetime
    data_fingerprint: str
    stage: str | None
    refit: str
    recipe: dict[str, Any]
    n_test: int
    versions: dict[str, Any]
    machine: dict[str, Any]
    note: str
    study_name: str | None
    runs: tuple["TestRunRecord", ...]
    ensembles: tuple[TestEnsembleRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class TestRunRecord:
    """What one trial reached on the test set: means where it has several seeds.

    Attributes:
        confusion: Of all seeds together.
        seconds: Likewise.
        replicate: Which seed, from 0.
        selection_bias: By how much its validation accuracy is overestimated on average, for having
            been chosen by it; ``None`` where that is not known.
        replicates: A run each seed; empty where there is one.
    """

    __test__: ClassVar[bool] = False  # pytest: not a test

    id: int
    opening_id: int
    rank: int
    trial_id: int | None
    stage: str
    params: dict[str, Any]
    validation_accuracy: float | None
    final_validation_accuracy: float | None
    test_accuracy: float | None
    test_loss: float | None
    confusion: list[Any] | None
    seconds: float | None
    epochs: int | None
    replicate: int = 0
    selection_bias: float | None = None
    test_cost: float | None = None
    replicates: tuple["TestRunRecord", ...] = ()

    @property
    def seeds(self) -> tuple["TestRunRecord", ...]:
        """Return a run each seed, itself where there is one."""
        return self.replicates or (self,)


class TrialRow(NamedTuple):
    """A trial as ranking needs it: with its stage and the latest test result, if there is one."""

    id: int
    uuid: str
    stage: str
    stage_position: int
    position: int
    number: int | None
    params: dict[str, Any]
    state: TrialState
    replicates: int
    validation_accuracy: float | None
    validation_loss: float | None
    train_accuracy: float | None
    seconds: float | None
    test_accuracy: float | None
    test_loss: float | None


# -------------------------------------------------------------------------- what is to be stored


@dataclass(frozen=True, slots=True)
class NewTrial:
    """A trial to be planned; it gets the next position of its stage."""

    params: Mapping[str, Any]
    replicates: int = 1
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be planned for the trial ``trial_uuid``.

    In a cohort its place in the list is its slot. Outside of one, ``reused_from`` is the id of
    the finished run whose results and curve it takes over.
    """

    trial_uuid: str
    seed: int
    recipe_key: str
    replicate: int = 0
    reused_from: int | None = None


@dataclass(frozen=True, slots=True)
class NewCohort:
    """A cohort to be planned; it gets the next position of its stage."""

    runs: Sequence[NewRun]
    replicate: int = 0
    blas_threads: int = 1
    plan: Mapping[str, Any] = field(default_factory=dict)
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class RunUpdate:
    """Where a run stands after a segment; ``failure`` says why it failed, if it did."""

    run_id: int
    state: TrialState
    epochs: int
    updates: int
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    train_accuracy: float | None = None
    train_loss: float | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class TrialUpdate:
    """Where a trial stands; means over its replicates, which stay as many if that is ``None``."""

    uuid: str
    state: TrialState
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    train_accuracy: float | None = None
    seconds: float | None = None
    replicates: int | None = None


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What a segment of a cohort leaves: stored in one transaction, or not at all.

    Attributes:
        from_epoch: Epochs that the cohort had done before; a delivery that does not start where
            the database stands was delivered before.
        to_epoch: Epochs that it has done now.
        epochs: Rows of the curves, of all runs; ``evaluations`` likewise.
        outcomes: By run, of those that ended: what it predicted for each validation sample, packed.
        metrics: By run and epoch, what a custom trainer reported under names of its own.
        checkpoint: State to carry on from; ``None`` keeps the one that is stored.
        done: No segment follows.
    """

    cohort_uuid: str
    from_epoch: int
    to_epoch: int
    epochs: Sequence[EpochRecord] = ()
    evaluations: Sequence[EvaluationRecord] = ()
    runs: Sequence[RunUpdate] = ()
    trials: Sequence[TrialUpdate] = ()
    outcomes: Mapping[int, bytes] = field(default_factory=dict)
    metrics: Mapping[tuple[int, int], Mapping[str, float]] = field(default_factory=dict)
    checkpoint: bytes | None = None
    done: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.from_epoch <= self.to_epoch:
            raise ValueError(
                f"a segment goes forward, got epochs {self.from_epoch} to {self.to_epoch}"
            )
        if self.from_epoch == self.to_epoch and not self.done:
            raise ValueError("a segment without epochs must be the last one")
