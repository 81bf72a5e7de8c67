"""A ranking: in a terminal, and for exports."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from coarsefine.models.specs import SCORE_WORDS
from coarsefine.search.hints import spelled
from coarsefine.search.tables.column import fitting, text_columns
from coarsefine.search.tables.table import ExportTable, usual_columns
from coarsefine.studies.results.columns.column import exact_cells
from coarsefine.studies.results.columns.rankings import columns_of
from coarsefine.studies.results.notes.budget import on_budget
from coarsefine.studies.results.notes.marks import legend
from coarsefine.studies.results.ranking import RankedTrial, Ranking

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.db.connections.engine import Database

# Nobody reads more in a terminal, and tables of thousands take long to lay out.
MOST_ROWS = 50


def ranking_table(console: "Console", ranking: Ranking) -> "Table":
    """Return a study's trials, best first."""
    columns = text_columns(columns_of(ranking), ranking.trials, ranking)
    return fitting(console, ranking_title(ranking), columns, ranking.trials, _style)


def _style(trial: RankedTrial) -> str:
    return "bold" if trial.rank == 1 else "" if trial.rank else "dim"


def ranking_title(ranking: Ranking) -> str:
    """Return what a table of trials is called: study, data, seed, and when scores were measured."""
    study = ranking.study
    whose = "the" if ranking.score == "final" else "each trial's"
    when = f"{whose} {SCORE_WORDS[ranking.score]}"
    by = "" if ranking.by == "accuracy" else f"; ranked by {ranking.metric.words}"
    return f"{study.name}: {study.data_name}, seed {study.seed}; measured after {when}{by}"


def of_ranking(ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return a ranking to be exported: a row a trial, best first."""
    whole = ranking

    def lines() -> tuple[str, ...]:
        cut = [note.evidence for note in on_budget(whole)]
        return (*map(spelled, legend(whole)), *cut)

    if top is not None:
        ranking = replace(ranking, trials=best_of(ranking, top))
    fit = columns_of(ranking)
    cells, columns = exact_cells(fit, ranking.trials, ranking)
    return ExportTable(
        name="ranking",
        rows="trials",
        cells=cells,
        columns=columns,
        usual=usual_columns(fit, ranking.trials, ranking.searched),
        legend=lines,
        epoch={"final": "last", "lowest": "lowest-loss"}.get(ranking.score, ranking.score),
    )


def ranking_of(_database: "Database", ranking: Ranking, top: int | None) -> ExportTable:
    """Return a ranking to be exported, as other tables are read."""
    return of_ranking(ranking, top)


def best_of(ranking: Ranking, n: int) -> tuple[Any, ...]:
    """Return the best complete trials of a ranking, in order."""
    return tuple(trial for trial in ranking.trials if trial.rank is not None)[:n]
