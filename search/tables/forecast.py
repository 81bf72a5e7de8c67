"""A forecast in words: time, arithmetic and memory, a line each."""

from typing import TYPE_CHECKING

from coarsefine.search.words import size
from coarsefine.studies.results.notes.budget import whole, within_line

if TYPE_CHECKING:
    from coarsefine.studies.planning.budget import Budget
    from coarsefine.studies.planning.forecast import Ends, Forecast


def lines(forecast: "Forecast", budget: "Budget | None" = None) -> list[str]:
    """Return what is left of a stage to be trained, and what it takes.

    Args:
        forecast: Of the stage.
        budget: Its time, if there is a limit.
    """
    found = [f"{forecast.stage}: {whole(forecast)}"]
    if budget is not None:
        found = [within_line(forecast, budget.seconds, budget.seconds - budget.end_seconds)]
    if forecast.n_runs:
        shared = " that workers share" if forecast.n_workers > 1 else ""
        found += [
            (
                f"each network: {_ends(forecast.n_parameters)} parameters, "
                f"{_ends(forecast.multiply_adds)} multiply-adds an update"
            ),
            (
                f"memory: about {size(forecast.worker_bytes)} a worker, and "
                f"{size(forecast.sample_bytes)} of samples{shared}"
            ),
        ]
    return found


def _ends(ends: "Ends") -> str:
    low, high = (_rounded(number) for number in ends)
    return low if low == high else f"{low} to {high}"


def _rounded(number: int) -> str:
    """Return a number, in millions where it has so many digits.

    >>> _rounded(39_760), _rounded(8_123_456)
    ('39,760', '8.1 million')
    """
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:,.1f} million"
