"""``compare``: studies side by side."""

from dataclasses import dataclass
from typing import Annotated

import typer

from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.options import OutputOptions, StorageOptions


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
    from coarsefine.search.tables.comparing import comparing_table, to_json
    from coarsefine.studies.results.side_by_side import side_by_side

    with open_database(storage.url, read_only=True) as database:
        found = side_by_side(database, what.studies)
    if output.json:
        say_json(to_json(found))
        return
    console = stdout()
    print_table(console, comparing_table(console, found))
    if found.notes:
        say("")
    for line in found.notes:
        tell(f"note: {line}")
