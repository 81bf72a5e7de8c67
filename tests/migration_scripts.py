"""Alembic's scripts of migrations, executed once a process.

Alembic executes all of them, and those of Optuna, several times whenever a database is opened:
a quarter of what a small search takes. What runs them (``env.py``) is executed each time.
"""

from functools import cache
from pathlib import Path

import alembic.script.base
from alembic.util import load_python_file

_kept = cache(load_python_file)


def _loaded(folder, name):
    return load_python_file(folder, name) if name == "env.py" else _kept(folder, name)


def keep():
    """Have scripts executed once from now on."""
    alembic.script.base.util.load_python_file = _loaded


def execute():
    """Execute all scripts now: ours and Optuna's."""
    from optuna.storages import _rdb

    from coarsefine.db import migrations

    for folder in (*migrations.__path__, f"{_rdb.__path__[0]}/alembic"):
        for path in Path(folder, "versions").glob("*.py"):
            _kept(path.parent, path.name)
