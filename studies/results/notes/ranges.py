"""Whether the range of a search was right: edges, values badly spread."""

from typing import TYPE_CHECKING

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.hints import option, search_command
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.learning import equally_good
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.resolution import overall_window
from coarsefine.studies.spaces.dimensions import from_json, from_params, parameter, stored_range
from coarsefine.studies.spaces.narrowing import ScoredTrial, narrowed
from coarsefine.studies.spaces.ranges import LogRange, is_same
from coarsefine.studies.spaces.searches.registry import SEARCHES

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import Ranking

# Over fewer decades, or of fewer values, it matters little how values are spread.
_SEVERAL_DECADES, _SEVERAL_VALUES = 2.0, 4
_EDGE = "range-edge"


def on_range(ranking: "Ranking") -> tuple[Note, ...]:
    """Return what is to be said of the range: edges, few values, values badly spread."""
    name, best = ranking.numeric_parameter, ranking.best
    if best is None or not ranking.refines:
        return ()
    if name is None:
        return _on_ranges(ranking)
    window = overall_window(ranking)
    found = [] if window is None else [Note(_EDGE, line) for line in window.warnings]
    own = next((stage for stage in ranking.stages if stage.name == best.stage), None)
    if own and own.parent and not (window and window.edges):
        tried = float(best.params[name])
        found += [
            Note(
                "stage-edge",
                f"the best value {tried:.4g} lies on the {side} edge of the {own.name} range; "
                "what lies beyond was only tried coarsely",
            )
            for side, end in (("lower", own.low), ("upper", own.high))
            if end is not None and is_same(tried, end)
        ]
    return (*found, *_badly_spread(ranking))


def beyond_notes(database: Database, ranking: "Ranking") -> tuple[Note, ...]:
    """Return the search that looks beyond an edge, where two stages have not come past it."""
    study, name = ranking.study, ranking.numeric_parameter
    # Searches of labs are no commands.
    if len(ranking.stages) < 2 or study.search not in SEARCHES or not ranking.refines:
        return ()
    window = overall_window(ranking)
    if window is None or name is None or not window.edges:
        return ()
    side, bounds = window.edges[0], parameter(name).bounds(ranking.sizes)
    low, high = window.range.low, window.range.high
    low = (bounds.beyond(low, "low") if side == "low" else None) or low
    high = (bounds.beyond(high, "high") if side == "high" else None) or high
    beyond = search_command(
        study.search,
        "coarse",
        study=repository.free_name(database, f"{study.name}-beyond"),
        data=study.recipe["data"]["name"],
        low=f"{low:.3g}",
        high=f"{high:.3g}",
    )
    return (Note("beyond", "to look there: ", beyond, ", with the options of this study"),)


def _on_ranges(ranking: "Ranking") -> tuple[Note, ...]:
    """Return on which edges the best point of several parameters lies, all stages together."""
    dimensions = []
    for number, stored in enumerate(ranking.stages[-1].dimensions if ranking.stages else ()):
        (dimension,) = from_json([{"variants": None, **stored}])
        ranges = [stage.dimensions[number] for stage in ranking.stages]
        lows = [each["low"] for each in ranges if each["low"] is not None]
        highs = [each["high"] for each in ranges if each["high"] is not None]
        if dimension.range is not None:
            dimension = dimension.with_range(stored_range(stored, (min(lows), max(highs))))
        dimensions.append(dimension)
    tied = equally_good(ranking)
    trials = [
        ScoredTrial(
            from_params(t.params),
            ranking.score_of(t),
            t.validation_loss,
            t.state,
            tied=t.uuid in tied,
        )
        for t in ranking.trials
    ]
    try:
        warnings = narrowed(dimensions, trials, ranking.sizes).warnings
    except StudyError:
        return ()  # no ranges, but values given one by one
    return tuple(Note(_EDGE, line) for line in warnings)


def _badly_spread(ranking: "Ranking") -> tuple[Note, ...]:
    """Return that values over several decades crowd in the uppermost, as linear steps do."""
    if not ranking.stages:
        return ()
    values = [value for value in ranking.stages[0].values if value > 0]
    span = LogRange.spanning(values)
    if span is None or span.decades < _SEVERAL_DECADES or len(values) < _SEVERAL_VALUES:
        return ()
    upper = sum(value >= span.high / 10 for value in values)
    if 3 * upper <= 2 * len(values):
        return ()
    decades = round(span.decades, 1)
    line = (
        f"{upper} of {len(values)} values lie in the uppermost of {decades:g} decades; "
        "values that act by factors are spread evenly over the decades, as "
    )
    return (Note("badly-spread", line, option("sampler", "grid"), " does"),)
