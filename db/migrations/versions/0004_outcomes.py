"""What runs predicted for each sample is kept in a table of its own."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import LONG_BYTES

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "training_outcomes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("test_run_id", sa.Integer(), nullable=True),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("payload", LONG_BYTES, nullable=False),
        sa.CheckConstraint(
            "(run_id IS NULL) <> (test_run_id IS NULL)", name=op.f("ck_training_outcomes_owner")
        ),
        sa.CheckConstraint(
            "(split = 'test') = (run_id IS NULL)", name=op.f("ck_training_outcomes_split")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
            name=op.f("fk_training_outcomes_run_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["test_run_id"],
            ["training_test_runs.id"],
            name=op.f("fk_training_outcomes_test_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_outcomes")),
        sa.UniqueConstraint("run_id", name=op.f("uq_training_outcomes_run_id")),
        sa.UniqueConstraint("test_run_id", name=op.f("uq_training_outcomes_test_run_id")),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("training_outcomes")
