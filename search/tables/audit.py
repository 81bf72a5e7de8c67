"""An audit in a terminal: a row a run that was trained again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import percent
from coarsefine.studies.spaces.dimensions import described

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.checks.audit import Audit, Checked

# Of a cohort, others than those that were drawn are listed if they differ.
_WORDS = {"identical": "same bits", "rounding": "same to rounding", "differs": "DIFFERS"}


def audit_table(console: "Console", found: "Audit") -> "Table":
    """Return the runs that were drawn, and those that differ."""
    rows = [each for each in found.checked if each.drawn or each.verdict != "identical"]
    trials = {(t.stage, t.trial): t.params for t in found.record.trials}
    columns: list[TextColumn[Checked]] = [
        TextColumn("run", lambda each: each.claim.name, right=False),
        TextColumn("drawn", lambda each: "yes" if each.drawn else "", right=False, spare=2),
        TextColumn("settings", lambda each: _point(trials, each), right=False, spare=3),
        TextColumn("on record\n%", lambda each: percent(each.claim.validation_accuracy)),
        TextColumn("trained again\n%", lambda each: percent(each.found)),
        TextColumn("verdict", lambda each: _WORDS[each.verdict], right=False),
        TextColumn("", lambda each: each.reason, right=False, fold=True, spare=1),
    ]
    return fitting(console, f"{found.record.study}: runs trained again", columns, rows)


def _point(trials: "Mapping[tuple[str, int], Mapping[str, Any]]", each: "Checked") -> str:
    return described(trials[each.claim.stage, each.claim.trial])


def audit_json(found: "Audit") -> dict[str, Any]:
    """Return what ``audit --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "study": found.record.study,
        "passed": found.passed,
        "runs": found.n_runs,
        "seed": found.seed,
        "checked": [
            {
                "stage": each.claim.stage,
                "trial": each.claim.trial,
                "replicate": each.claim.replicate,
                "drawn": each.drawn,
                "verdict": each.verdict,
                "state": each.claim.state,
                "validation_accuracy": each.claim.validation_accuracy,
                "found": each.found,
                "reason": each.reason,
            }
            for each in found.checked
        ],
        "bound": found.bound,
        "escapes": [
            {"share": each.share, "runs": each.runs, "probability": each.probability}
            for each in found.escapes
        ],
        "left_out": found.record.left_out,
        "unlike": list(found.unlike),
        "inconsistent": list(found.inconsistent),
        "seconds": found.seconds,
    }
