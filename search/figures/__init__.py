"""Figures of a study, from the database alone: functions that return matplotlib figures.

Nothing is trained for them, no display is needed, and equal studies give equal files.
"""
