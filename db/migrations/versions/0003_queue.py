"""What was submitted to a service waits in a table of its own."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import LONG_TEXT

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "training_queue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content", LONG_TEXT, nullable=False),
        sa.Column("options", LONG_TEXT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("to_cancel", sa.Boolean(), nullable=False),
        sa.Column("submitted_by", sa.String(length=255), nullable=False),
        sa.Column("submitted_at", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.String(length=32), nullable=True),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("progress", LONG_TEXT, nullable=False),
        sa.Column("error", LONG_TEXT, nullable=True),
        sa.Column("answers", LONG_TEXT, nullable=False),
        sa.Column("driver_host", sa.String(length=255), nullable=True),
        sa.Column("driver_pid", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'finished', 'failed', 'cancelled')",
            name=op.f("ck_training_queue_state"),
        ),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_training_queue_tries")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_queue")),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_queue_uuid")),
    )
    op.create_index(op.f("ix_training_queue_state"), "training_queue", ["state"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("training_queue")
