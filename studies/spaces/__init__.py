"""Spaces: what is searched, and how a search narrows."""
