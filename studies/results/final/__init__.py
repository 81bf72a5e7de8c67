"""Results of final tests: evidence, columns and rows."""
