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


@pytest.mark.slow
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


INTERRUPTED = """
import os, signal, threading, time
from coarsefine import Study, StudyError

study = Study.search("lambda", hidden=8, cycles=150, progress=True)

def interrupt():
    # Before a segment is trained, a search ends at once.
    n_trained = 0
    while not n_trained:
        time.sleep(0.05)
        try:
            n_trained = len(study.curves())
        except StudyError:
            continue
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    study.coarse(trials=4, replicates=16)
except KeyboardInterrupt as stopped:
    print(stopped)
"""
CARRIED_ON = "len(study.coarse(trials=4, replicates=16)), {trial.state for trial in study.ranking}"


@pytest.mark.slow
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")
def test_interrupting_a_kernel_ends_a_search_which_the_same_cell_carries_on(script, tmp_path):
    import nbformat

    cells = [INTERRUPTED, "[trial.state for trial in study.ranking]", CARRIED_ON]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "n.ipynb")

    first, second, third = script["shown"](script["executed"](tmp_path / "n.ipynb"))

    assert "interrupt again to stop at once" in first[0][1]
    assert "the same call carries on" in first[-1][1]
    assert "planned" in second[0][1] or "running" in second[0][1]
    assert third[-1][1] == "(4, {'complete'})"
