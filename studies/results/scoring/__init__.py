"""Scores: what each run of a study predicted, as a score for every validation sample."""
