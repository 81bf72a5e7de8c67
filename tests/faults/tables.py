"""Tampering with a database behind the program's back."""

import sqlite3
from contextlib import closing


def tamper(path, *statements):
    """Carry out SQL without foreign keys; return how many rows the last one changed."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            changed = connection.execute(statement).rowcount
    return changed


def rows(path, query, *values):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()
