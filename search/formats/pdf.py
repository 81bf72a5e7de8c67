"""A report as PDF: its LaTeX, set by pdflatex where there is one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coarsefine.search.errors import ExportError

_COMPILER: Final = "pdflatex"
_SECONDS: Final = 120


def check_compiler() -> str:
    """Return where pdflatex is.

    Raises:
        ExportError: If there is none; says what to do without.
    """
    found = shutil.which(_COMPILER)
    if found is None:
        raise ExportError(
            "a .pdf report needs pdflatex, which is not on this machine; write report.html and "
            "print it from a browser, or report.tex and set it elsewhere"
        )
    return found


def compiled(source: bytes, folder: str, figures: Mapping[str, bytes]) -> bytes:
    """Return the PDF of a LaTeX source.

    Args:
        source: The file.
        folder: Where it looks for figures.
        figures: Their files, by name.

    Raises:
        ExportError: If pdflatex is not there, or fails.
    """
    compiler = check_compiler()
    with tempfile.TemporaryDirectory(prefix="report-") as place:
        room = Path(place)
        (room / "report.tex").write_bytes(source)
        (room / folder).mkdir()
        for name, contents in figures.items():
            (room / folder / name).write_bytes(contents)
        # Twice: tables that go over pages know their widths the second time.
        for _ in range(2):
            _run(compiler, room)
        return (room / "report.pdf").read_bytes()


def _run(compiler: str, room: Path) -> None:
    command = [compiler, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error"]
    # Nothing outside the folder is read or written, and the same report is the same file.
    closed = {"openin_any": "p", "openout_any": "p"}
    dated = {"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    try:
        done = subprocess.run(  # noqa: S603  # a program by its full path, no shell
            [*command, "report.tex"],
            cwd=room,
            env={**os.environ, **closed, **dated},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{_COMPILER} did not come to an end: {error}") from error
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        why = next((line for line in lines if line.startswith("! ")), "! it says nothing")
        raise ExportError(f"{_COMPILER} failed: {why[2:]}; write report.tex to see the source")
