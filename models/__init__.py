"""NumPy networks, their trainer and their data. Knows nothing of Optuna or databases."""
