"""Optuna's side of the database: its tables, storage, samplers and dashboard."""
