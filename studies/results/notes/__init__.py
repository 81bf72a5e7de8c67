"""Notes under a ranking: one check a file."""
