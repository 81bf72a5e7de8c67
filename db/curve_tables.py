"""What is remembered of training runs as they go: rows a run and epoch, or a run and evaluation."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from coarsefine.db.table_base import Base, accuracy


class Epoch(Base):
    """One row of a curve. Losses are without the penalty, costs with it.

    Running measures are of each batch before its update, averaged over the epoch.
    """

    __tablename__ = "training_epochs"
    __table_args__ = (
        CheckConstraint("epoch >= 0", name="epoch"),
        {"sqlite_with_rowid": False},
    )

    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[int]
    eta: Mapped[float | None]
    train_loss: Mapped[float | None]
    train_cost: Mapped[float | None]
    train_accuracy: Mapped[float | None]
    validation_loss: Mapped[float | None]
    validation_cost: Mapped[float | None]
    validation_accuracy: Mapped[float | None]
    seconds: Mapped[float | None]
    evaluation_seconds: Mapped[float | None]
    running_accuracy: Mapped[float | None]
    running_loss: Mapped[float | None]
    squared_weights: Mapped[float | None]


class Evaluation(Base):
    """One evaluation of a run whose epochs have several: what lies between the rows of its curve.

    Losses of batches are of those since the evaluation before, each before its update.
    """

    __tablename__ = "training_evaluations"
    __table_args__ = (accuracy("validation_accuracy"), {"sqlite_with_rowid": False})

    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    validation_loss: Mapped[float | None]
    validation_accuracy: Mapped[float | None]
    batch_loss: Mapped[float | None]
    batch_deviation: Mapped[float | None]


class RunMetrics(Base):
    """What a custom trainer reported after an epoch under names of its own."""

    __tablename__ = "training_metrics"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    metrics: Mapped[dict[str, Any]]
