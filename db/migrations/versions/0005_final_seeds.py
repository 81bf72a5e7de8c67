"""A trial may meet the test set with several seeds, and several networks may answer as one."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import DOUBLE, LONG_BYTES, LONG_TEXT

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RUNS = "training_test_runs"
_OLD_NAME = "uq_training_test_runs_opening_id_rank"
_NEW_NAME = "uq_training_test_runs_opening_id_rank_replicate"


def upgrade() -> None:
    """Give final test runs a seed, and make the table of ensembles."""
    with op.batch_alter_table(_RUNS, copy_from=_runs()) as runs:
        runs.add_column(sa.Column("replicate", sa.Integer(), nullable=False, server_default="0"))
        runs.add_column(sa.Column("selection_bias", DOUBLE, nullable=True))
        # MySQL needs an index of the openings at any time: the new one comes first.
        runs.create_unique_constraint(op.f(_NEW_NAME), ["opening_id", "rank", "replicate"])
        runs.drop_constraint(op.f(_OLD_NAME), type_="unique")
        runs.create_check_constraint(op.f("ck_training_test_runs_replicate"), "replicate >= 0")
    op.create_table(
        "training_test_ensembles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("opening_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("members", LONG_TEXT, nullable=False),
        sa.Column("n_networks", sa.Integer(), nullable=False),
        sa.Column("test_accuracy", DOUBLE, nullable=False),
        sa.Column("test_loss", DOUBLE, nullable=True),
        sa.Column("confusion", LONG_TEXT, nullable=False),
        sa.Column("outcomes", LONG_BYTES, nullable=False),
        sa.CheckConstraint(
            "method IN ('vote', 'mean')", name=op.f("ck_training_test_ensembles_method")
        ),
        sa.CheckConstraint(
            "test_accuracy BETWEEN 0 AND 1", name=op.f("ck_training_test_ensembles_test_accuracy")
        ),
        sa.ForeignKeyConstraint(
            ["opening_id"],
            ["training_test_openings.id"],
            name=op.f("fk_training_test_ensembles_opening_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_test_ensembles")),
        sa.UniqueConstraint(
            "opening_id", "method", name=op.f("uq_training_test_ensembles_opening_id_method")
        ),
    )


def downgrade() -> None:
    """Drop the table, and what other seeds than the first reached."""
    op.drop_table("training_test_ensembles")
    op.execute(f"DELETE FROM {_RUNS} WHERE replicate > 0")  # noqa: S608  # a constant
    with op.batch_alter_table(_RUNS) as runs:
        runs.create_unique_constraint(op.f(_OLD_NAME), ["opening_id", "rank"])
        runs.drop_constraint(op.f(_NEW_NAME), type_="unique")
        runs.drop_constraint(op.f("ck_training_test_runs_replicate"), type_="check")
        runs.drop_column("selection_bias")
        runs.drop_column("replicate")


def _runs() -> sa.Table:
    """Return the table as 0001 made it: SQLite makes it anew, and checks cannot be read back."""
    return sa.Table(
        _RUNS,
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("opening_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=True),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("params", LONG_TEXT, nullable=False),
        sa.Column("validation_accuracy", DOUBLE, nullable=True),
        sa.Column("final_validation_accuracy", DOUBLE, nullable=True),
        sa.Column("test_accuracy", DOUBLE, nullable=True),
        sa.Column("test_loss", DOUBLE, nullable=True),
        sa.Column("confusion", LONG_TEXT, nullable=True),
        sa.Column("seconds", DOUBLE, nullable=True),
        sa.Column("epochs", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "final_validation_accuracy BETWEEN 0 AND 1",
            name=op.f("ck_training_test_runs_final_validation_accuracy"),
        ),
        sa.CheckConstraint(sa.column("rank") >= 1, name=op.f("ck_training_test_runs_rank")),
        sa.CheckConstraint(
            "test_accuracy BETWEEN 0 AND 1", name=op.f("ck_training_test_runs_test_accuracy")
        ),
        sa.CheckConstraint(
            "validation_accuracy BETWEEN 0 AND 1",
            name=op.f("ck_training_test_runs_validation_accuracy"),
        ),
        sa.ForeignKeyConstraint(
            ["opening_id"],
            ["training_test_openings.id"],
            name=op.f("fk_training_test_runs_opening_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["training_trials.id"],
            name=op.f("fk_training_test_runs_trial_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_test_runs")),
        sa.UniqueConstraint("opening_id", "rank", name=op.f(_OLD_NAME)),
        sa.Index(op.f("ix_training_test_runs_trial_id"), "trial_id"),
    )
