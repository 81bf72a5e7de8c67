"""The command line in folders of their own, for what may go wrong with it."""

import sys

import pytest

from coarsefine.models.data import prepared
from tests.faults.zygote import Zygote
from tests.search.conftest import begun, coarse, finished, own_cache, samples, search, study

__all__ = ["begun", "coarse", "finished", "own_cache", "samples", "search", "study"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch, own_cache):
    """An empty folder to work in, and no settings from outside."""
    for name in ("SEARCH_DATA_DIR", "SEARCH_STORAGE", "SEARCH_CACHE_LIMIT_GB", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # Where trainers of one's own were found is no place to look for those of the next test.
    monkeypatch.setattr(sys, "path", list(sys.path))
    prepared._open.clear()
    return tmp_path


@pytest.fixture(scope="session")
def zygote():
    """A process with everything imported, for command lines that come to harm."""
    with Zygote() as made:
        yield made


@pytest.fixture(scope="session")
def line(zygote):
    with zygote.line() as made:
        yield made
