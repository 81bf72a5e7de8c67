"""``rank``: the trials of a study, best first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.search.choosing import chosen
from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.following import following
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import spelled
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.options import OutputOptions, RankedBy, StorageOptions, StudyArgument
from coarsefine.search.tables.comparison import comparison_lines, comparison_table
from coarsefine.search.tables.ranking import MOST_ROWS, ranking_table
from coarsefine.search.tables.stages import stage_lines
from coarsefine.studies.results.comparing.grids import Compared, took
from coarsefine.studies.results.notes.marks import legend
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import read_ranking

if TYPE_CHECKING:
    from rich.console import Console


def rank(
    study: StudyArgument, by: RankedBy, storage: StorageOptions, output: OutputOptions
) -> None:
    """Rank a study's trials by their validation accuracy, or another metric.

    Then by validation loss, then by stage and trial number. Diverged, pruned and unfinished trials
    come last, with their state. Trains nothing and changes nothing: metrics follow from what each
    run predicted for each validation sample, and have intervals and ties of their own.

    Examples:
        python -m search rank
        python -m search rank --by macro-f1
        python -m search rank mnist/lambda --json
    """
    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=output.quiet), by.metric)
        rows = None if output.json else took(database, ranking)
        free = repository.free_name(database, ranking.study.name)
    if output.json:
        say_json(ranking.to_json(by_hint))
        return
    print_study(stdout(), ranking, rows, following(ranking, storage, free))


def print_study(
    console: "Console",
    ranking: Ranking,
    rows: Sequence[Compared] | None,
    proposed: str | None,
) -> None:
    """Print what a study found: a grid with what its values took, or a ranking."""
    if rows is None:
        print_ranking(console, ranking, proposed)
    else:
        print_comparison(console, ranking, rows, proposed)


def print_ranking(console: "Console", ranking: Ranking, proposed: str | None) -> None:
    """Print a ranking, where its ranges come from, and what to run next."""
    shown = replace(ranking, trials=ranking.trials[:MOST_ROWS])
    print_table(console, ranking_table(console, shown))
    _say_more(ranking, len(shown.trials))
    _print_below(ranking, [], proposed)


def print_comparison(
    console: "Console", ranking: Ranking, rows: Sequence[Compared], proposed: str | None
) -> None:
    """Print a grid of values in their order, with what each took, and what to run next."""
    print_table(console, comparison_table(console, ranking, rows[:MOST_ROWS]))
    _say_more(ranking, min(len(rows), MOST_ROWS))
    _print_below(ranking, comparison_lines(ranking, rows), proposed)


def _say_more(ranking: Ranking, n_shown: int) -> None:
    n_more = len(ranking.trials) - n_shown
    if n_more:
        say(f"and {n_more:,} more: `{typed('export', ranking.study.name, 'FILE')}` writes them all")


def _print_below(ranking: Ranking, lines: list[str], proposed: str | None) -> None:
    for paragraph in (
        [spelled(line) for line in legend(ranking)],
        lines,
        stage_lines(ranking),
        [f"note: {spelled(line)}" for line in ranking.notes],
    ):
        if paragraph:
            say("")
        for line in paragraph:
            tell(line)
    if proposed is not None:
        say(f"\nnext: {proposed}")
