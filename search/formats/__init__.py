"""Formats: how blocks and tables become files."""
