"""A study as a report, from the database alone: what was asked, done and found, and what to doubt.

Nothing here prints, draws or knows of files; ``coarsefine.search.report`` makes pages of it.
"""

from collections.abc import Iterator, Sequence

from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord, TestOpeningRecord
from coarsefine.hints import Spelling
from coarsefine.studies.checks.audit_record import record_of
from coarsefine.studies.reports.findings import final_tests, ranked, search_stages, training_of_best
from coarsefine.studies.reports.parts import (
    Block,
    Code,
    Facts,
    Items,
    Paragraph,
    Report,
    Section,
)
from coarsefine.studies.reports.reproduction import reproduction
from coarsefine.studies.reports.setup import (
    GradientCheck,
    data_and_split,
    gradient_check,
    network,
    question,
)
from coarsefine.studies.reports.source import (
    Source,
    duration,
    ends,
    first_result,
    made_with,
    moment,
    plural,
    read_source,
    steps_of,
    times,
)
from coarsefine.studies.results.final.evidence import evidence_of
from coarsefine.studies.results.notes.note import counted
from coarsefine.studies.results.notes.test_set import is_hand_picked
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.results.scoring.splits import Splits, replicates_in_words


def read_report(
    database: Database,
    study: StudyRecord,
    gradients: GradientCheck | str,
    spelling: Spelling = str,
    by: str | None = None,
    figures: Sequence[str] = (),
) -> Report:
    """Return the report of a study.

    Args:
        database: Where it is.
        study: Which.
        gradients: The check of its network's gradients, or why there is none.
        spelling: Words hints, such as the command to type.
        by: What trials are ranked by; ``None`` as the recipe says.
        figures: Kinds of figures that have a place beside a ranking.
    """
    source = read_source(database, read_ranking(database, study, by), spelling, figures)
    record = record_of(database, study).to_text()
    return _report(
        source,
        (
            Section("result", "Result", tuple(_result(source))),
            Section("question", "Question and recipe", tuple(question(source))),
            Section("data", "Data and split", tuple(data_and_split(source))),
            Section("network", "Network", tuple(network(source))),
            Section("gradients", "Gradient check", tuple(gradient_check(gradients))),
            Section("search", "Search", tuple(search_stages(source))),
            Section("ranking", _ranking_by(source), tuple(ranked(source))),
            Section("training", "Training of the best", tuple(training_of_best(source))),
            Section("test", "Final test", tuple(final_tests(source))),
            Section("notes", "What to keep in mind", tuple(_notes(source))),
            Section("again", "How to make it again", tuple(_again(source))),
        ),
        record,
    )


def read_summary(database: Database, ranking: Ranking, spelling: Spelling = str) -> Report:
    """Return the report of a study in short: what stands beside its trials in a dashboard."""
    source = read_source(database, ranking, spelling)
    return _report(
        source,
        (
            Section("result", "Result", tuple(_result(source))),
            Section("question", "Question and recipe", tuple(question(source))),
            Section("search", "Search", tuple(search_stages(source))),
            Section("ranking", _ranking_by(source), tuple(ranked(source))),
            Section("test", "Final test", tuple(final_tests(source))),
            Section("notes", "What to keep in mind", tuple(_notes(source))),
        ),
    )


def _ranking_by(source: Source) -> str:
    return f"Ranking by {source.ranking.metric.words}"


def _report(source: Source, sections: tuple[Section, ...], record: str = "") -> Report:
    return Report(
        study=source.study.name,
        title=f"A search over {plural(source.symbols)} on {source.study.data_name}",
        finished=bool(source.ranking.trials) and not source.n_left,
        n_openings=len(source.openings),
        sections=sections,
        record=record,
    )


def _result(source: Source) -> Iterator[Block]:
    ranking, best = source.ranking, source.ranking.best
    yield from _warnings(source)
    if best is None or best.validation_accuracy is None:
        return
    n_complete = sum(trial.state == "complete" for trial in ranking.trials)
    yield Paragraph(
        f"The best of {counted(n_complete, 'complete trial')} by {ranking.metric.words} is "
        f"{best.name} with {source.point(best.params)}: {_score(ranking, best)}"
        f"{_of_what(ranking, best)}."
    )
    comparison = ranking.comparison
    if comparison is not None:
        if comparison.n_tied:
            yield Paragraph(
                f"{comparison.n_tied} of the {comparison.n_points} points tried, it among them, "
                "are tied: "
                f"a difference below about {ranking.metric.amount(comparison.margin)} may be due "
                "to chance."
            )
        elif comparison.n_points > 1:
            yield Paragraph("No other point that was tried is tied with it.")
    tested = first_result(source.openings)
    if tested is not None:
        opening, run = tested
        assert run.test_accuracy is not None  # noqa: S101  # that is what makes it a result
        evidence = evidence_of(source.database, opening).of(run)
        within = (
            "" if evidence.interval is None else f"95 % interval {ends(*evidence.interval)} %, "
        )
        seeds = f", mean of {evidence.n_seeds} seeds" if evidence.n_seeds > 1 else ""
        yield Paragraph(
            f"On the test set, {source.point(run.params)} (rank {run.rank}) reached "
            f"{100 * run.test_accuracy:.2f} % ({within}"
            f"{opening.n_test:,} samples{seeds}){_by_whom(opening)}. The test set was opened "
            f"{times(len(source.openings))} for this study."
        )


def _by_whom(opening: TestOpeningRecord) -> str:
    picked = "; what was tested was picked by hand, not by the ranking"
    return picked if is_hand_picked(opening) else ""


def _warnings(source: Source) -> Iterator[Paragraph]:
    """Yield what makes this no finished report."""
    ranking = source.ranking
    if not ranking.trials:
        yield Paragraph("Nothing was trained yet: this study has no trials.", "warning")
    elif source.n_left:
        yield Paragraph(
            f"This search is not finished: {source.n_left} of {len(ranking.trials)} trials are "
            "not trained yet. All that follows is provisional.",
            "warning",
        )
    if ranking.trials and ranking.best is None:
        yield Paragraph("No trial is complete, so there is no result.", "warning")
    if not source.openings:
        why = "There is no test set" if source.without_test else "The test set was never opened"
        yield Paragraph(
            f"{why} for this study, so there is no test accuracy. The "
            "validation accuracy of the best trial is no substitute: the best of several looks "
            "better than it is.",
            "warning",
        )
    elif first_result(source.openings) is None:
        yield Paragraph("The test set was opened, but no trial has a result on record.", "warning")
    elif len(source.openings) > 1:
        yield Paragraph(
            f"The test set was opened {len(source.openings)} times for this study. Only what the "
            "first opening found was found before anyone could choose by it.",
            "warning",
        )


def _score(ranking: Ranking, trial: RankedTrial) -> str:
    value = ranking.metric.of(trial)
    return "–" if value is None else ranking.metric.shown(value)


def _of_what(ranking: Ranking, trial: RankedTrial) -> str:
    """Return an accuracy's interval and what it is of, in brackets."""
    parts, splits = [], Splits.of(ranking.study)
    if trial.interval is not None:
        low, high = trial.interval
        shown = f"{ends(low, high)} %" if ranking.metric.share else f"{low:.3f}–{high:.3f}"
        parts.append(f"95 % interval {shown}")
    if trial.replicates > 1:
        parts.append(f"mean over {trial.replicates} {replicates_in_words(ranking.study)}")
    if ranking.n_validation and splits is None:
        parts.append(f"{ranking.n_validation:,} validation samples")
    return f" ({', '.join(parts)})" if parts else ""


def _notes(source: Source) -> Iterator[Block]:
    notes = [note.spelled(source.spelling) for note in source.ranking.notes]
    found = [*notes, *steps_of(source.recipe, source.study)[1]]
    if not found:
        yield Paragraph("The program found nothing else to warn of.")
        return
    yield Items(tuple(found))


def _again(source: Source) -> Iterator[Block]:
    study, own = source.study, [run for run in source.runs if run.reused_from is None]
    again = reproduction(source.database, study, source.openings)
    seconds = sum(run.seconds or 0.0 for run in own)
    trained = (
        f"{counted(len(own), 'run')}, {sum(run.epochs for run in own):,} epochs, "
        f"{sum(run.updates for run in own):,} updates, {duration(seconds)} of training in all "
        "(trials that were trained together share the time)"
    )
    yield Facts(
        (
            (
                "seed",
                f"{study.seed} (split, first weights and order of the batches follow from it)",
            ),
            ("begun", moment(study.created_at)),
            ("last changed", moment(study.updated_at)),
            ("trained", trained),
            *made_with(study),
        )
    )
    trainer = source.recipe.trainer
    file = "" if trainer is None else f", the file of {trainer} as it was"
    yield Paragraph(
        f"In an empty folder, with the same data (compare the fingerprints){file} and the same "
        "versions, these commands lead to the same table. Another number of cores or another BLAS "
        "may change last digits."
    )
    if again.file_name is not None:
        yield Code(again.file_name, again.file_text)
    yield Code("commands", "\n".join(again.commands) + "\n")
    if again.file_name is None:
        yield Code("the recipe that the preset states", again.file_text)
