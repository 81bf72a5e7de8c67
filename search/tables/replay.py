"""A study under sloppier protocols: in a terminal, and for programs."""

from typing import TYPE_CHECKING, Any

from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.studies.results.columns.column import finite
from coarsefine.studies.results.notes.replaying import concluded, winners
from coarsefine.studies.results.replay.protocols import SEED, Case, Protocol, Replay

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def replay_table(console: "Console", found: Replay) -> "Table":
    """Return a line a protocol: how often it names another value, how far its headline is off."""
    columns: list[TextColumn[Protocol]] = [
        TextColumn("protocol", lambda p: p.words, right=False),
        TextColumn("names", lambda p: _names(found, p), right=False, spare=3),
        TextColumn("another\nvalue in", lambda p: f"{p.n_another:,} of {len(p.cases):,}"),
        TextColumn("worse\nin", lambda p: f"{p.n_worse:,}", spare=1),
        TextColumn("headline\ntoo high", lambda p: f"{100 * p.flattery:+z.2f}"),
        TextColumn("from … to", _ends, spare=2),
    ]
    return fitting(console, f"{found.ranking.study.name}, replayed", columns, found.protocols)


def _names(found: Replay, protocol: Protocol) -> str:
    most, *others = winners(found, protocol)
    return f"{most[0]}, {len(others)} more" if others else most[0]


def _ends(protocol: Protocol) -> str:
    if len(protocol.cases) == 1:
        return ""
    low, high = protocol.ends
    return f"{100 * low:+z.2f} … {100 * high:+z.2f}"


def to_json(found: Replay) -> dict[str, Any]:
    """Return what ``replay --json`` prints: a stable contract, see ``docs/cli.md``."""
    best = found.best
    return {
        "study": found.ranking.study.name,
        "values": found.n_values,
        "best": {
            "stage": best.stage,
            "trial": best.trial,
            "params": dict(best.params),
            "validation_accuracy": finite(best.validation_accuracy),
        },
        "seed": SEED,
        "protocols": [protocol_json(each) for each in found.protocols],
        "left_out": [
            {"protocol": name, "words": found.words(name), "reason": reason}
            for name, reason in found.left_out.items()
        ],
        "words": concluded(found),
    }


def protocol_json(protocol: Protocol) -> dict[str, Any]:
    """Return what a protocol concludes, for programs."""
    low, high = protocol.ends
    times: dict[tuple[str, int], list[Case]] = {}
    for case in protocol.cases:
        times.setdefault((case.winner.stage, case.winner.trial), []).append(case)
    return {
        "protocol": protocol.name,
        "words": protocol.words,
        "cases": len(protocol.cases),
        "another": protocol.n_another,
        "worse": protocol.n_worse,
        "flattery": finite(protocol.flattery),
        "flattery_low": finite(low),
        "flattery_high": finite(high),
        "winners": [
            {
                "stage": stage,
                "trial": trial,
                "params": dict(cases[0].winner.params),
                "times": len(cases),
            }
            for (stage, trial), cases in sorted(times.items(), key=lambda item: -len(item[1]))
        ],
    }
