"""What a search would train and what that takes, printed in place of training it."""

from typing import Any, Final

from coarsefine.hints import Message
from coarsefine.search.console import say, say_json, tell
from coarsefine.search.hints import spelled
from coarsefine.search.options import OutputOptions
from coarsefine.search.tables.forecast import lines
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.planning.forecast import Forecast

LATER: Final = "the stages after it depend on its results"
UNTRAINED: Final = "nothing was trained; the same without --dry-run trains it"


def print_forecast(
    forecast: Forecast,
    budget: Budget | None,
    output: OutputOptions,
    *,
    several: bool = False,
    noise: Message | None = None,
) -> None:
    """Print what is left of a stage to be trained, and what it takes.

    Args:
        forecast: Of the stage.
        budget: That is asked for.
        output: What is printed.
        several: Whether other stages come after it.
        noise: What is known of seeds and samples before it.
    """
    if output.json:
        say_json(forecast_json(forecast, budget))
        return
    for line in lines(forecast, budget):
        tell(line)
    if several:
        tell(LATER)
    if noise is not None:
        tell(spelled(noise))
    say(f"\n{UNTRAINED}")


def forecast_json(forecast: Forecast, budget: Budget | None) -> dict[str, Any]:
    """Return what ``--json`` prints of a forecast: a stable contract, see ``docs/cli.md``."""
    seconds = None if budget is None else budget.seconds
    left = None if budget is None else budget.seconds - budget.end_seconds
    return {
        "forecast": forecast.to_json(),
        "within": seconds,
        "seeds_within": None if left is None else forecast.seeds_within(left),
    }
