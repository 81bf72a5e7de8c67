"""The searches that are known by name."""
