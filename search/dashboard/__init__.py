"""Optuna's dashboard over our database, with what it does not know of: notes, figures, a guard."""
