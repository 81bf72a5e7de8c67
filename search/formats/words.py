"""What stands in a cell, the same in every format: exact numbers rounded for people."""

import unicodedata
from collections.abc import Callable
from typing import Any, Final

from coarsefine.search.words import percent, value
from coarsefine.studies.reports.parts import Column, Kind

UNKNOWN: Final = "–"


def cell(kind: Kind, content: Any) -> str:
    """Return what a table shows of a cell.

    >>> cell("percent", 0.97083), cell("measured", (0.97083, 0.0042)), cell("loss", None)
    ('97.08', '97.08 ± 0.42', '–')
    >>> cell("interval", (0.9179, 1.0)), cell("error", 2.13e-8), cell("whole", 1078)
    ('91.8–100.0', '2.1e-08', '1,078')
    """
    return UNKNOWN if content is None else _TEXTS[kind](content)


def _measured(content: tuple[float, float | None]) -> str:
    accuracy, error = content
    return percent(accuracy) + ("" if error is None else f" ± {percent(error)}")


def _interval(ends: tuple[float, float]) -> str:
    return f"{percent(ends[0], 1)}–{percent(ends[1], 1)}"


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if abs(loss) < 1000 else f"{loss:.4g}"


_TEXTS: Final[dict[Kind, Callable[[Any], str]]] = {
    "text": lambda content: clean(str(content)),
    "whole": "{:,}".format,
    "percent": percent,
    "measured": _measured,
    "interval": _interval,
    "loss": _loss,
    "value": lambda content: clean(value(content)),
    "seconds": "{:,.2f}".format,
    "error": "{:.1e}".format,
}


def is_number(column: Column) -> bool:
    """Return whether a column stands at the right, as numbers do."""
    return column.kind != "text"


def clean(text: str) -> str:
    r"""Return a text that any file can hold: without control characters and halves of letters.

    >>> clean("a\x00b\ud800\n")
    'a�b�\n'
    """
    return "".join(
        "�" if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" else c for c in text
    )
