"""What stands in a cell: exact values rounded for people, the same in every table."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from coarsefine.search.words import percent, value
from coarsefine.studies.results.columns.column import Kind

UNKNOWN: Final = "–"


def text(kind: Kind, content: Any, *, commas: bool = False) -> str:
    """Return what people read of a value that is known.

    >>> text("percent", 0.97083), text("loss", 0.25), text("interval", (0.9179, 1.0))
    ('97.08', '0.2500', '91.8–100.0')
    >>> text("whole", 1078), text("whole", 1078, commas=True), text("seconds", 0.5)
    ('1078', '1,078', '0.50')
    """
    if commas and kind in _WITH_COMMAS:
        return _WITH_COMMAS[kind](content)
    return _TEXTS[kind](content)


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if abs(loss) < 1000 else f"{loss:.4g}"


def _interval(ends: Sequence[float]) -> str:
    low, high = ends
    return f"{percent(low, 1)}–{percent(high, 1)}"


def _losses(ends: Sequence[float]) -> str:
    low, high = ends
    return f"{low:.3f}–{high:.3f}"


_TEXTS: Final[dict[Kind, Callable[[Any], str]]] = {
    "text": str,
    "whole": str,
    "count": str,
    "percent": percent,
    "loss": _loss,
    "seconds": "{:.2f}".format,
    "value": value,
    "real": "{:.4g}".format,
    "truth": lambda content: "yes" if content else "no",
    "interval": _interval,
    "losses": _losses,
}
_WITH_COMMAS: Final[dict[Kind, Callable[[Any], str]]] = {
    "whole": "{:,}".format,
    "count": "{:,}".format,
    "seconds": "{:,.2f}".format,
}


def measured(score: float | None, error: float | None, kind: Kind = "percent") -> str:
    """Return an accuracy in percent, or a loss, with its standard error, where that is known.

    >>> measured(0.97083, 0.0042), measured(0.5, None), measured(None, None)
    ('97.08 ± 0.42', '50.00', '–')
    >>> measured(0.97083, 0.0042, "loss")
    '0.9708 ± 0.0042'
    """
    if score is None:
        return UNKNOWN
    return text(kind, score) + ("" if error is None else f" ± {text(kind, error)}")


def interval(ends: tuple[float, float] | None) -> str:
    """Return an interval in percent."""
    return UNKNOWN if ends is None else text("interval", ends)
