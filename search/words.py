"""Numbers as people read them."""

from typing import Any

from coarsefine.studies.results.notes.note import counted

__all__ = ["counted", "percent", "size", "value"]


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share as a percentage without its sign.

    >>> percent(0.97771), percent(None)
    ('97.77', '–')
    """
    return "–" if share is None else f"{100 * share:.{digits}f}"


def size(n_bytes: float) -> str:
    """Return a number of bytes.

    >>> size(0), size(170_498_071)
    ('0 B', '170.5 MB')
    """
    unit = "B"
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000 or unit == "GB":
            break
        n_bytes /= 1000
    return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"


def value(searched: Any) -> str:
    """Return a searched value; of hidden layers their widths.

    >>> value(1e-05), value(0.0026826957952797246), value(100.0), value([59, 59]), value("adam")
    ('1e-05', '0.002683', '100', '59-59', 'adam')
    """
    from coarsefine.studies.spaces.dimensions import shown

    return shown(searched)
