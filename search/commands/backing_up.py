"""``backup``: a copy of all studies, made while a search or a service goes on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from coarsefine.db.copying import copy_database
from coarsefine.paths import expanded
from coarsefine.search.console import say, say_json
from coarsefine.search.hints import command
from coarsefine.search.options import OUTPUT, OutputOptions, StorageOptions, option
from coarsefine.search.words import size


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """Where the copy goes."""

    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The file to make.", show_default=False),
    ]
    force: Annotated[
        bool,
        option(OUTPUT, "--force", help="Replace a file that is there (default: refuse)."),
    ] = False


def backup(what: BackupOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """Copy all studies to a file, also while a search or a service writes.

    SQLite makes the copy: it holds what was stored at one moment, is looked through, and has its
    name once it is whole. `cp` misses what is still in SQLite's log. A database on a server is
    copied by the server's own program; the command to run is printed.

    Examples:
        python -m search backup monday.db
        python -m search backup /backups/course.db --storage course.db --force
    """
    target = expanded(what.file)
    n_bytes = copy_database(storage.url, target, replace=what.force)
    if output.json:
        say_json({"file": str(target), "bytes": n_bytes})
        return
    say(f"wrote {target}, {size(n_bytes)}")
    if not output.quiet:
        say(f"\nnext: {command('check', storage=str(target))}")
