"""``compare``: studies side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.options import OutputOptions, StorageOptions
from coarsefine.search.words import percent, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.results.ranking import Ranking
    from coarsefine.studies.results.side_by_side import Side, SideBySide


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Which studies."""

    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY STUDY...",
            help="Names of two or more studies, as `list` shows them.",
            show_default=False,
        ),
    ]


def compare(what: CompareOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """Put studies side by side: what their recipes differ in, and what each found.

    A line a study: its best trial, validation accuracy with its 95 % interval, and what the first
    opening of the test set found. Trains nothing and changes nothing.

    Examples:
        python -m search compare digits/lambda digits/eta
        python -m search compare digits/lambda digits/lambda-2 --json
    """
    from coarsefine.db.engine import open_database
    from coarsefine.studies.results.side_by_side import side_by_side

    with open_database(storage.url, read_only=True) as database:
        found = side_by_side(database, what.studies)
    if output.json:
        say_json(to_json(found))
        return
    console = stdout()
    print_table(console, table(console, found))
    if found.notes:
        say("")
    for line in found.notes:
        tell(f"note: {line}")


def table(console: "Console", found: "SideBySide") -> "Table":
    """Return a line a study: what it says otherwise than the others, and what it found."""
    from coarsefine.search.tables import Column, fitting, interval

    def setting(key: str) -> "Column[Side]":
        # A recipe's key, its section above it; what is said least of gives way first.
        heading = key.replace(".", "\n").replace("_", " ")
        spare = 1 + len(found.keys) - found.keys.index(key)
        return Column(heading, lambda side: _word(side.settings[key]), right=False, spare=spare)

    columns: list[Column[Side]] = [
        Column("study", lambda side: side.ranking.study.name, right=False),
        *(setting(key) for key in found.keys),
        Column("trials", lambda side: str(len(side.ranking.trials)), spare=1),
        Column("best trial", _best, right=False),
        Column(
            "validation\naccuracy %",
            lambda s: percent(s.best.validation_accuracy if s.best else None),
        ),
        Column("95 %\ninterval", lambda s: interval(s.best.interval if s.best else None)),
        Column("test\naccuracy %", lambda s: percent(s.tested.test_accuracy if s.tested else None)),
        Column("95 %\ninterval", lambda side: interval(side.test_interval)),
        Column("test set\nopened", lambda side: str(side.n_openings)),
    ]
    return fitting(console, "", columns, found.sides)


def _word(stated: Any) -> str:
    return "–" if stated is None else value(stated)


def _best(side: "Side") -> str:
    return "–" if side.best is None else _point(side.ranking, side.best.params)


def _point(ranking: "Ranking", params: "Mapping[str, Any]") -> str:
    # Variants have names, which say all.
    return ", ".join(
        value(tried) if name == "variant" else f"{ranking.symbol(name)} {value(tried)}"
        for name, tried in params.items()
    )


def to_json(found: "SideBySide") -> dict[str, Any]:
    """Return what ``compare --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "studies": [_side_json(side) for side in found.sides],
        "differences": list(found.keys),
        "notes": list(found.notes),
    }


def _side_json(side: "Side") -> dict[str, Any]:
    study, best, tested = side.ranking.study, side.best, side.tested
    interval = side.test_interval
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
            "interval": None if interval is None else list(interval),
        },
        "test_openings": side.n_openings,
    }
