"""Notebooks in a kernel of their own: the example of docs/, progress, and interrupts."""

import runpy
import sys
from pathlib import Path

import pytest

from tests.search.test_library import HARMLESS, Tags

ROOT = Path(__file__).parents[2]
LARGEST = 300_000


@pytest.fixture
def script(monkeypatch):
    for needed in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(needed, reason=f"notebooks need {needed}: pip install -e '.[dev]'")
    # The kernel of this environment, whichever others are installed.
    monkeypatch.setenv("JUPYTER_PATH", str(Path(sys.prefix) / "share" / "jupyter"))
    return runpy.run_path(str(ROOT / "scripts" / "make_notebook.py"))


@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")
def test_the_example_notebook_runs_and_shows_what_it_showed(script):
    import nbformat

    committed = nbformat.read(script["NOTEBOOK"], as_version=4)
    now = script["executed"]()

    nbformat.validate(committed)
    assert script["NOTEBOOK"].stat().st_size < LARGEST
    same = now.metadata["made_with"] == committed.metadata["made_with"]
    then_shown, now_shown = script["shown"](committed), script["shown"](now)
    if not same:
        # Other processors round differently: what is shown is, but not each digit.
        then_shown, now_shown = (
            [[kind for kind, _ in cell] for cell in shown] for shown in (then_shown, now_shown)
        )
    assert now_shown == then_shown, "run scripts/make_notebook.py"
    for cell in now.cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            # The style of a data frame is pandas' own.
            assert "dataframe" in html or set(Tags(html).found) <= HARMLESS
