"""Tables as LaTeX sets them: without errors, and no wider or longer than a page."""

import re
import shutil
import subprocess

import pytest

from coarsefine.search.formats.exports import FORMATS
from coarsefine.search.report.files import rendered
from coarsefine.search.tables.ranking import of_ranking
from coarsefine.search.tables.table import Selection
from coarsefine.studies.reports.parts import Code, Column, Report, Section, Table
from tests.search.test_columns import TRIAL, ranking_of

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")

HOSTILE = r"a_b%c&d#e$f\g^h~i {j} --option λ日é½±…"
SEARCHED = {"lambda": 1e-5, "eta": 0.01, "momentum": 0.9, "label_smoothing": 0.1, "eta_max": 0.1}


def too_large(source, folder):
    """Set a source; return by how many points boxes are wider or higher than there is room."""
    (folder / "all.tex").write_bytes(source)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-1500:]
    return [float(points) for points in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", said)]


def test_pdflatex_sets_exported_tables_on_a_page(tmp_path):
    few = ranking_of(TRIAL._replace(stage=HOSTILE))
    wide = ranking_of(TRIAL._replace(stage=HOSTILE * 2, params=SEARCHED))
    many = ranking_of(*[TRIAL] * 60)
    tables = [
        of_ranking(few),
        of_ranking(wide),
        of_ranking(many),
        of_ranking(ranking_of(*[TRIAL._replace(stage=HOSTILE * 2, params=SEARCHED)] * 60)),
        Selection(columns=",".join(of_ranking(few).cells)).of(of_ranking(few)),
    ]
    sources = [FORMATS["tex"](table) for table in tables]
    packages = {"booktabs"}
    for source in sources:
        for named in re.findall(rb"needs \\usepackage{([\w,]+)}", source):
            packages.update(named.decode().split(","))
    head = "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage{%s}\n"
    body = b"\n\n\\clearpage\n".join(sources)

    boxes = too_large(
        (head % ",".join(packages)).encode() + b"\\begin{document}\n" + body + b"\\end{document}\n",
        tmp_path,
    )

    assert packages == {"booktabs", "lscape", "longtable", "array", "graphicx"}
    # A table of all the columns there are is as wide as it is.
    assert max(boxes[:-1], default=0.0) < 8


def test_pdflatex_sets_reports_on_a_page(tmp_path):
    numbers = tuple(Column(f"number {i} of many", "value") for i in range(18))
    tables = (
        Table(HOSTILE, (Column(HOSTILE), Column("n", "whole")), ((HOSTILE * 3, 1),) * 60),
        Table("wide", numbers, ((0.012345,) * 18,) * 3, frozenset({0})),
        Table("words", (Column("class"), *numbers[:5]), ((HOSTILE * 2, *(0.97,) * 5),)),
    )
    blocks = (*tables, Code("lines", f"  {HOSTILE}\n--option"))
    report = Report(HOSTILE, "about", True, 1, (Section("one", "One", blocks),))

    boxes = too_large(rendered(report, "tex", {}, "f").page, tmp_path)

    assert max(boxes, default=0.0) < 8
