"""What the dashboard says of a study and of a trial, as Markdown."""

from collections.abc import Mapping

from coarsefine.db import repository
from coarsefine.search.dashboard.sheets import Sheet
from coarsefine.search.formats.markdown import escaped, text
from coarsefine.search.hints import typed
from coarsefine.search.tables.texts import measured
from coarsefine.search.words import percent
from coarsefine.studies.reports.report import read_summary
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.splits import replicates_in_words


def study_note(sheet: Sheet, stage: str, links: Mapping[str, str]) -> str:
    """Return the note of a stage: its study's question, recipe, stages, ranking and final test.

    Args:
        sheet: The study.
        stage: Whose page the note is on.
        links: Pages of the stages, by name.
    """
    report = text(read_summary(sheet.database, sheet.ranking, typed), {}, "")
    head, _, rest = report.partition("\n## ")
    names = [
        f"**{escaped(name)}** (this page)"
        if name == stage or name not in links
        else f"[{escaped(name)}]({links[name]})"
        for name in (each.name for each in sheet.stages)
    ]
    where = f"{'Stages' if len(names) > 1 else 'Stage'}: {' → '.join(names)}\n"
    if repository.queue(sheet.database):
        where += "\nThe [queue](/queue) of the service: what runs, and what waits for what.\n"
    return f"{head}\n{where}\n## {_spaced(rest)}"


def _spaced(markdown: str) -> str:
    """Return Markdown whose tables have room between columns: the dashboard's page gives none."""
    return "\n".join(
        line.replace(" | ", f"{_ROOM} | ")
        if line.startswith("| ") and not line.startswith("| ---")
        else line
        for line in markdown.split("\n")
    )


_ROOM = "\N{NO-BREAK SPACE}" * 4


def trial_note(sheet: Sheet, trial: RankedTrial) -> str:
    """Return the note of a trial: its place in the ranking, and what is known of it."""
    ranking = sheet.ranking
    lines = [f"**{_place(sheet, trial)}** {escaped(ranking.point(trial.params))}"]
    if trial.validation_accuracy is not None:
        lines.append(f"validation accuracy {_accuracy(ranking, trial)}")
    elif trial.state == "failed":
        lines.append(f"why: {escaped(sheet.failures.get(trial.uuid or '', 'not known'))}")
    if trial.difference is not None and trial.margin is not None and trial.rank != 1:
        lines.append(
            f"{percent(abs(trial.difference))} points below the best; up to "
            f"{percent(trial.margin)} may be chance"
        )
    if trial.train_accuracy is not None:
        lines.append(f"training accuracy {percent(trial.train_accuracy)} %")
    if trial.replicates > 1:
        lines.append(f"mean over {trial.replicates} {replicates_in_words(ranking.study)}")
    if trial.reused:
        lines.append("trained before, for another trial, and taken over: no new evidence")
    if trial.test_accuracy is not None:
        lines.append(f"test accuracy {percent(trial.test_accuracy)} %, after the final training")
    # One fact a line: two blanks at its end keep it so.
    return "  \n".join(lines)


def _place(sheet: Sheet, trial: RankedTrial) -> str:
    if trial.rank is None:
        return f"{trial.state.capitalize()}, not ranked:"
    tied = ""
    if trial.tied:
        tied = ", tied with others" if trial.rank == 1 else ", tied with the best"
    return f"Rank {trial.rank:,} of {sheet.n_ranked:,}{tied}:"


def _accuracy(ranking: Ranking, trial: RankedTrial) -> str:
    shown = measured(trial.validation_accuracy, ranking.error(trial))
    if trial.interval is None:
        return f"{shown} %"
    low, high = trial.interval
    return f"{shown} % (95 %: {percent(low, 1)} to {percent(high, 1)})"
