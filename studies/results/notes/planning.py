"""How many seeds or samples would tell tied values apart, and how long that would take."""

import math
from typing import TYPE_CHECKING

from coarsefine.hints import Message, Part, option
from coarsefine.studies.results.judging.statistics import INDIFFERENT
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.notes.note import Note, rounded

if TYPE_CHECKING:
    from coarsefine.studies.results.judging.statistics import Comparison, Needed
    from coarsefine.studies.results.ranking import Ranking


def on_needed(ranking: "Ranking") -> tuple[Note, ...]:
    """Return what would tell the best from the second, and from all that are tied."""
    comparison = ranking.comparison
    if comparison is None or comparison.to_second is None or not has_learnt(ranking):
        return ()
    line = _to_second(ranking, comparison.to_second)
    every = comparison.to_all_tied
    # A race says what would end it.
    if every and comparison.n_tied > 2 and all(stage.race is None for stage in ranking.stages):
        line += f"; {to_all_tied(ranking, comparison, every, INDIFFERENT)}"
    return (Note("needed", line),)


def planned(ranking: "Ranking", indifference: float) -> "list[Message]":
    """Return what would tell a study's values apart, a line each.

    Args:
        ranking: As ``read_ranking`` returns it for this indifference.
        indifference: The largest difference that does not matter.
    """
    comparison = ranking.comparison
    if comparison is None:
        return [Message("there are no two complete values to be compared")]
    if not comparison.n_tied:
        return [Message("no value is tied with the best: nothing is left to be decided")]
    if comparison.to_second is None:
        line = f"{comparison.n_tied} values are tied; "
        why = "one seed each does not tell what seeds do from what samples do"
        if comparison.varied is not None:
            why = f"replicates are splits of the data: {comparison.lacking} would tell them apart"
        elif comparison.n_replicates > 1:
            why = "stored predictions that tell seeds from samples are missing"
        return [Message(line + why, *race_advice(ranking))]
    lines = [_to_second(ranking, comparison.to_second)]
    every = comparison.to_all_tied
    lines.append(
        "a tied value with one seed tells nothing of what would tell all of them apart"
        if every is None
        else to_all_tied(ranking, comparison, every, indifference)
    )
    return [Message(line) for line in lines]


def _to_second(ranking: "Ranking", second: "Needed") -> str:
    amount = ranking.metric.amount
    return (
        f"the first is {amount(second.difference)} ahead of the second; the standard error of this "
        f"is {amount(second.seed_error)} by seeds and {amount(second.sample_error)} by samples: "
        f"{_would(ranking, second)} tell them apart"
    )


def to_all_tied(
    ranking: "Ranking", comparison: "Comparison", every: "Needed", indifference: float
) -> str:
    """Return how many seeds or samples would tell all tied values of a ranking apart."""
    return (
        f"{_would(ranking, every)} tell all {comparison.n_tied} tied values apart to within "
        f"{ranking.metric.amount(indifference)}"
    )


def _would(ranking: "Ranking", needed: "Needed") -> str:
    """Return how many seeds and samples would do something, up to the verb."""
    seeds = samples = ""
    if needed.seeds is not None:
        more = needed.seeds - needed.n_seeds
        seeds = f"about {rounded(needed.seeds)} seeds ({_time(ranking, more)})"
    if needed.samples is not None:
        samples = f"about {rounded(needed.samples)} validation samples"
    if seeds and samples:
        return f"{seeds} or {samples} would"
    if seeds:
        return f"{seeds}, not more samples, would"
    if samples:
        return f"{samples}, not more seeds, would"
    return "neither more seeds nor more samples alone would"


def _time(ranking: "Ranking", n_seeds: int) -> str:
    seconds, _ = seconds_a_seed(ranking)
    return f"{_about(max(0, n_seeds) * seconds)} more"


def seconds_a_seed(ranking: "Ranking") -> tuple[float, float]:
    """Return how long it takes to train the tied trials with one more seed, and all complete ones.

    As long as their other seeds took, on all cores of this machine.
    """
    from coarsefine.models.blas_threads import n_cores

    known = [
        (trial.seconds / max(1, trial.replicates), bool(trial.tied))
        for trial in ranking.trials
        if trial.state == "complete" and trial.seconds is not None
    ]
    cores = max(1, min(n_cores(), len(known)))
    return sum(s for s, tied in known if tied) / cores, sum(s for s, _ in known) / cores


def race_advice(ranking: "Ranking") -> tuple[Part, ...]:
    """Return what a race over seeds would cost, where each value has one seed."""
    from coarsefine.studies.planning.races import MOST_RACED, Race

    n = sum(trial.state == "complete" for trial in ranking.trials)
    one = ranking.comparison is not None and ranking.comparison.n_replicates == 1
    if not one or not ranking.metric.share or not 2 <= n <= MOST_RACED:
        return ()
    race, (tied, every) = Race(), seconds_a_seed(ranking)
    least = (race.least - 1) * every
    most = least + (race.most - race.least) * tied
    ends = dict.fromkeys((_about(least), _about(most)))
    return ("; ", option("replicates", "auto"), f" takes {' to '.join(ends)}")


def _about(seconds: float) -> str:
    """Return a time roughly: the same search has the same notes, however fast the machine was.

    >>> _about(7), _about(200), _about(7200)
    ('less than a minute', '4 min', '2.0 h')
    """
    if seconds < 60:
        return "less than a minute"
    return f"{math.ceil(seconds / 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
