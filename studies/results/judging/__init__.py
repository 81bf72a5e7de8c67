"""Judging a ranking: intervals of its trials, and ties with the best."""
