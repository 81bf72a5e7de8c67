"""Curves may hold running accuracy and loss, and a run says why it failed."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import DOUBLE, LONG_TEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Plain additions: SQLite changes no row, however many there are."""
    op.add_column("training_epochs", sa.Column("running_accuracy", DOUBLE, nullable=True))
    op.add_column("training_epochs", sa.Column("running_loss", DOUBLE, nullable=True))
    op.add_column("training_runs", sa.Column("failure", LONG_TEXT, nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("training_runs", "failure")
    op.drop_column("training_epochs", "running_loss")
    op.drop_column("training_epochs", "running_accuracy")
