"""Curves may hold running accuracy and loss, and a run says why it failed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Plain additions: SQLite changes no row, however many there are."""
    op.add_column("training_epochs", sa.Column("running_accuracy", sa.Float(), nullable=True))
    op.add_column("training_epochs", sa.Column("running_loss", sa.Float(), nullable=True))
    op.add_column("training_runs", sa.Column("failure", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("training_runs", "failure")
    op.drop_column("training_epochs", "running_loss")
    op.drop_column("training_epochs", "running_accuracy")
