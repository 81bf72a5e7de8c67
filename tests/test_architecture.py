"""Imports point down: the contracts of pyproject.toml."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_imports_point_down(monkeypatch, capsys):
    cli = pytest.importorskip("importlinter.cli")
    monkeypatch.chdir(ROOT)

    status = cli.lint_imports(cache_dir=None, no_cache=True)

    assert status == 0, capsys.readouterr().out
