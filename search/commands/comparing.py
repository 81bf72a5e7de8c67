"""``compare``: studies side by side, and compared by a test."""

from dataclasses import dataclass
from typing import Annotated

import typer

from coarsefine.db.connections.engine import open_database
from coarsefine.search.choosing import trial_place
from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.hints import spelled
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.options import OutputOptions, StorageOptions, number, option
from coarsefine.search.tables.comparing import comparing_table, to_json
from coarsefine.studies.results.comparing.side_by_side import side_by_side
from coarsefine.studies.results.judging.statistics import INDIFFERENT

COMPARISON = "Comparison"
BEST = "best"


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
    trial: Annotated[
        list[str] | None,
        option(
            COMPARISON,
            "--trial",
            metavar="STAGE:NUMBER",
            help="The trial that stands for a study, as in fine:6, or best; one for each study, in "
            "their order, with commas or given again (default: the best of each).",
        ),
    ] = None
    indifference: Annotated[
        float | None,
        option(
            COMPARISON,
            "--indifference",
            metavar="POINTS",
            parser=number,
            help="The largest difference of accuracies that does not matter, in percentage points "
            "(default: 0.5).",
        ),
    ] = None

    def places(self) -> tuple[tuple[str, int] | None, ...]:
        """Return stage and number of each trial that is named, ``None`` for the best."""
        named = [part.strip() for words in self.trial or () for part in words.split(",")]
        return tuple(
            None if part == BEST else trial_place(part, "fine:6, or best") for part in named
        )


def compare(what: CompareOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """Put studies side by side, and compare each two by a test.

    A line a study: its best trial, validation accuracy with its 95 % interval, and what the first
    opening of the test set found. Then what the recipes differ in, whether the studies were tuned
    equally, and a verdict for each two of them: better, equivalent, or undecided, with how many
    more seeds or samples would decide. docs/statistics.md has the test. Trains nothing and changes
    nothing.

    Examples:
        python -m search compare digits/lambda digits/eta
        python -m search compare digits/lambda digits/eta --trial fine:6,best --indifference 1
        python -m search compare digits/lambda digits/lambda-2 --json
    """
    places = what.places()
    delta = INDIFFERENT if what.indifference is None else what.indifference / 100
    with open_database(storage.url, read_only=True) as database:
        found = side_by_side(database, what.studies, places, delta)
    if output.json:
        say_json(to_json(found, by_hint))
        return
    console = stdout()
    print_table(console, comparing_table(console, found))
    for paragraph in (
        [spelled(line) for line in found.before],
        [spelled(line) for line in found.verdicts],
        [f"note: {spelled(line)}" for line in found.notes],
    ):
        if paragraph:
            say("")
        for line in paragraph:
            tell(line)
