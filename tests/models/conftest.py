"""A data cache of their own for the tests that ask for one."""

import pytest

from coarsefine.models.data import prepared


@pytest.fixture
def private_cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(folder))
    monkeypatch.delenv("SEARCH_DATA_DIR", raising=False)
    prepared._open.clear()
    return folder
