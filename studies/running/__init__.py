"""Running: the loop, its executors and the final test."""
