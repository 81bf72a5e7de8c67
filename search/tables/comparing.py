"""Studies side by side: in a terminal, and for programs."""

from typing import Any

from rich.console import Console
from rich.table import Table

from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.tables.texts import interval
from coarsefine.search.words import percent, value
from coarsefine.studies.results.side_by_side import Side, SideBySide


def comparing_table(console: Console, found: SideBySide) -> Table:
    """Return a line a study: what it says otherwise than the others, and what it found."""

    def setting(key: str) -> TextColumn[Side]:
        # A recipe's key, its section above it; what is said least of gives way first.
        heading = key.replace(".", "\n").replace("_", " ")
        spare = 1 + len(found.keys) - found.keys.index(key)
        return TextColumn(heading, lambda side: _word(side.settings[key]), right=False, spare=spare)

    columns: list[TextColumn[Side]] = [
        TextColumn("study", lambda side: side.ranking.study.name, right=False),
        *(setting(key) for key in found.keys),
        TextColumn("trials", lambda side: str(len(side.ranking.trials)), spare=1),
        TextColumn("best trial", _best, right=False),
        TextColumn(
            "validation\naccuracy %",
            lambda s: percent(s.best.validation_accuracy if s.best else None),
        ),
        TextColumn("95 %\ninterval", lambda s: interval(s.best.interval if s.best else None)),
        TextColumn(
            "test\naccuracy %", lambda s: percent(s.tested.test_accuracy if s.tested else None)
        ),
        TextColumn("95 %\ninterval", lambda side: interval(side.test_interval)),
        TextColumn("test set\nopened", lambda side: str(side.n_openings)),
    ]
    return fitting(console, "", columns, found.sides)


def _word(stated: Any) -> str:
    return "–" if stated is None else value(stated)


def _best(side: Side) -> str:
    return "–" if side.best is None else side.ranking.point(side.best.params)


def to_json(found: SideBySide) -> dict[str, Any]:
    """Return what ``compare --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "studies": [_side_json(side) for side in found.sides],
        "differences": list(found.keys),
        "notes": list(found.notes),
    }


def _side_json(side: Side) -> dict[str, Any]:
    study, best, tested = side.ranking.study, side.best, side.tested
    ends = side.test_interval
    return {
        "study": study.name,
        "search": study.search,
        "data": study.data_name,
        "data_fingerprint": study.data_fingerprint,
        "seed": study.seed,
        "settings": dict(side.settings),
        "trials": len(side.ranking.trials),
        "finished": side.n_left == 0,
        "best": None
        if best is None
        else {
            "stage": best.stage,
            "trial": best.trial,
            "params": dict(best.params),
            "validation_accuracy": best.validation_accuracy,
            "interval": None if best.interval is None else list(best.interval),
        },
        "test": None
        if tested is None
        else {
            "rank": tested.rank,
            "params": tested.params,
            "accuracy": tested.test_accuracy,
            "interval": None if ends is None else list(ends),
        },
        "test_openings": side.n_openings,
    }
