"""How races over seeds ended: a verdict in one sentence."""

from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.note import Note, counted, rounded
from coarsefine.studies.results.scoring.splits import Splits

if TYPE_CHECKING:
    from coarsefine.studies.planning.races import Race, RaceEnd
    from coarsefine.studies.results.ranking import RankedTrial, Ranking, StageSummary


def on_race(ranking: "Ranking") -> tuple[Note, ...]:
    """Return how the race of each stage ended, or stands."""
    found = []
    for stage in ranking.stages:
        if stage.race is not None and stage.race.n_trials > 1:
            line = _stands(ranking, stage, stage.race)
            found.append(Note("race", f"race over {raced_over(ranking)}, {stage.name}: {line}"))
    return tuple(found)


def raced_over(ranking: "Ranking") -> str:
    """Return what values are raced over."""
    splits = Splits.of(ranking.study)
    return "seeds" if splits is None else f"{splits.word}s"


def counted_in(ranking: "Ranking") -> str:
    """Return what a race has one more of after each look."""
    splits = Splits.of(ranking.study)
    return "seeds" if splits is None else splits.options.unit


def _stands(ranking: "Ranking", stage: "StageSummary", race: "Race") -> str:
    own = [t for t in ranking.trials if t.stage == stage.name and t.state == "complete"]
    left = [trial for trial in own if trial.uuid not in race.left]
    of_all = f"{len(left)} of {race.n_trials} values"
    if race.ended is None:
        why = "not over" if stage.cut is None else "ended by its budget, not decided"
        line = f"{why}, {of_all} are left with {race.n_seeds} {counted_in(ranking)}"
        best = next(
            (t for t in own if race.stands is not None and t.uuid == race.stands.best), None
        )
        if best is None or race.stands is None:
            return line
        above = ranking.metric.amount(min(1.0, race.stands.above))
        return f"{line}; one may be {above} better than {ranking.point(best.params)}"
    best = next((trial for trial in own if trial.uuid == race.ended.best), None)
    if best is None:
        return "its best value is no longer there"
    later = len(own) - race.n_trials
    of_these = f"; {counted(later, 'value')} came later" if later > 0 else ""
    verdict = _verdict(ranking, race, race.ended, best, left)
    return f"{verdict} ({race.n_seeds} {counted_in(ranking)}{of_these})"


def _verdict(
    ranking: "Ranking",
    race: "Race",
    ended: "RaceEnd",
    best: "RankedTrial",
    left: "list[RankedTrial]",
) -> str:
    amount, named = ranking.metric.amount, ranking.point(best.params)
    delta, n_others = amount(race.indifference), counted(race.n_trials - 1, "other value")
    if ended.end == "best":
        by = f" by at least {amount(ended.ahead)}" if ended.ahead > 0 else ""
        return f"{named} is better than the {n_others}{by}"
    if ended.end == "close" and ended.below <= race.indifference:
        return f"{_named(ranking, left)} are equal within {delta}"
    if ended.end == "close":
        better = amount(min(1.0, ended.above))
        return f"no value is better than {named} by more than {better}, and {delta} do not matter"
    what = f"cannot tell {len(left)} of {race.n_trials} values apart to within {delta}"
    chance = f"one may be {amount(min(1.0, ended.above))} better than {named}"
    over, splits = counted_in(ranking), Splits.of(ranking.study)
    if ended.end == "samples" and splits is not None:
        return f"these {splits.n_split:,} samples {what}: more {over} would not; {chance}"
    if ended.end == "samples":
        more = f"about {rounded(ended.samples)} would, " if ended.samples else ""
        what = f"{ranking.n_validation:,} validation samples {what}"
        return f"{what}: {more}more seeds would not; {chance}"
    more = f": about {rounded(ended.seeds)} would" if ended.seeds else ""
    return f"{race.n_seeds} {over} {what}{more}; {chance}"


def _named(ranking: "Ranking", trials: "list[RankedTrial]") -> str:
    name = ranking.numeric_parameter
    if name is None or len(trials) < 4:
        return " and ".join(ranking.point(trial.params) for trial in trials)
    values = [float(trial.params[name]) for trial in trials]
    ends = f"{ranking.symbol(name)} {min(values):.4g} to {max(values):.4g}"
    return f"the {len(trials)} values of {ends} that are left"
