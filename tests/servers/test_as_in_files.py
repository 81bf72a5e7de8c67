"""What holds for a file holds on servers: the same tests once more."""

import inspect
from types import ModuleType

import tests.db.test_merging
import tests.db.test_optuna_studies
import tests.db.test_queue
import tests.db.test_repository
import tests.db.test_tidying


def take_over(module: ModuleType) -> None:
    """Have those tests of a module that need a database, and do not look into its file."""
    for name, test in vars(module).items():
        if name.startswith("test_"):
            needed = set(inspect.signature(test).parameters)
            if {"db", "planned"} & needed and "path" not in needed:
                globals()[name] = test


take_over(tests.db.test_repository)
take_over(tests.db.test_queue)
take_over(tests.db.test_optuna_studies)
take_over(tests.db.test_tidying)
take_over(tests.db.test_merging)
