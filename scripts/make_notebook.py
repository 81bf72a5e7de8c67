#!/usr/bin/env python3
"""Run docs/notebook.ipynb in a folder of its own and write what it shows into it.

Run it after a change of what notebooks show; a test runs the same and compares. Needs nbclient and
ipykernel, which the extra ``dev`` brings.
"""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
# Times differ from run to run: those of a ranking are the last column, in text and in HTML.
_TIMES = re.compile(r"(?<=[\d–]) +\d+\.\d\d$|>\d+\.\d\d(?=</td></tr>)", re.MULTILINE)


def executed(path: Path = NOTEBOOK) -> Any:
    """Return the notebook with the outputs of a run of all its cells.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=300,
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "made_with": made_with(),
    }
    return notebook


def made_with() -> dict[str, Any]:
    """Return what the last digits of results depend on."""
    from coarsefine.models.blas_threads import n_cores
    from coarsefine.studies.environment import machine, versions

    return {
        "numpy": versions()["numpy"],
        "processor": machine()["processor"],
        "cores": n_cores(),
    }


def shown(notebook: Any) -> list[list[tuple[str, str]]]:
    """Return what each code cell shows: kinds of outputs, and their texts without times."""
    return [
        [(_kind(output), _text(output)) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _kind(output: Any) -> str:
    return " ".join([output.output_type, *sorted(output.get("data", {}))])


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    texts = [output.data[kind] for kind in ("text/plain", "text/html") if kind in output.data]
    return _TIMES.sub("", "\n".join(texts))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    nbformat.write(executed(), NOTEBOOK)
