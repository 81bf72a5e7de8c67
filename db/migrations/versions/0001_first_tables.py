"""The first tables: studies, stages, trials, cohorts, runs, curves, checkpoints, test openings."""

import sqlalchemy as sa
from alembic import op

from coarsefine.db.column_types import DOUBLE, LONG_BYTES, LONG_TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "training_measurements",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", LONG_TEXT, nullable=False),
        sa.Column("measured_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_training_measurements")),
    )
    op.create_table(
        "training_studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("search", sa.String(length=64), nullable=False),
        sa.Column("recipe", LONG_TEXT, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("data_name", sa.String(length=255), nullable=False),
        sa.Column("data_fingerprint", sa.String(length=128), nullable=False),
        sa.Column("data", LONG_TEXT, nullable=False),
        sa.Column("versions", LONG_TEXT, nullable=False),
        sa.Column("machine", LONG_TEXT, nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("driver_host", sa.String(length=255), nullable=True),
        sa.Column("driver_pid", sa.Integer(), nullable=True),
        sa.Column("driver_since", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_studies")),
        sa.UniqueConstraint("name", name=op.f("uq_training_studies_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_studies_uuid")),
    )
    op.create_table(
        "training_stages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("optuna_name", sa.String(length=320), nullable=True),
        sa.Column("parent", sa.String(length=64), nullable=True),
        sa.Column("parameter", sa.String(length=64), nullable=False),
        sa.Column("low", DOUBLE, nullable=True),
        sa.Column("high", DOUBLE, nullable=True),
        sa.Column("values", LONG_TEXT, nullable=True),
        sa.Column("sampler", sa.String(length=64), nullable=False),
        sa.Column("reason", LONG_TEXT, nullable=False),
        sa.Column("options", LONG_TEXT, nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.CheckConstraint("low <= high", name=op.f("ck_training_stages_window")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_training_stages_position")),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["training_studies.id"],
            name=op.f("fk_training_stages_study_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_stages")),
        sa.UniqueConstraint("study_id", "name", name=op.f("uq_training_stages_study_id_name")),
        sa.UniqueConstraint(
            "study_id", "position", name=op.f("uq_training_stages_study_id_position")
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_stages_uuid")),
    )
    op.create_table(
        "training_test_openings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.String(length=32), nullable=False),
        sa.Column("data_fingerprint", sa.String(length=128), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=True),
        sa.Column("refit", sa.String(length=32), nullable=False),
        sa.Column("recipe", LONG_TEXT, nullable=False),
        sa.Column("n_test", sa.Integer(), nullable=False),
        sa.Column("versions", LONG_TEXT, nullable=False),
        sa.Column("machine", LONG_TEXT, nullable=False),
        sa.Column("note", LONG_TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["training_studies.id"],
            name=op.f("fk_training_test_openings_study_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_test_openings")),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_test_openings_uuid")),
    )
    op.create_index(
        op.f("ix_training_test_openings_data_fingerprint"),
        "training_test_openings",
        ["data_fingerprint"],
    )
    op.create_index(
        op.f("ix_training_test_openings_study_id"), "training_test_openings", ["study_id"]
    )
    op.create_table(
        "training_cohorts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("stage_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("replicate", sa.Integer(), nullable=False),
        sa.Column("blas_threads", sa.Integer(), nullable=False),
        sa.Column("plan", LONG_TEXT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("epochs_done", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('planned', 'done')", name=op.f("ck_training_cohorts_state")),
        sa.CheckConstraint("blas_threads >= 1", name=op.f("ck_training_cohorts_blas_threads")),
        sa.CheckConstraint("epochs_done >= 0", name=op.f("ck_training_cohorts_epochs_done")),
        sa.CheckConstraint("position >= 0", name=op.f("ck_training_cohorts_position")),
        sa.ForeignKeyConstraint(
            ["stage_id"],
            ["training_stages.id"],
            name=op.f("fk_training_cohorts_stage_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_cohorts")),
        sa.UniqueConstraint(
            "stage_id", "position", name=op.f("uq_training_cohorts_stage_id_position")
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_cohorts_uuid")),
    )
    op.create_table(
        "training_trials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("stage_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("params", LONG_TEXT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("validation_accuracy", DOUBLE, nullable=True),
        sa.Column("validation_loss", DOUBLE, nullable=True),
        sa.Column("train_accuracy", DOUBLE, nullable=True),
        sa.Column("replicates", sa.Integer(), nullable=False),
        sa.Column("seconds", DOUBLE, nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'complete', 'diverged', 'pruned', 'failed')",
            name=op.f("ck_training_trials_state"),
        ),
        sa.CheckConstraint("position >= 0", name=op.f("ck_training_trials_position")),
        sa.CheckConstraint(
            "train_accuracy BETWEEN 0 AND 1", name=op.f("ck_training_trials_train_accuracy")
        ),
        sa.CheckConstraint(
            "validation_accuracy BETWEEN 0 AND 1",
            name=op.f("ck_training_trials_validation_accuracy"),
        ),
        sa.ForeignKeyConstraint(
            ["stage_id"],
            ["training_stages.id"],
            name=op.f("fk_training_trials_stage_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_trials")),
        sa.UniqueConstraint("stage_id", "number", name=op.f("uq_training_trials_stage_id_number")),
        sa.UniqueConstraint(
            "stage_id", "position", name=op.f("uq_training_trials_stage_id_position")
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_training_trials_uuid")),
    )
    op.create_table(
        "training_checkpoints",
        sa.Column("cohort_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("payload", LONG_BYTES, nullable=False),
        sa.ForeignKeyConstraint(
            ["cohort_id"],
            ["training_cohorts.id"],
            name=op.f("fk_training_checkpoints_cohort_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("cohort_id", name=op.f("pk_training_checkpoints")),
    )
    op.create_table(
        "training_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("cohort_id", sa.Integer(), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("replicate", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("recipe_key", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("updates", sa.Integer(), nullable=False),
        sa.Column("validation_accuracy", DOUBLE, nullable=True),
        sa.Column("validation_loss", DOUBLE, nullable=True),
        sa.Column("train_accuracy", DOUBLE, nullable=True),
        sa.Column("train_loss", DOUBLE, nullable=True),
        sa.Column("best_epoch", sa.Integer(), nullable=True),
        sa.Column("seconds", DOUBLE, nullable=True),
        sa.Column("reused_from", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'complete', 'diverged', 'pruned', 'failed')",
            name=op.f("ck_training_runs_state"),
        ),
        sa.CheckConstraint(
            "(cohort_id IS NULL) = (slot IS NULL)", name=op.f("ck_training_runs_slot")
        ),
        sa.CheckConstraint(
            "train_accuracy BETWEEN 0 AND 1", name=op.f("ck_training_runs_train_accuracy")
        ),
        sa.CheckConstraint(
            "validation_accuracy BETWEEN 0 AND 1", name=op.f("ck_training_runs_validation_accuracy")
        ),
        sa.ForeignKeyConstraint(
            ["cohort_id"],
            ["training_cohorts.id"],
            name=op.f("fk_training_runs_cohort_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["reused_from"],
            ["training_runs.id"],
            name=op.f("fk_training_runs_reused_from"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["training_trials.id"],
            name=op.f("fk_training_runs_trial_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_runs")),
        sa.UniqueConstraint("cohort_id", "slot", name=op.f("uq_training_runs_cohort_id_slot")),
        sa.UniqueConstraint(
            "trial_id", "replicate", name=op.f("uq_training_runs_trial_id_replicate")
        ),
    )
    op.create_index(
        op.f("ix_training_runs_recipe_key_state"), "training_runs", ["recipe_key", "state"]
    )
    op.create_index(op.f("ix_training_runs_reused_from"), "training_runs", ["reused_from"])
    op.create_table(
        "training_test_runs",
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
        sa.UniqueConstraint(
            "opening_id", "rank", name=op.f("uq_training_test_runs_opening_id_rank")
        ),
    )
    op.create_index(op.f("ix_training_test_runs_trial_id"), "training_test_runs", ["trial_id"])
    op.create_table(
        "training_epochs",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("eta", DOUBLE, nullable=True),
        sa.Column("train_loss", DOUBLE, nullable=True),
        sa.Column("train_cost", DOUBLE, nullable=True),
        sa.Column("train_accuracy", DOUBLE, nullable=True),
        sa.Column("validation_loss", DOUBLE, nullable=True),
        sa.Column("validation_cost", DOUBLE, nullable=True),
        sa.Column("validation_accuracy", DOUBLE, nullable=True),
        sa.Column("seconds", DOUBLE, nullable=True),
        sa.Column("evaluation_seconds", DOUBLE, nullable=True),
        sa.CheckConstraint("epoch >= 0", name=op.f("ck_training_epochs_epoch")),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
            name=op.f("fk_training_epochs_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "epoch", name=op.f("pk_training_epochs")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("training_epochs")
    op.drop_table("training_test_runs")
    op.drop_table("training_runs")
    op.drop_table("training_checkpoints")
    op.drop_table("training_trials")
    op.drop_table("training_cohorts")
    op.drop_table("training_test_openings")
    op.drop_table("training_stages")
    op.drop_table("training_studies")
    op.drop_table("training_measurements")
