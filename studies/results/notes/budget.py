"""What a time budget allows, and what it has cut, in words."""

from typing import TYPE_CHECKING, Final

from coarsefine.hints import option
from coarsefine.studies.results.notes.note import Note, counted, duration, points

if TYPE_CHECKING:
    from coarsefine.studies.planning.forecast import Ends, Forecast
    from coarsefine.studies.planning.within import Cut
    from coarsefine.studies.results.ranking import Ranking

# A share of a budget that is so small is not missed.
_WORTH_SAYING: Final = 0.03


def on_budget(ranking: "Ranking") -> tuple[Note, ...]:
    """Return which stages a budget ended, and what it has left over of each."""
    found = []
    for stage in ranking.stages:
        if stage.cut is not None:
            line = f"{stage.name} ended {_end(stage.cut)}: {_lacks(ranking, stage.cut)}"
            rest = f" trains the rest in {about(stage.cut.seconds_left)}"
            found.append(Note("budget", line, "; the same search without ", option("within"), rest))
    return tuple(found)


def _end(cut: "Cut") -> str:
    """Return when a budget ended a stage, and why then."""
    budget, unused = f"the budget of {duration(cut.within)}", cut.seconds_unused
    if cut.next_seconds is None or unused < max(1.0, _WORTH_SAYING * cut.within):
        return f"at {budget}"
    return (
        f"{unused:.0f} s before the end of {budget}, because the next seed takes "
        f"{about(cut.next_seconds)}"
    )


def _lacks(ranking: "Ranking", cut: "Cut") -> str:
    """Return what a budget has left over."""
    values, seeds = counted(cut.n_values, "value"), counted(cut.of_seeds, "seed")
    lacking = cut.n_values - cut.n_complete
    if not cut.n_complete:
        reached = f"epoch {cut.epoch} of {cut.of_epochs}"
        line = f"none of {values} was trained to its end, all came to {reached} at least"
        best = next((t for t in ranking.trials if t.uuid == cut.best), None)
        if best is None or cut.best_accuracy is None:
            return line
        accuracy = f"a validation accuracy of {points(cut.best_accuracy)} %"
        return f"{line}, where {ranking.point(best.params)} was first with {accuracy}"
    if lacking:
        were = "was" if cut.n_complete == 1 else "were"
        return f"{cut.n_complete:,} of {values} {were} trained, {lacking:,} lack their first seed"
    line = f"all {values} have {cut.seeds} of {seeds}, or more"
    if not cut.n_begun:
        return line
    one = cut.n_begun == 1
    more = "another seed" if one else f"{cut.n_begun} other seeds"
    goes = "goes" if one else "go"
    return f"{line}, and {more} came to epoch {cut.begun_epoch} and {goes} on from there"


def within_line(forecast: "Forecast", within: float, left: float) -> str:
    """Return what is to be trained, and what a budget allows of it.

    Args:
        forecast: What is left of the stage.
        within: The budget in seconds.
        left: What is left of it.
    """
    line = f"{forecast.stage}: {whole(forecast)}"
    allowed, n_seeds = forecast.seeds_within(left), forecast.seeds[0]
    if forecast.seconds is None or (forecast.most_seconds or 0.0) <= left:
        return line
    budget = f"the budget of {duration(within)}"
    if allowed == n_seeds:
        return f"{line}; {budget} ends the race"
    if allowed:
        fewer = f"{allowed} of {counted(n_seeds, 'seed')}"
        return f"{line}; {budget} allows {fewer}, {about(forecast.by_seed[allowed - 1])}"
    return f"{line}; {budget} does not allow one seed of all: it ends the training on the way"


def whole(forecast: "Forecast") -> str:
    """Return what is left of a stage, and how long it takes.

    As in ``8 values x 3 seeds x 40 epochs, about 4 min on 2 workers``.
    """
    if not forecast.n_runs:
        return "nothing is left to be trained"
    parts = [counted(forecast.n_values, "value")]
    parts.append(_ends(forecast.seeds, "seed"))
    parts += [counted(forecast.folds, "fold")] if forecast.folds else []
    parts.append(_ends(forecast.epochs, "epoch"))
    line = " × ".join(parts)
    if forecast.seconds is None or forecast.most_seconds is None:
        return f"{line}; how long a custom trainer takes is not known"
    workers = f" on {forecast.n_workers} workers" if forecast.n_workers > 1 else ""
    times = dict.fromkeys((about(forecast.seconds), about(forecast.most_seconds)))
    return f"{line}, {' to '.join(times).replace('to about ', 'to ')}{workers}"


def _ends(ends: "Ends", what: str) -> str:
    low, high = ends
    return counted(high, what) if low == high else f"{low:,} to {counted(high, what)}"


def about(seconds: float) -> str:
    """Return a time as roughly as a forecast knows it.

    >>> about(0.3), about(43.1), about(250.0), about(7900.0)
    ('less than 1 s', 'about 43 s', 'about 4 min', 'about 2.2 h')
    """
    if seconds < 1:
        return "less than 1 s"
    if seconds < 100:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 6000 else f"about {seconds / 3600:.1f} h"
