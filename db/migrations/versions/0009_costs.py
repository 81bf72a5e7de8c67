"""Curves hold the sum of squared weights, and final tests the loss with the penalty."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import DOUBLE

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Plain additions: SQLite changes no row, however many there are."""
    op.add_column("training_epochs", sa.Column("squared_weights", DOUBLE, nullable=True))
    op.add_column("training_test_runs", sa.Column("test_cost", DOUBLE, nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("training_test_runs", "test_cost")
    op.drop_column("training_epochs", "squared_weights")
