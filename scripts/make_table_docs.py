#!/usr/bin/env python3
"""Write the part of docs/tables.md that says which columns there are; ``--check`` only compares."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "tables.md"
sys.path.insert(0, str(PAGE.parent.parent))  # run from a clone, installed or not

from coarsefine.search.export_columns import CURVES, FINAL_TEST, RANKING  # noqa: E402

BEGIN = "<!-- from search/export_columns.py: scripts/make_table_docs.py -->"
END = "<!-- end of columns -->"

TABLES = (
    ("The ranking", "`--what ranking`: a row a trial, best first.", RANKING),
    (
        "Curves",
        "`--what curves`: a row an epoch of each training run, by trial, replicate, epoch.",
        CURVES,
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
        yield f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning} |"
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
