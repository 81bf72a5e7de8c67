"""``unpack`` and ``merge``: studies that come from files, servers and machines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from coarsefine.db.connections.urls import storage_url
from coarsefine.db.merging import Merged
from coarsefine.search.console import note, say, say_json
from coarsefine.search.errors import DONE, FAILED
from coarsefine.search.options import OUTPUT, OutputOptions, StorageOptions, option, text_option
from coarsefine.search.words import counted
from coarsefine.studies.tidying.moving import merge_into

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FileArgument:
    """What is unpacked."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed file.", show_default=False)]


@dataclass(frozen=True, slots=True)
class OtherArgument:
    """What is merged."""

    other: Annotated[
        str,
        typer.Argument(
            metavar="OTHER",
            help="Another database: an SQLite file or a URL, as of --storage.",
            show_default=False,
        ),
    ]


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """Which studies, and what they are called here."""

    only: Annotated[
        list[str] | None,
        option(
            OUTPUT,
            "--only",
            metavar="STUDY",
            help="Only this study; a name or a pattern, and may be given again (default: all).",
        ),
    ] = None
    prefix: Annotated[
        str | None,
        text_option(
            OUTPUT,
            "--prefix",
            "TEXT",
            "What goes before the names of studies that are new here, as in anna/ (default: "
            "nothing; a number goes after a name that is taken).",
        ),
    ] = None


def unpack(
    what: FileArgument, how: MergeOptions, storage: StorageOptions, output: OutputOptions
) -> int:
    """Unpack a file of studies, after it was checked.

    All of it in one transaction. A study that is here already is told as `merge` does, and one that
    has come further takes its place. Exits 1 if results differ.

    Examples:
        python -m search unpack hand-in.cfs
        python -m search unpack hand-in.cfs --prefix anna/ --storage course.db
    """
    return _merged(str(what.file), how, storage, output, packed=True)


def merge(
    what: OtherArgument, how: MergeOptions, storage: StorageOptions, output: OutputOptions
) -> int:
    """Merge the studies of another database into this one.

    Nothing changes there. Training runs that both have, of one recipe, data and seed, are compared:
    equal ones keep one network, unequal ones are reported, which checks that results were equal to
    the bit. A study that is here already is renewed where it has come further there, and left as it
    is where results differ. Exits 1 if results differ.

    Examples:
        python -m search merge anna.db --prefix anna/
        python -m search merge postgresql://localhost/course --storage mine.db
    """
    return _merged(what.other, how, storage, output)


def _merged(
    other: str,
    how: MergeOptions,
    storage: StorageOptions,
    output: OutputOptions,
    *,
    packed: bool = False,
) -> int:
    merged = merge_into(
        storage_url(other), storage.url, how.only or (), how.prefix or "", packed=packed, said=note
    )
    if output.json:
        say_json(to_json(merged))
    else:
        _print(merged, quiet=output.quiet)
    return FAILED if merged.unequal or merged.refused else DONE


def to_json(merged: Merged) -> dict[str, Any]:
    """Return what ``merge --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "added": [{"from": there, "to": here} for there, here in merged.added],
        "renewed": merged.renewed,
        "kept": merged.kept,
        "refused": merged.refused,
        "equal_runs": merged.n_equal,
        "networks_kept_once": merged.n_once,
        "unequal_runs": [
            {
                "there": run.there,
                "here": run.here,
                "differing": {
                    name: {"there": there, "here": here}
                    for name, (there, here) in run.fields.items()
                },
            }
            for run in merged.unequal
        ],
    }


def _print(merged: Merged, *, quiet: bool) -> None:
    for there, here in merged.added:
        say(f"added {here}" if here == there else f"added {there} as {here}")
    for names, what in (
        (merged.renewed, "renewed: it has come further there"),
        (merged.kept, "is here already"),
        (merged.refused, "left as it is: it is here with other results or final tests"),
    ):
        for name in names:
            say(f"{name}: {what}")
    if merged.n_equal:
        once = f"; {counted(merged.n_once, 'network')} kept once" if merged.n_once else ""
        note(
            f"{counted(merged.n_equal, 'training run')} were here with equal results{once}",
            quiet=quiet,
        )
    if merged.unequal:
        say(
            f"\n{counted(len(merged.unequal), 'training run')} of one recipe, data and seed differ "
            "from what is here: another processor or version rounds otherwise, or rows were changed"
        )
    for run in merged.unequal[:_MOST_SHOWN]:
        differing = ", ".join(f"{k} {a} / {b}" for k, (a, b) in run.fields.items())
        say(f"    {run.there} / {run.here}: {differing}")
    if len(merged.unequal) > _MOST_SHOWN:
        say(f"    and {len(merged.unequal) - _MOST_SHOWN:,} more; --json has them all")
