#!/usr/bin/env python3
"""Write the part of docs/tables.md that says which columns there are; ``--check`` only compares."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "tables.md"
sys.path.insert(0, str(PAGE.parent.parent))  # run from a clone, installed or not

from coarsefine.studies.results.classes import CLASSES  # noqa: E402
from coarsefine.studies.results.columns.rankings import COLUMNS  # noqa: E402
from coarsefine.studies.results.curves.columns import EPOCHS  # noqa: E402
from coarsefine.studies.results.evaluations import EVALUATIONS  # noqa: E402
from coarsefine.studies.results.final.columns import FINAL_TEST  # noqa: E402
from coarsefine.studies.results.trial_pairs import PAIRS  # noqa: E402

BEGIN = "<!-- from studies/results/columns/rankings.py: scripts/make_table_docs.py -->"
END = "<!-- end of columns -->"

TABLES = (
    ("The ranking", "`--what ranking`: a row a trial, best first.", COLUMNS),
    (
        "Curves",
        "`--what curves`: a row an epoch of each training run, by trial, replicate, epoch.",
        EPOCHS,
    ),
    (
        "Evaluations",
        "`--what evaluations`: a row an evaluation of each run, where epochs have several.",
        EVALUATIONS,
    ),
    (
        "Classes",
        "`--what classes`: a row a class of each complete trial, on the validation samples.",
        CLASSES,
    ),
    (
        "Pairs of trials",
        "`--what pairs`: a row each two of the best 32 points, the better-ranked trial first.",
        PAIRS,
    ),
    (
        "The final test",
        "`--what test`: a row a tested trial of each opening of the test set, the earliest first.",
        FINAL_TEST,
    ),
)


def page(text: str) -> str:
    """Return the page with its generated part as it should be."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    chapters = "\n".join(line for table in TABLES for line in _chapter(*table))
    return f"{before}{BEGIN}\n\n{chapters}\n{END}{after}"


def _chapter(title: str, about: str, columns: Sequence[Any]) -> Iterator[str]:
    yield from (f"## {title}", "", about, "")
    yield from ("| column | type | unit | meaning |", "| --- | --- | --- | --- |")
    for column in columns:
        if not column.not_in_tables and column.name != "params":
            unit = column.stored_unit
            yield f"| `{column.name}` | {column.stored_type} | {unit} | {column.meaning} |"
    yield ""


def main() -> int:
    """Write the page, or compare it."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text)
    if "--check" in sys.argv[1:]:
        return int(text != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
