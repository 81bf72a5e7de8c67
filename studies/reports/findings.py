"""The sections of a report that say what was found: stages, ranking, curves, final tests."""

from collections import Counter
from collections.abc import Iterator, Sequence

from coarsefine.db import repository
from coarsefine.db.records import EpochRecord, TestOpeningRecord
from coarsefine.hints import command
from coarsefine.models.specs import SCORE_WORDS
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.stages import Stage, searched_stages
from coarsefine.studies.recipes.layers import final_recipe
from coarsefine.studies.recipes.recipe import from_json
from coarsefine.studies.reports.parts import (
    Block,
    Column,
    Items,
    Paragraph,
    Picture,
    Table,
    notes_of,
)
from coarsefine.studies.reports.source import (
    Source,
    ends,
    moment,
)
from coarsefine.studies.reports.tables import columns_and_rows, spread
from coarsefine.studies.results.classes import CLASSES, confusions_of
from coarsefine.studies.results.columns.rankings import columns_of
from coarsefine.studies.results.curves.columns import EPOCHS, measured_on
from coarsefine.studies.results.final.columns import FINAL_TEST
from coarsefine.studies.results.final.evidence import OpeningEvidence, evidence_of
from coarsefine.studies.results.final.rows import of_opening
from coarsefine.studies.results.notes.curves import of_trial
from coarsefine.studies.results.notes.marks import legend
from coarsefine.studies.results.notes.note import counted
from coarsefine.studies.results.notes.replaying import concluded
from coarsefine.studies.results.notes.test_set import is_hand_picked, on_test
from coarsefine.studies.results.notes.tested import ensemble_legend, test_legend
from coarsefine.studies.results.optimum import located
from coarsefine.studies.results.ranking import Ranking, StageSummary
from coarsefine.studies.results.reading import first_curve
from coarsefine.studies.results.replay.reading import read_replay
from coarsefine.studies.results.scoring.splits import validated_on
from coarsefine.studies.spaces.dimensions import shown

# Nobody reads more on paper; the export has them all.
MOST_ROWS = 50
# Lines of one curve and reasons of failures: enough to see.
_CURVE_POINTS, _MOST_FAILURES = 8, 5
# To replay thousands of trials takes seconds, and says no more.
_MOST_REPLAYED = 1000


def search_stages(source: Source) -> Iterator[Block]:
    """Yield the stages: where each looked, why there, and what it found."""
    ranking = source.ranking
    stages = [Stage.of(record) for record in searched_stages(source.database, source.study)]
    if not stages:
        yield Paragraph("No stage is planned yet.", "warning")
        return
    states = {
        stage.name: Counter[str](t.state for t in ranking.trials if t.stage == stage.name)
        for stage in stages
    }
    yield Table(
        "Stages, in the order they were searched",
        (
            Column("stage"),
            Column("searched"),
            Column("trials", "whole"),
            Column("complete", "whole"),
            Column("sampler"),
            Column("seeds a trial"),
            Column("pruning"),
        ),
        tuple(
            (
                stage.name,
                _searched(ranking, summary),
                sum(states[stage.name].values()),
                states[stage.name]["complete"],
                stage.sampler,
                _seeds(ranking, stage),
                stage.prune,
            )
            for stage, summary in zip(stages, ranking.stages, strict=True)
        ),
    )
    yield Items(tuple(_story(ranking, stage) for stage in ranking.stages))
    lost = Counter[str](t.state for t in ranking.trials)
    words = {
        "diverged": "diverged: their loss stopped being finite, or exceeded the limit",
        "pruned": "stopped early by pruning, far behind the best",
        "failed": "failed",
    }
    yield from notes_of(
        [f"{counted(lost[s], 'trial')} {said}." for s, said in words.items() if lost[s]]
    )
    reasons = Counter(run.failure for run in source.runs if run.failure)
    yield from notes_of(
        [f"{counted(n, 'run')}: {why}" for why, n in reasons.most_common(_MOST_FAILURES)]
    )
    reused = sum(run.reused_from is not None for run in source.runs)
    if reused:
        yield Paragraph(
            f"{counted(reused, 'run')} had been trained before with the same recipe, data and "
            "seed, and were taken over: they are no new evidence.",
            "note",
        )


def _seeds(ranking: Ranking, stage: Stage) -> str:
    """Return how many seeds a stage's trials have."""
    n_splits = stage.run_options.n_runs(1)
    counts = {t.replicates // n_splits for t in ranking.trials if t.stage == stage.name}
    counts = counts or {stage.run_options.replicates}
    return " to ".join(str(n) for n in sorted({min(counts), max(counts)}))


def _searched(ranking: Ranking, stage: StageSummary) -> str:
    parts = []
    for each in stage.dimensions:
        symbol = ranking.symbol(each["name"])
        if each["low"] is not None and each["high"] is not None:
            parts.append(f"{symbol} {shown(each['low'])} … {shown(each['high'])}")
        elif each.get("values"):
            words = list(map(shown, each["values"]))
            between = "; " if any("," in word for word in words) else ", "
            parts.append(f"{symbol}: {between.join(words)}")
    return "; ".join(parts) or "–"


def _story(ranking: Ranking, stage: StageSummary) -> str:
    """Return which window a stage searched, why, and what it found."""
    own = [t for t in ranking.trials if t.stage == stage.name]
    best = next((t for t in own if t.rank is not None), None)
    why = f"{stage.name} searched {_searched(ranking, stage)}"
    why += f" after {stage.parent}" if stage.parent else ""
    why += f": {stage.reason}." if stage.reason else "."
    score = None if best is None else ranking.metric.of(best)
    if best is None or score is None:
        return f"{why} No trial of it is complete."
    what = "" if ranking.by == "accuracy" else f"a {ranking.metric.words} of "
    return (
        f"{why} Its best is {ranking.point(best.params)} with {what}{ranking.metric.shown(score)} "
        f"on validation, rank {best.rank} of all."
    )


def ranked(source: Source) -> Iterator[Block]:
    """Yield the ranking, what its marks claim, and its figures."""
    ranking = source.ranking
    trials = ranking.trials[:MOST_ROWS]
    if not trials:
        yield Paragraph("There are no trials yet.", "warning")
        return
    yield Table(
        f"Trials, best first{_by(ranking)}: accuracies in percent, on "
        f"{validated_on(ranking.study)}, after the "
        f"{SCORE_WORDS[ranking.score]}",
        *columns_and_rows(columns_of(ranking), trials, ranking, ranking.trials),
        strong=frozenset(i for i, t in enumerate(trials) if t.rank == 1),
    )
    n_more = len(ranking.trials) - len(trials)
    if n_more:
        yield Paragraph(
            f"And {n_more:,} more: {source.spelling(command('export', source.study.name))} FILE "
            "writes them all.",
            "note",
        )
    marks = legend(ranking)
    if marks:
        yield Items(tuple(note.spelled(source.spelling) for note in marks))
    optimum = located(ranking)
    if optimum is not None:
        yield Paragraph(f"{optimum.words[0].upper()}{optimum.words[1:]}.")
    for kind in source.figures:
        yield Picture(kind)
    yield from _replayed(source)


def _replayed(source: Source) -> Iterator[Block]:
    """Yield a line on what sloppier protocols would have concluded."""
    if source.ranking.best is None or len(source.ranking.trials) > _MOST_REPLAYED:
        return
    found = read_replay(source.database, source.ranking)
    if found.protocols:
        yield Paragraph(f"Ranked again under sloppier protocols: {concluded(found)}", "note")


def _by(ranking: Ranking) -> str:
    return "" if ranking.by == "accuracy" else f" by {ranking.metric.words}"


def training_of_best(source: Source) -> Iterator[Block]:
    """Yield the curve of the best trial."""
    best = source.ranking.best
    curve = first_curve(source.database, source.ranking, best)
    if best is None or not curve:
        yield Paragraph("No complete trial, so no curve.", "warning")
        return
    first_seed = " (its first seed)" if best.replicates > 1 else ""
    yield curve_table(source, f"{best.name}{first_seed}", curve)
    shown = of_trial(source.database, source.ranking, best)
    if shown:
        yield Items(tuple(note.spelled(source.spelling) for note in shown))
    yield Picture("curves")
    yield Picture("weights")
    yield from _classes(source)


def curve_table(source: Source, what: str, curve: Sequence[EpochRecord]) -> Table:
    """Return a curve at some of its epochs."""
    parts = ["loss is without the penalty, cost with it", "accuracies in percent"]
    parts += filter(None, [measured_on(source.study)])
    return Table(
        f"{what} at some epochs: {'; '.join(parts)}",
        *columns_and_rows(EPOCHS, spread(curve, _CURVE_POINTS)),
    )


def _classes(source: Source) -> Iterator[Block]:
    """Yield what the best trial makes of each class, where it kept what it predicted."""
    best = source.ranking.best
    try:
        found = confusions_of(source.database, source.ranking, [] if best is None else [best])
    except StudyError:
        return  # of an older study, whose data are not there
    for each in found:
        trial, rows = each.trial, each.rows[:MOST_ROWS]
        yield Table(
            f"{trial.name} by class, on {validated_on(source.study)}; in percent",
            *columns_and_rows(CLASSES, rows),
        )
        if not source.openings:
            yield Picture("confusion")


def final_tests(source: Source) -> Iterator[Block]:
    """Yield each opening of the test set, and how many there were."""
    openings, study = source.openings, source.study
    if source.without_test:
        yield Paragraph("No samples were set aside for a test, so there is none.", "warning")
    elif not openings:
        yield Paragraph(
            "The test set was never opened for this study. When the search is over: "
            f"{source.spelling(command('test', study.name))}",
            "warning",
        )
    others = repository.openings_elsewhere(source.database, study)
    for number, opening in enumerate(openings, start=1):
        yield from _opening(source, opening, number)
        found = on_test(study, opening, number - 1, others)
        odd = [note.spelled(source.spelling) for note in found]
        odd += [
            f"rank {run.rank} diverged in the final training and has no result"
            for run in opening.runs
            if run.test_accuracy is None
        ]
        yield from notes_of(odd, "warning")
    if openings and not is_hand_picked(openings[0]):
        yield Paragraph(
            "The trials of the first opening were chosen by validation accuracy before it. The "
            "result is that of its first row; the others are there for comparison, and to choose "
            "among them now would be to choose by the test set."
        )
    if openings:
        yield Picture("final-curves")
        yield Picture("confusion")
    said = f"This database records {counted(len(openings), 'opening')} of the test set of "
    said += f"{study.data_name} for this study"
    n_others = sum(n for _, n in others)
    whose = "another study" if len(others) == 1 else f"{len(others)} other studies"
    said += f" and {n_others} for {whose}." if others else ", and none for others."
    yield Paragraph(said, "note")


def _opening(source: Source, opening: TestOpeningRecord, number: int) -> Iterator[Block]:
    when = f"Opened {moment(opening.opened_at)}"
    if len(source.openings) > 1:
        when = f"Opening {number} of {len(source.openings)}, {moment(opening.opened_at)}"
    how = "with the weights of the search"
    if opening.refit != "none":
        how = "after training once more on training and validation samples together"
        kept = opening.recipe.get("final", {}).get("validation")
        if kept is not None:
            share = f"{100 * kept:g} %" if isinstance(kept, float) else f"{kept:,}"
            how += f", less {share} to watch it with"
        recipe = from_json(opening.recipe, "the recipe of a final test")
        lengths = final_recipe(recipe).training, recipe.training
        if (lengths[0].epochs, lengths[0].cycles) != (lengths[1].epochs, lengths[1].cycles):
            length = lengths[0].epochs or lengths[0].cycles
            how += f", for {length} {'epochs' if lengths[0].epochs else 'cycles'}"
    yield Paragraph(f"{when}, {how}, on {opening.n_test:,} test samples.")
    if not opening.runs:
        yield Paragraph("It was cut short: no result is on record.", "warning")
        return
    evidence = evidence_of(source.database, opening)
    how = ", with their binomial standard error and 95 % (Wilson) interval"
    if evidence.n_seeds > 1:
        how = f": means over {evidence.n_seeds} seeds with their standard error and 95 % intervals"
    yield Table(
        f"Accuracies in percent on {opening.n_test:,} test samples{how}",
        *columns_and_rows(FINAL_TEST, of_opening(opening, evidence)),
        strong=frozenset({0}),
    )
    legend = test_legend(opening, evidence, len(source.openings))
    yield Paragraph(" ".join(f"{_sentence(n.spelled(source.spelling))}." for n in legend), "note")
    yield from _together(source, evidence)
    if opening.note:
        yield Paragraph(f"On record with it: {opening.note}.", "note")


def _together(source: Source, evidence: OpeningEvidence) -> Iterator[Block]:
    """Yield what the ensembles reached, beside the best alone."""
    for each in evidence.ensembles:
        record = each.record
        how = "the vote" if record.method == "vote" else "the mean of probabilities"
        said = (
            f"By {how} of {counted(record.n_networks, 'network')} of "
            f"{counted(len(record.members), 'trial')}, {100 * record.test_accuracy:.2f} % of the "
            f"test samples are classified correctly (95 % interval {ends(*each.interval)} %)"
        )
        if each.difference is not None and each.difference_interval is not None:
            low, high = (f"{100 * end:+z.2f}" for end in each.difference_interval)
            said += (
                f": {100 * each.difference:+z.2f} points to the best alone (95 % interval {low} to "
                f"{high} points, p {'< 0.001' if (each.p or 0) < 0.001 else f'= {each.p:.3f}'})"
            )
        yield Paragraph(f"{said}.")
    for note in ensemble_legend(evidence):
        yield Paragraph(f"{_sentence(note.spelled(source.spelling))}.", "note")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
