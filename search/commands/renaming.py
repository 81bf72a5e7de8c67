"""``mv`` and ``cp``: studies under other names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.records import StudySummary
from coarsefine.search.console import say, say_json
from coarsefine.search.errors import UsageError
from coarsefine.search.options import OutputOptions, StorageOptions
from coarsefine.search.options.tidying import PATTERNS
from coarsefine.studies.tidying import changes
from coarsefine.studies.tidying.selection import Filters, selected

Change = Callable[[Database, Sequence[StudySummary], str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class RenamedStudies:
    """Which studies, and their new name at the end."""

    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY... NEW",
            help=f"{PATTERNS}; and at the end the new name, or with a slash at its end, as in "
            "old/, what goes before the names they have.",
            show_default=False,
        ),
    ]


def rename(which: RenamedStudies, storage: StorageOptions, output: OutputOptions) -> None:
    """Rename studies.

    Optuna's studies get their names in the same transaction. A lab that is run again looks for its
    studies by name, and begins new ones. A study that is being searched is refused.

    Examples:
        python -m search mv digits/lambda first-try
        python -m search mv 'mnist/*' archive/
    """
    _carry_out(which, storage, output, changes.rename)


def copy(which: RenamedStudies, storage: StorageOptions, output: OutputOptions) -> None:
    """Copy studies: each copy carries on by itself.

    With trials, curves, checkpoints and final tests, and Optuna's studies, in one transaction. An
    opening of the test set that copy and original share is counted once.

    Examples:
        python -m search cp digits/lambda what-if
        python -m search cp 'mnist/*' before-the-lecture/
    """
    _carry_out(which, storage, output, changes.copy)


def _carry_out(
    which: RenamedStudies, storage: StorageOptions, output: OutputOptions, change: Change
) -> None:
    *names, target = which.studies
    if not names:
        raise UsageError(f"name the study, and the new name after it; got {target!r} alone")
    with open_database(storage.url) as database:
        made = change(database, selected(database, Filters(names)), target)
    if output.json:
        say_json({"studies": [{"from": old, "to": new} for old, new in made.items()]})
        return
    for old, new in made.items():
        say(f"{old} -> {new}")
