"""Columns of tables: a row each, read by every face of the program."""
