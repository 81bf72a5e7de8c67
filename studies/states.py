"""States of a trial, and what complete trials are sorted by."""

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coarsefine.db.records import TrialState

STATES: "Final[tuple[TrialState, ...]]" = (
    "complete",
    "diverged",
    "pruned",
    "failed",
    "running",
    "planned",
)
"""In the order in which rankings list them."""

UNFINISHED: "Final[frozenset[TrialState]]" = frozenset({"planned", "running"})


def score_key(accuracy: float | None, loss: float | None) -> tuple[float, float]:
    """Return what complete trials are sorted by, best first; unknown scores come last."""
    return (-_or(accuracy, -math.inf), _or(loss, math.inf))


def _or(value: float | None, missing: float) -> float:
    # NaN compares with nothing, so a sort with it in is in no order.
    return missing if value is None or math.isnan(value) else value
