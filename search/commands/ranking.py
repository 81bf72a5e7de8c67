"""``rank``, ``list`` and ``show``: what is in the database."""

from typing import TYPE_CHECKING

from search.console import note, say, say_json, stdout
from search.hints import command as typed
from search.options import OutputOptions, StorageOptions, StudyArgument

if TYPE_CHECKING:
    from rich.console import Console

    from db.engine import Database
    from db.records import StudyRecord
    from studies.reading import Ranking


def rank(study: StudyArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Rank a study's trials by their validation accuracy.

    Then by validation loss, then by trial number. Diverged, pruned and unfinished trials come
    last, with their state. Trains nothing and changes nothing.

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
    print_ranking(stdout(), ranking, _next(ranking, storage))


def chosen(database: "Database", study: StudyArgument, *, quiet: bool) -> "StudyRecord":
    """Return the study that is named, or the most recent one, and say which."""
    from studies.reading import named_study

    found = named_study(database, study.name)
    if study.name is None:
        note(f"the most recent study: {found.name}", quiet=quiet)
    return found


def print_ranking(console: "Console", ranking: "Ranking", following: str) -> None:
    """Print a ranking, where its ranges come from, and what to run next."""
    from search.tables import parameter_symbol, ranking_table
    from search.words import value

    console.print(ranking_table(console, ranking))
    for stage in ranking.stages:
        letter = parameter_symbol(ranking.study, _parameter(ranking))
        searched = ""
        if stage.low is not None and stage.high is not None:
            searched = f" {letter} {value(stage.low)} … {value(stage.high)}"
        say(f"{stage.name}:{searched} ({stage.reason})")
    for line in _notes(ranking):
        say(f"note: {line}")
    say(f"\nnext: {following}")


def _parameter(ranking: "Ranking") -> str:
    return next(iter(ranking.trials[0].params)) if ranking.trials else ranking.study.search


def _notes(ranking: "Ranking") -> tuple[str, ...]:
    """Return what the ranking alone does not show, such as a best value on the edge."""
    from studies.errors import StudyError
    from studies.refinement import ScoredPoint, refine
    from studies.spaces import LogRange

    parameter = _parameter(ranking)
    points = [
        ScoredPoint(
            float(trial.params[parameter]),
            trial.validation_accuracy,
            trial.validation_loss,
            "running" if trial.state == "planned" else trial.state,
        )
        for trial in ranking.trials
    ]
    lows = [stage.low for stage in ranking.stages if stage.low is not None]
    highs = [stage.high for stage in ranking.stages if stage.high is not None]
    try:
        searched = LogRange(min(lows), max(highs)) if lows and highs else None
        return refine(points, searched).warnings
    except StudyError:
        return ()  # nothing is complete yet


def _next(ranking: "Ranking", storage: StorageOptions) -> str:
    """Return the command that comes after looking at this ranking."""
    study = ranking.study
    if any(trial.state in {"planned", "running"} for trial in ranking.trials):
        last = ranking.stages[-1].name
        return typed(study.search, f"--{last}", "--study", study.name, storage=storage.storage)
    if any(trial.test_accuracy is not None for trial in ranking.trials):
        return typed("show", study.name, storage=storage.storage)
    if len(ranking.stages) == 1:
        return typed(study.search, "--fine", "--study", study.name, storage=storage.storage)
    return typed("test", study.name, storage=storage.storage)
