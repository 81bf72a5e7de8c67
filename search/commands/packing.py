"""``pack``: studies in one file, to be taken elsewhere."""

from dataclasses import dataclass
from typing import Annotated

import typer

from coarsefine.db.connections.engine import open_database
from coarsefine.db.packing import ENDING
from coarsefine.db.packing import pack as packed
from coarsefine.paths import expanded
from coarsefine.search.console import say, say_json
from coarsefine.search.errors import UsageError
from coarsefine.search.hints import command
from coarsefine.search.options import OUTPUT, OutputOptions, StorageOptions, option
from coarsefine.search.options.tidying import PATTERNS
from coarsefine.search.words import size
from coarsefine.studies.tidying.selection import Filters, selected


@dataclass(frozen=True, slots=True)
class PackOptions:
    """Which studies, and the file at the end."""

    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY... FILE",
            help=f"{PATTERNS}; and at the end the file, which ends with .cfs.",
            show_default=False,
        ),
    ]
    force: Annotated[
        bool, option(OUTPUT, "--force", help="Replace a file that is there (default: refuse).")
    ] = False


def pack(what: PackOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """Pack studies into one file: rows, curves, checkpoints, outcomes, plans and final tests.

    The file is checked when it is unpacked. It is a small database, too: commands that read studies
    take it with --storage. What was taken over from runs of other studies comes without their
    networks.

    Examples:
        python -m search pack digits/lambda hand-in.cfs
        python -m search pack 'mnist/*' 'cifar10/*' all.cfs --force
    """
    *names, file = what.studies
    target = expanded(file)
    if not names or target.suffix != ENDING:
        raise UsageError(f"name the studies, and a file that ends with {ENDING} after them")
    with open_database(storage.url, read_only=True) as database:
        studies = selected(database, Filters(names))
        named = {study.uuid: study.name for study in studies}
        n_bytes = packed(database, named, target, replace=what.force)
    if output.json:
        say_json({"file": str(target), "bytes": n_bytes, "studies": list(named.values())})
        return
    say(f"wrote {target}: {_studies(len(named))}, {size(n_bytes)}")
    if not output.quiet:
        say(f"\nwhere it goes: {command('unpack', str(target))}")


def _studies(n: int) -> str:
    return "1 study" if n == 1 else f"{n:,} studies"
