"""Studies have tags, a note and a trash, and openings of the test set outlive their study."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import LONG_TEXT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STUDIES = "training_studies"
_OPENINGS = "training_test_openings"
_OWNER = "fk_training_test_openings_study_id"


def upgrade() -> None:
    """Add the columns, and let openings be without a study."""
    with op.batch_alter_table(_STUDIES) as studies:
        studies.add_column(sa.Column("tags", LONG_TEXT, nullable=True))
        studies.add_column(sa.Column("note", LONG_TEXT, nullable=True))
        studies.add_column(sa.Column("trashed_at", sa.String(length=32), nullable=True))
        studies.add_column(sa.Column("trashed_name", sa.String(length=255), nullable=True))
    _alter_openings(nullable=True, ondelete="SET NULL")
    op.add_column(_OPENINGS, sa.Column("study_name", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Drop the columns, what is in the trash, and openings whose study is gone."""
    op.execute(f"DELETE FROM {_OPENINGS} WHERE study_id IS NULL")  # noqa: S608  # a constant
    op.execute(f"DELETE FROM {_STUDIES} WHERE trashed_at IS NOT NULL")  # noqa: S608
    op.drop_column(_OPENINGS, "study_name")
    _alter_openings(nullable=False, ondelete="CASCADE")
    with op.batch_alter_table(_STUDIES) as studies:
        for name in ("trashed_name", "trashed_at", "note", "tags"):
            studies.drop_column(name)


def _alter_openings(*, nullable: bool, ondelete: str) -> None:
    with op.batch_alter_table(_OPENINGS) as openings:
        openings.drop_constraint(op.f(_OWNER), type_="foreignkey")
        openings.alter_column("study_id", existing_type=sa.Integer(), nullable=nullable)
        openings.create_foreign_key(op.f(_OWNER), _STUDIES, ["study_id"], ["id"], ondelete=ondelete)
