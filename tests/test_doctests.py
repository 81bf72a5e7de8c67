"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

from coarsefine import db, models, search, studies

MODULES = [
    module.name
    for package in (db, models, search, studies)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    # Alembic runs these; they cannot be imported otherwise.
    if ".migrations" not in module.name and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    runner = doctest.DocTestRunner()
    for docstring in doctest.DocTestFinder().find(importlib.import_module(name)):
        # Before each run, the runner looks at all files that Python has the lines of.
        if docstring.examples:
            runner.run(docstring)

    assert runner.failures == 0
