"""How long something may take, as it is typed."""

from typing import TYPE_CHECKING

from coarsefine.search import BEGAN

if TYPE_CHECKING:
    from coarsefine.studies.planning.budget import Budget


def budget_of(within: str | None) -> "Budget | None":
    """Return the budget that is asked for, from when the program began; ``None`` if none is.

    Raises:
        SpaceError: If it is no time.
    """
    if within is None:
        return None
    from coarsefine.studies.planning.budget import Budget
    from coarsefine.studies.planning.within import seconds_of

    return Budget.since(BEGAN, seconds_of(within))
