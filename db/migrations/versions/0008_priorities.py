"""Entries of the queue have priorities, and can be paused."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import LONG_TEXT

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_QUEUE = "training_queue"
_STATE = "ck_training_queue_state"
_WITHOUT = "state IN ('waiting', 'running', 'finished', 'failed', 'cancelled')"
_WITH = "state IN ('waiting', 'paused', 'running', 'finished', 'failed', 'cancelled')"


def upgrade() -> None:
    """Add the columns, and the state."""
    with op.batch_alter_table(_QUEUE, copy_from=_queue()) as queue:
        queue.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        queue.add_column(sa.Column("to_pause", sa.Boolean(), nullable=True))
        queue.drop_constraint(op.f(_STATE), type_="check")
        queue.create_check_constraint(op.f(_STATE), _WITH)


def downgrade() -> None:
    """Drop the columns; what is paused waits again."""
    op.execute(f"UPDATE {_QUEUE} SET state = 'waiting' WHERE state = 'paused'")  # noqa: S608
    with op.batch_alter_table(_QUEUE) as queue:
        queue.drop_constraint(op.f(_STATE), type_="check")
        queue.create_check_constraint(op.f(_STATE), _WITHOUT)
        queue.drop_column("to_pause")
        queue.drop_column("priority")


def _queue() -> sa.Table:
    """Return the table as 0003 made it: SQLite makes it anew, and checks cannot be read back."""
    return sa.Table(
        _QUEUE,
        sa.MetaData(),
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
        sa.CheckConstraint(_WITHOUT, name=op.f(_STATE)),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_training_queue_tries")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_queue")),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_queue_uuid")),
        sa.Index(op.f("ix_training_queue_state"), "state"),
    )
