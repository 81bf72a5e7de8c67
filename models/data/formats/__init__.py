"""Readers: a file format each."""
