"""Final tests: in a terminal, and for exports."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import TestOpeningRecord
from coarsefine.hints import command
from coarsefine.search.errors import ExportError
from coarsefine.search.hints import spelled
from coarsefine.search.tables.column import TextColumn, fitting, text_columns
from coarsefine.search.tables.table import ExportTable, usual_columns
from coarsefine.search.tables.texts import interval, text
from coarsefine.search.words import counted, percent
from coarsefine.studies.results.columns.column import exact_cells
from coarsefine.studies.results.final.columns import FINAL_TEST
from coarsefine.studies.results.final.evidence import EnsembleEvidence, evidence_of
from coarsefine.studies.results.final.rows import (
    TestedTrial,
    of_opening,
    trials_of_openings,
)
from coarsefine.studies.results.judging.statistics import Interval
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.notes.test_set import HAND_PICKED, is_hand_picked
from coarsefine.studies.results.notes.tested import ensemble_legend, test_legend
from coarsefine.studies.results.ranking import Ranking

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.running.final.test import FinalTest


def test_table(console: "Console", result: "FinalTest") -> "Table":
    """Return what the tested trials reached on the test set."""
    study, opening = result.study, result.opening
    rows = of_opening(opening, result.evidence)
    columns = text_columns(FINAL_TEST, rows)
    if is_hand_picked(opening):
        columns.append(
            TextColumn("chosen", lambda r: f"{HAND_PICKED}, rank {r.run.rank}", right=False)
        )
    title = f"{study.name}: {counted(opening.n_test, 'test sample')}, refit {opening.refit}"
    if result.evidence.n_seeds > 1:
        title += f", {result.evidence.n_seeds} seeds"
    return fitting(console, title, columns, rows)


METHODS: Final = {"vote": "vote", "mean": "mean of probabilities"}
"""What people read for each kind of ensemble."""


def ensemble_table(console: "Console", result: "FinalTest") -> "Table":
    """Return what ensembles reached, beside the best trial alone."""
    columns: list[TextColumn[EnsembleEvidence]] = [
        TextColumn("ensemble", lambda e: METHODS[e.record.method], right=False),
        TextColumn("networks", lambda e: f"{e.record.n_networks:,}", spare=3),
        TextColumn("test\naccuracy\n%", lambda e: percent(e.record.test_accuracy)),
        TextColumn("95 %\ninterval", lambda e: interval(e.interval), spare=1),
        TextColumn("less the\nbest alone\npoints", lambda e: _signed(e.difference)),
        TextColumn("95 %\ninterval", _difference_interval),
        TextColumn("p", lambda e: "–" if e.p is None else _probability(e.p), spare=2),
        TextColumn("test\nloss", _loss, spare=4),
    ]
    return fitting(console, "", columns, result.evidence.ensembles)


def ensemble_texts(result: "FinalTest") -> list[str]:
    """Return what each ensemble reached, a sentence each."""
    return [
        f"{METHODS[each.record.method]} of {counted(each.record.n_networks, 'network')}: test "
        f"accuracy {percent(each.record.test_accuracy)} % ({interval(each.interval)}), "
        f"{_signed(each.difference)} points to the best alone ({_difference_interval(each)})"
        for each in result.evidence.ensembles
    ]


def _signed(difference: float | None) -> str:
    return "–" if difference is None else f"{100 * difference:+z.2f}"


def _difference_interval(found: EnsembleEvidence) -> str:
    ends = found.difference_interval
    return "–" if ends is None else f"{_signed(ends[0])} to {_signed(ends[1])}"


def _probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _loss(found: EnsembleEvidence) -> str:
    loss = found.record.test_loss
    return "–" if loss is None else text("loss", loss)


def test_lines(result: "FinalTest") -> list[str]:
    """Return what the figures claim, a line each, without the ensembles'."""
    return list(map(spelled, test_legend(result.opening, result.evidence, result.n_openings)))


def ensemble_lines(result: "FinalTest") -> list[str]:
    """Return what the figures of ensembles claim, a line each."""
    return list(map(spelled, ensemble_legend(result.evidence)))


def of_test(database: Database, ranking: Ranking, top: int | None = None) -> ExportTable:
    """Return what the final test found: a row a tested trial of each opening of the test set.

    Raises:
        ExportError: If the test set was not opened yet.
    """
    study = ranking.study
    openings = repository.openings(database, study)
    if not openings:
        raise ExportError(f"{study.name} has no final test; run\n    ", command("test", study.name))
    rows = trials_of_openings(database, study, openings, top)
    cells, columns = exact_cells(FINAL_TEST, rows, ranking)
    searched = tuple(dict.fromkeys(name for row in rows for name in row.params))
    return ExportTable(
        name="test",
        rows="test runs",
        cells=cells,
        columns=columns,
        usual=usual_columns(FINAL_TEST, rows, searched),
        legend=partial(_legend, database, openings, ranking),
    )


def _legend(
    database: Database, openings: Sequence[TestOpeningRecord], ranking: Ranking
) -> tuple[str, ...]:
    """Return what the figures of the final test must not be read without, a sentence each."""
    from coarsefine.studies.results.notes.final_training import final_notes

    notes: list[Note] = []
    for opening in openings:
        if opening.runs:
            evidence = evidence_of(database, opening)
            notes += test_legend(opening, evidence, len(openings))
            notes += ensemble_legend(evidence)
    notes += [note for opening in openings for note in final_notes(ranking.study, opening)]
    return tuple(dict.fromkeys(map(spelled, notes)))


def final_test_json(result: "FinalTest") -> dict[str, Any]:
    """Return what ``test --json`` prints: a stable contract, see ``docs/cli.md``."""
    from coarsefine.studies.results.notes.final_training import final_notes

    opening, evidence = result.opening, result.evidence
    return {
        "study": result.study.name,
        "data": result.study.data_name,
        "opened": result.n_openings,
        "opened_by_others": [{"study": name, "times": n} for name, n in result.others],
        "test_samples": opening.n_test,
        "note": opening.note,
        "trials": [_trial_json(row) for row in of_opening(opening, evidence)],
        "comparison": None
        if evidence.margin is None
        else {
            "method": evidence.method,
            "best": evidence.best,
            "tied": evidence.n_tied,
            "margin": evidence.margin,
            "selection_bias": evidence.optimism,
            "pairs": [asdict(pair) | {"interval": _ends(pair.interval)} for pair in evidence.pairs],
        },
        "ensembles": [_ensemble_json(each) for each in evidence.ensembles],
        "notes": [spelled(note) for note in (*final_notes(result.study, opening), *result.notes)],
    }


def _trial_json(row: TestedTrial) -> dict[str, Any]:
    run, evidence = row.run, row.evidence
    return {
        "rank": run.rank,
        "stage": run.stage,
        "params": run.params,
        "validation_accuracy": run.validation_accuracy,
        "validation_corrected": row.corrected,
        "test_accuracy": run.test_accuracy,
        "test_loss": run.test_loss,
        "test_cost": run.test_cost,
        "refit": row.opening.refit,
        "interval": _ends(evidence.interval),
        "seeds_interval": _ends(evidence.seeds),
        "samples_interval": _ends(evidence.samples),
        "standard_error": evidence.error,
        "standard_deviation": evidence.standard_deviation,
        "difference": evidence.difference,
        "tied": evidence.tied,
        "test_corrected": evidence.corrected,
        "hand_picked": is_hand_picked(row.opening),
        "seeds": [
            {
                "replicate": seed.replicate,
                "final_validation_accuracy": seed.final_validation_accuracy,
                "test_accuracy": seed.test_accuracy,
                "test_loss": seed.test_loss,
                "test_cost": seed.test_cost,
            }
            for seed in run.seeds
        ],
    }


def _ends(ends: Interval | None) -> list[float] | None:
    return None if ends is None else list(ends)


def _ensemble_json(found: EnsembleEvidence) -> dict[str, Any]:
    record = found.record
    return {
        "method": record.method,
        "networks": record.n_networks,
        "members": record.members,
        "test_accuracy": record.test_accuracy,
        "test_loss": record.test_loss,
        "interval": _ends(found.interval),
        "difference": found.difference,
        "difference_interval": _ends(found.difference_interval),
        "p": found.p,
    }
