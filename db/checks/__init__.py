"""Checks of a whole database, and repairs."""
