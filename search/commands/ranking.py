"""``rank``: the trials of a study, best first."""

from dataclasses import replace
from typing import TYPE_CHECKING

from search.console import note, print_table, say, say_json, stdout, tell
from search.hints import command as typed
from search.options import OutputOptions, StorageOptions, StudyArgument

if TYPE_CHECKING:
    from rich.console import Console

    from db.engine import Database
    from db.records import StudyRecord
    from studies.reading import Ranking


# Nobody reads more in a terminal, and tables of thousands take long to lay out.
MOST_ROWS = 50


def rank(study: StudyArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Rank a study's trials by their validation accuracy.

    Then by validation loss, then by stage and trial number. Diverged, pruned and unfinished trials
    come last, with their state. Trains nothing and changes nothing.

    Examples:
        python -m search rank
        python -m search rank mnist/lambda --json
    """
    from db.engine import open_database
    from studies.reading import read_ranking

    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=output.quiet))
    if output.json:
        say_json(ranking.to_json())
        return
    print_ranking(stdout(), ranking, following(ranking, storage))


def chosen(database: "Database", study: StudyArgument, *, quiet: bool) -> "StudyRecord":
    """Return the study that is named, or the most recent one, and say which."""
    from studies.reading import named_study

    found = named_study(database, study.name)
    if study.name is None:
        note(f"the most recent study: {found.name}", quiet=quiet)
    return found


def print_ranking(console: "Console", ranking: "Ranking", following: str) -> None:
    """Print a ranking, where its ranges come from, and what to run next."""
    from search.tables import ranking_table

    shown = replace(ranking, trials=ranking.trials[:MOST_ROWS])
    print_table(console, ranking_table(console, shown))
    n_more = len(ranking.trials) - len(shown.trials)
    if n_more:
        say(f"and {n_more:,} more: `{typed('export', ranking.study.name, 'FILE')}` writes them all")
    say("")
    for line in (*stage_lines(ranking), *_notes(ranking)):
        tell(line)
    say(f"\nnext: {following}")


def stage_lines(ranking: "Ranking") -> list[str]:
    """Return what each stage searched, and why there."""
    from search.tables import parameter_symbol
    from search.words import value

    letter = parameter_symbol(ranking.study, _parameter(ranking))
    lines = []
    for stage in ranking.stages:
        ends = ""
        if stage.low is not None and stage.high is not None:
            ends = f" {letter} {value(stage.low)} … {value(stage.high)}"
        lines.append(f"{stage.name}:{ends} ({stage.reason})")
    return lines


def _parameter(ranking: "Ranking") -> str:
    return next(iter(ranking.trials[0].params)) if ranking.trials else ranking.study.search


def _notes(ranking: "Ranking") -> list[str]:
    """Return what a ranking alone does not show, such as a best value on the edge."""
    from search.words import value
    from studies.errors import StudyError
    from studies.refinement import ScoredPoint, refine
    from studies.spaces import LogRange, is_same

    parameter = _parameter(ranking)
    points = [
        ScoredPoint(
            float(trial.params[parameter]),
            trial.validation_accuracy,
            trial.validation_loss,
            trial.state,
        )
        for trial in ranking.trials
    ]
    # All stages together: a best value at the end of a fine window has coarse ones beyond it.
    lows = [stage.low for stage in ranking.stages if stage.low is not None]
    highs = [stage.high for stage in ranking.stages if stage.high is not None]
    try:
        searched = LogRange(min(lows), max(highs)) if lows and highs else None
        window = refine(points, searched)
    except StudyError:
        return []  # nothing is complete yet
    notes = [f"note: {line}" for line in window.warnings]
    best = ranking.best
    own = next((stage for stage in ranking.stages if best and stage.name == best.stage), None)
    if best and own and own.parent and not window.edges:
        tried = float(best.params[parameter])
        sides = {"lower": own.low, "upper": own.high}
        notes += [
            f"note: the best value {value(tried)} lies on the {side} edge of the {own.name} range; "
            "what lies beyond was only tried coarsely"
            for side, end in sides.items()
            if end is not None and is_same(tried, end)
        ]
    if window.edges and len(ranking.stages) > 1:
        # The fine search has been beyond the edge of the coarse one, and that was not enough.
        ends = window.range.widened(1, 0) if "low" in window.edges else window.range.widened(0, 1)
        beyond = typed(
            *(ranking.study.search, "--coarse", "--study", f"{ranking.study.name}-beyond"),
            *("--data", ranking.study.recipe["data"]["name"]),
            *("--low", f"{ends.low:.3g}", "--high", f"{ends.high:.3g}"),
        )
        notes.append(f"to look there: {beyond}, with the options of this study")
    return notes


def following(ranking: "Ranking", storage: StorageOptions) -> str:
    """Return the command that comes after looking at this ranking."""
    study, place = ranking.study, storage.storage
    if any(trial.state in {"planned", "running"} for trial in ranking.trials):
        last = ranking.stages[-1].name
        return typed(study.search, f"--{last}", "--study", study.name, storage=place)
    if ranking.best is None:
        again = typed(study.search, "--coarse", "--study", f"{study.name}-2", storage=place)
        return f"{again} with a smaller --eta or --eta-max: no trial is complete"
    if any(trial.test_accuracy is not None for trial in ranking.trials):
        return typed("export", study.name, file_name(study.name), storage=place)
    if len(ranking.stages) == 1:
        return typed(study.search, "--fine", "--study", study.name, storage=place)
    return typed("test", study.name, storage=place)


def file_name(study: str) -> str:
    """Return what a study's export may be called."""
    return f"{study.replace('/', '-')}.csv"
