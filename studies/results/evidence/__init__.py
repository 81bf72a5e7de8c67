"""What outcomes of single samples say of trials: pure functions on arrays, NumPy and SciPy only."""
