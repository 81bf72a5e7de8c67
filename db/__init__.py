"""What is remembered: tables, checkpoints and Optuna's storage, in one database."""
