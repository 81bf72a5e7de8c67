"""What stands in a cell of a report, the same in every format: exact numbers rounded for people."""

from typing import Any

from coarsefine.search.console import COMMANDS
from coarsefine.search.tables.texts import UNKNOWN, measured, text
from coarsefine.studies.reports.parts import Column, Kind


def cell(kind: Kind, content: Any) -> str:
    """Return what a table shows of a cell.

    >>> cell("percent", 0.97083), cell("measured", (0.97083, 0.0042)), cell("loss", None)
    ('97.08', '97.08 ± 0.42', '–')
    >>> cell("interval", (0.9179, 1.0)), cell("error", 2.13e-8), cell("whole", 1078)
    ('91.8–100.0', '2.1e-08', '1,078')
    """
    if content is None:
        return UNKNOWN
    if kind == "measured":
        return measured(*content)
    if kind == "error":
        return f"{content:.1e}"
    return clean(text(kind, content, commas=True))


def is_number(column: Column) -> bool:
    """Return whether a column stands at the right, as numbers do."""
    return column.kind != "text"


def clean(words: str) -> str:
    r"""Return a text that any file can hold: without control characters and halves of letters.

    Nor does it turn the direction of writing around.

    >>> clean("a\x00b\ud800\n")
    'a�b�\n'
    """
    return COMMANDS.sub("�", words)
