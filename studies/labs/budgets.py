"""The time of a lab, shared among its parts by what their searches take."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from coarsefine.studies.labs.files import Lab, Part, SearchTable, kind_of, request_of
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.planning.forecast import Forecast
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.running.forecasting import MEASURING, foreseen
from coarsefine.studies.running.resources import Resources

# Stages that a search without a number of them is taken to have.
_USUAL_STAGES = 2
# What comes with each search: its data, its rows, its ranking.
_FIXED_SECONDS = 1.0
# What is not known, a custom trainer's time, counts as much.
_UNKNOWN_SECONDS = 60.0


def n_stages(search: SearchTable) -> int | str:
    """Return how many stages a part's search has; ``auto`` where its results decide."""
    if search.stages is not None:
        return search.stages
    return _USUAL_STAGES if kind_of(search).refines else 1


def foreseen_part(
    resources: Resources, lab: Lab, part: Part, measuring: float = MEASURING
) -> Forecast:
    """Return what the first stage of a part's search would train, and what that takes.

    Args:
        resources: With what it would be carried out.
        lab: The part's lab.
        part: It searches.
        measuring: About how many seconds may go into timing what training costs.
    """
    search = lab.search(part)
    kind, request, asked = kind_of(search), request_of(search), Asked.of(lab.recipe(part))
    name = lab.study_name(part)
    return foreseen(resources, kind, asked, request, name, measuring=measuring)


def shared(
    resources: Resources, lab: Lab, parts: Sequence[Part]
) -> Iterator[tuple[Part, Resources]]:
    """Yield the parts, each with its share of what is left of the budget when its turn comes.

    Args:
        resources: With the budget of all of them, if there is one.
        lab: Theirs.
        parts: In their order.
    """
    budget = resources.budget
    if budget is None:
        yield from ((part, resources) for part in parts)
        return
    weights = [_weight(resources, lab, part, budget, len(parts)) for part in parts]
    for i, part in enumerate(parts):
        left = sum(weights[i:])
        own = budget.share(weights[i] / left) if weights[i] else budget
        yield part, replace(resources, budget=own)


def _weight(resources: Resources, lab: Lab, part: Part, budget: Budget, n_parts: int) -> float:
    """Return about how many seconds a part takes; checks take none."""
    if part.does != "search":
        return 0.0
    found = foreseen_part(resources, lab, part, budget.measuring / n_parts)
    seconds = _UNKNOWN_SECONDS if found.seconds is None else found.seconds
    stages = n_stages(lab.search(part))
    return _FIXED_SECONDS + seconds * (stages if isinstance(stages, int) else _USUAL_STAGES)
