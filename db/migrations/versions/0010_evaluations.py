"""What was measured within epochs is kept in a table of its own."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import DOUBLE

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    measures = ("validation_loss", "validation_accuracy", "batch_loss", "batch_deviation")
    op.create_table(
        "training_evaluations",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, DOUBLE, nullable=True) for name in measures),
        sa.CheckConstraint(
            "validation_accuracy BETWEEN 0 AND 1",
            name=op.f("ck_training_evaluations_validation_accuracy"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
            name=op.f("fk_training_evaluations_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "step", name=op.f("pk_training_evaluations")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("training_evaluations")
