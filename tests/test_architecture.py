"""Imports point down: the contracts of pyproject.toml."""

import sys
from pathlib import Path

import pytest

from scripts.link_tree import link_tree

ROOT = Path(__file__).parents[1]


def test_imports_point_down(monkeypatch, capsys, tmp_path):
    cli = pytest.importorskip("importlinter.cli")
    # In a process that has imported the package, its place is known already.
    for name in [name for name in sys.modules if name.split(".")[0] == "coarsefine"]:
        monkeypatch.delitem(sys.modules, name)
    # It would switch off every logger there is, for the tests after this one as well.
    monkeypatch.setattr(cli.logging_config, "dictConfig", lambda config: None)
    # Import-linter looks in the current folder first.
    monkeypatch.chdir(link_tree(tmp_path))

    status = cli.lint_imports(str(ROOT / "pyproject.toml"), cache_dir=None, no_cache=True)

    assert status == 0, capsys.readouterr().out
