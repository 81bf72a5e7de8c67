"""SQL statements, compiled once a process.

Engines keep what they have compiled for themselves, and nearly every test opens databases of its
own, each with two engines: ours and Optuna's. Compiling was an eighth of what a small search takes.
"""

from sqlalchemy import util
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine

_made = Engine.__init__
_shared = util.LRUCache(10_000)


def _with_shared_statements(engine, *args, **options):
    _made(engine, *args, **options)
    if engine._compiled_cache is not None and type(engine.dialect) is SQLiteDialect_pysqlite:
        engine._compiled_cache = _shared


def keep():
    """Have statements for SQLite files compiled once from now on."""
    Engine.__init__ = _with_shared_statements
    # A statement is kept for a dialect, and those of all files are alike.
    SQLiteDialect_pysqlite.__eq__ = lambda one, other: type(one) is type(other)
    SQLiteDialect_pysqlite.__hash__ = lambda dialect: hash(type(dialect))
