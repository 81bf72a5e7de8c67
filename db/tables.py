"""What is remembered: the tables named ``training_…``, in one file with Optuna's.

Optuna owns studies and trials; these tables hold what it does not keep. No foreign key points into
its tables: its ids are reused after a deletion, so a trial carries a UUID of ours.
"""

from datetime import datetime
from typing import Any, Final, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    column,
)
from sqlalchemy.orm import Mapped, mapped_column

from coarsefine.db.column_types import LONG_BYTES, LONG_TEXT, Json, StrictJson
from coarsefine.db.curve_tables import Epoch, Evaluation, RunMetrics
from coarsefine.db.final_records import EnsembleMethod
from coarsefine.db.records import TrialState
from coarsefine.db.table_base import Base, accuracy, one_of

TRIAL_STATES: Final = get_args(TrialState)
# What a training run leaves as it goes, each with a ``run_id``.
CURVES: Final = (RunMetrics, Evaluation, Epoch)


class Study(Base):
    """One question asked of a recipe.

    One in the trash is called ``trash/UUID``, so that its name is free; ``trashed_name`` has it.
    """

    __tablename__ = "training_studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    search: Mapped[str] = mapped_column(String(64))
    recipe: Mapped[dict[str, Any]]
    seed: Mapped[int] = mapped_column(BigInteger)
    data_name: Mapped[str] = mapped_column(String(255))
    data_fingerprint: Mapped[str] = mapped_column(String(128))
    data: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    machine: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    driver_host: Mapped[str | None] = mapped_column(String(255))
    driver_pid: Mapped[int | None]
    driver_since: Mapped[datetime | None]
    tags: Mapped[list[Any] | None]
    note: Mapped[str | None] = mapped_column(LONG_TEXT)
    trashed_at: Mapped[datetime | None]
    trashed_name: Mapped[str | None] = mapped_column(String(255))


class Stage(Base):
    """One Optuna study of a study: its window and how that was chosen.

    The training of a final test run is a stage too, without an Optuna study: it searches nothing.
    """

    __tablename__ = "training_stages"
    __table_args__ = (
        UniqueConstraint("study_id", "name"),
        UniqueConstraint("study_id", "position"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("low <= high", name="window"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("training_studies.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    position: Mapped[int]
    optuna_name: Mapped[str | None] = mapped_column(String(320))
    parent: Mapped[str | None] = mapped_column(String(64))
    parameter: Mapped[str] = mapped_column(String(64))
    low: Mapped[float | None]
    high: Mapped[float | None]
    values: Mapped[list[Any] | None]
    sampler: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(LONG_TEXT)
    options: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Trial(Base):
    """One point of the space; its numbers are means over its replicates, never of the test set."""

    __tablename__ = "training_trials"
    __table_args__ = (
        UniqueConstraint("stage_id", "position"),
        UniqueConstraint("stage_id", "number"),
        CheckConstraint("position >= 0", name="position"),
        one_of("state", *TRIAL_STATES),
        accuracy("validation_accuracy"),
        accuracy("train_accuracy"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("training_stages.id", ondelete="CASCADE"))
    position: Mapped[int]
    number: Mapped[int | None]
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    validation_accuracy: Mapped[float | None]
    validation_loss: Mapped[float | None]
    train_accuracy: Mapped[float | None]
    replicates: Mapped[int]
    seconds: Mapped[float | None]
    told: Mapped[bool]
    finished_at: Mapped[datetime | None]


class Cohort(Base):
    """Training runs that are trained as one; fixed before the first of them starts."""

    __tablename__ = "training_cohorts"
    __table_args__ = (
        UniqueConstraint("stage_id", "position"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("epochs_done >= 0", name="epochs_done"),
        CheckConstraint("blas_threads >= 1", name="blas_threads"),
        one_of("state", "planned", "done"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("training_stages.id", ondelete="CASCADE"))
    position: Mapped[int]
    replicate: Mapped[int]
    blas_threads: Mapped[int]
    plan: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    epochs_done: Mapped[int]


class Run(Base):
    """One training run of a trial with one seed; ``slot`` is its row in the cohort.

    A run that was reused from an earlier one has no cohort: nothing of it is trained. A failed one
    says why in ``failure``.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        UniqueConstraint("trial_id", "replicate"),
        UniqueConstraint("cohort_id", "slot"),
        CheckConstraint("(cohort_id IS NULL) = (slot IS NULL)", name="slot"),
        one_of("state", *TRIAL_STATES),
        accuracy("validation_accuracy"),
        accuracy("train_accuracy"),
        Index(None, "recipe_key", "state"),
        Index(None, "reused_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("training_trials.id", ondelete="CASCADE"))
    cohort_id: Mapped[int | None] = mapped_column(
        ForeignKey("training_cohorts.id", ondelete="CASCADE")
    )
    slot: Mapped[int | None]
    replicate: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    recipe_key: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    epochs: Mapped[int]
    updates: Mapped[int]
    validation_accuracy: Mapped[float | None]
    validation_loss: Mapped[float | None]
    train_accuracy: Mapped[float | None]
    train_loss: Mapped[float | None]
    best_epoch: Mapped[int | None]
    seconds: Mapped[float | None]
    reused_from: Mapped[int | None] = mapped_column(
        ForeignKey("training_runs.id", ondelete="SET NULL")
    )
    failure: Mapped[str | None] = mapped_column(LONG_TEXT)


class Checkpoint(Base):
    """The last state of a cohort, to carry on from or to take the weights of."""

    __tablename__ = "training_checkpoints"

    cohort_id: Mapped[int] = mapped_column(
        ForeignKey("training_cohorts.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    epoch: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    payload: Mapped[bytes] = mapped_column(LONG_BYTES)


class Opening(Base):
    """One time that the test set was opened: repeats show, also when their study was deleted.

    ``study_name`` is of a study that was deleted.
    """

    __tablename__ = "training_test_openings"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    study_id: Mapped[int | None] = mapped_column(
        ForeignKey("training_studies.id", ondelete="SET NULL"), index=True
    )
    opened_at: Mapped[datetime]
    data_fingerprint: Mapped[str] = mapped_column(String(128), index=True)
    stage: Mapped[str | None] = mapped_column(String(64))
    refit: Mapped[str] = mapped_column(String(32))
    recipe: Mapped[dict[str, Any]]
    n_test: Mapped[int]
    versions: Mapped[dict[str, Any]]
    machine: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(LONG_TEXT)
    study_name: Mapped[str | None] = mapped_column(String(255))


class FinalRun(Base):
    """One final test run: what a trial, trained with one seed, reached on the test set."""

    __tablename__ = "training_test_runs"
    __table_args__ = (
        UniqueConstraint("opening_id", "rank", "replicate"),
        CheckConstraint(column("rank") >= 1, name="rank"),  # a word of MySQL's: to be quoted
        CheckConstraint("replicate >= 0", name="replicate"),
        accuracy("validation_accuracy"),
        accuracy("final_validation_accuracy"),
        accuracy("test_accuracy"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(
        ForeignKey("training_test_openings.id", ondelete="CASCADE")
    )
    rank: Mapped[int]
    trial_id: Mapped[int | None] = mapped_column(
        ForeignKey("training_trials.id", ondelete="SET NULL"), index=True
    )
    stage: Mapped[str] = mapped_column(String(64))
    params: Mapped[dict[str, Any]]
    validation_accuracy: Mapped[float | None]
    final_validation_accuracy: Mapped[float | None]
    test_accuracy: Mapped[float | None]
    test_loss: Mapped[float | None]
    confusion: Mapped[list[Any] | None]
    seconds: Mapped[float | None]
    epochs: Mapped[int | None]
    replicate: Mapped[int] = mapped_column(server_default="0")
    selection_bias: Mapped[float | None]
    test_cost: Mapped[float | None]


ENSEMBLE_METHODS: Final = get_args(EnsembleMethod)


class FinalEnsemble(Base):
    """Several networks of one opening that answer as one, and what they reached on the test set."""

    __tablename__ = "training_test_ensembles"
    __table_args__ = (
        UniqueConstraint("opening_id", "method"),
        one_of("method", *ENSEMBLE_METHODS),
        accuracy("test_accuracy"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(
        ForeignKey("training_test_openings.id", ondelete="CASCADE")
    )
    method: Mapped[str] = mapped_column(String(16))
    members: Mapped[list[Any]]
    n_networks: Mapped[int]
    test_accuracy: Mapped[float]
    test_loss: Mapped[float | None]
    confusion: Mapped[list[Any]]
    outcomes: Mapped[bytes] = mapped_column(LONG_BYTES)


class SampleOutcomes(Base):
    """What a run predicted for each sample of a split, packed by the trainer.

    Of the validation split, at the epoch that counts, for a training run; of the test set for a
    final test run.
    """

    __tablename__ = "training_outcomes"
    __table_args__ = (
        CheckConstraint("(run_id IS NULL) <> (test_run_id IS NULL)", name="owner"),
        CheckConstraint("(split = 'test') = (run_id IS NULL)", name="split"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int | None] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), unique=True
    )
    test_run_id: Mapped[int | None] = mapped_column(
        ForeignKey("training_test_runs.id", ondelete="CASCADE"), unique=True
    )
    split: Mapped[str] = mapped_column(String(16))
    payload: Mapped[bytes] = mapped_column(LONG_BYTES)


QUEUE_STATES: Final = ("waiting", "paused", "running", "finished", "failed", "cancelled")


class QueueEntry(Base):
    """A lab that was submitted, whole, and where a service stands with it.

    Of those with the highest priority, the one with the lowest id comes first.
    """

    __tablename__ = "training_queue"
    __table_args__ = (
        one_of("state", *QUEUE_STATES),
        CheckConstraint("tries >= 0", name="tries"),
        Index(None, "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    content: Mapped[str] = mapped_column(LONG_TEXT)
    # Anything: an entry that somebody else wrote fails by itself, and stops no other.
    options: Mapped[dict[str, Any]] = mapped_column(StrictJson())
    state: Mapped[str] = mapped_column(String(16))
    to_cancel: Mapped[bool]
    submitted_by: Mapped[str] = mapped_column(String(255))
    submitted_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    tries: Mapped[int]
    progress: Mapped[str] = mapped_column(LONG_TEXT)
    error: Mapped[str | None] = mapped_column(LONG_TEXT)
    answers: Mapped[list[Any]]
    driver_host: Mapped[str | None] = mapped_column(String(255))
    driver_pid: Mapped[int | None]
    priority: Mapped[int] = mapped_column(server_default="0")
    to_pause: Mapped[bool | None]


class Measurement(Base):
    """A small figure measured once on this machine, such as how wide a cohort should be."""

    __tablename__ = "training_measurements"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[Json] = mapped_column(StrictJson)
    measured_at: Mapped[datetime]
