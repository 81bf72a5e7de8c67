"""Comparisons: studies by a test, values by time and updates."""
