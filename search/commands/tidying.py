"""``rm``, ``restore`` and ``purge``: studies in the trash, out of it, and deleted for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from coarsefine.db import tidying
from coarsefine.db.connections.engine import open_database
from coarsefine.db.records import StudySummary
from coarsefine.search.commands.asking import ask
from coarsefine.search.console import note, say, say_json
from coarsefine.search.hints import command
from coarsefine.search.options import OutputOptions, StorageOptions
from coarsefine.search.options.tidying import PATTERNS, StudiesArgument, SureOptions
from coarsefine.search.words import counted, size
from coarsefine.studies.tidying import changes
from coarsefine.studies.tidying.changes import Extent
from coarsefine.studies.tidying.selection import Filters, selected

_MOST_NAMED = 20


def remove(
    which: StudiesArgument, sure: SureOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Move studies to the trash.

    Optuna's studies go with them, in one transaction: killed at any moment, all are in the trash or
    none. Their names are free, `restore` brings them back, and `purge` deletes them for good. Each
    opening of the test set stays on record. A study that is being searched is refused.

    Examples:
        python -m search rm digits/lambda
        python -m search rm 'draft-*' 'mnist/eta*' --yes
    """
    with open_database(storage.url) as database:
        studies = selected(database, Filters(which.studies))
        extent = Extent.of(database, studies)
        if len(studies) > 1:
            _show(studies)
            ask(f"{_in_words(extent)} go to the trash", yes=sure.yes)
        tidying.trash(database, [study.uuid for study in studies])
    if output.json:
        say_json(_to_json(studies, extent))
        return
    say(f"in the trash: {_in_words(extent)}")
    if not output.quiet:
        back = command("restore", *which.studies, storage=storage.storage)
        say(f"\nto undo: {back}")


def restore(which: StudiesArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Take studies out of the trash.

    They have their names again, in Optuna too. Where another study has the name by now, rename that
    first. Of several that had one name, the last one comes back.

    Examples:
        python -m search restore digits/lambda
        python -m search restore '*'
    """
    with open_database(storage.url) as database:
        studies = selected(database, Filters(which.studies), trashed=True)
        extent = changes.Extent.of(database, studies)
        changes.restore(database, studies)
    if output.json:
        say_json(_to_json(studies, extent))
        return
    say(f"restored: {_in_words(extent)}")
    if not output.quiet:
        _show(studies)


@dataclass(frozen=True, slots=True)
class TrashedStudies:
    """Which studies of the trash."""

    trashed: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY...]", help=f"{PATTERNS}(default: all in the trash).", show_default=False
        ),
    ] = None


def purge(
    which: TrashedStudies, sure: SureOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Delete what is in the trash for good.

    Openings of the test set stay on record, by the fingerprint of the data. Training runs that
    other studies took over keep results and curves. A file gets smaller where it is worth it.

    Examples:
        python -m search purge
        python -m search purge 'draft-*' --yes
    """
    with open_database(storage.url) as database:
        studies = selected(database, Filters(which.trashed or ()), trashed=True)
        extent = Extent.of(database, studies)
        n_bytes = 0
        if studies:
            _show(studies)
            ask(f"{_in_words(extent)} are deleted for good{_kept(extent)}", yes=sure.yes)
            tidying.purge(database, [study.uuid for study in studies])
            n_bytes = tidying.give_back(database)
    if output.json:
        say_json(_to_json(studies, extent) | {"bytes_given_back": n_bytes})
        return
    if not studies:
        say("the trash is empty")
        return
    room = f"; the file is {size(n_bytes)} smaller" if n_bytes else ""
    say(f"deleted: {_in_words(extent)}{room}")


def _in_words(extent: Extent) -> str:
    studies = "1 study" if extent.n_studies == 1 else f"{extent.n_studies:,} studies"
    return f"{studies} with {counted(extent.n_trials, 'trial')}"


def _kept(extent: Extent) -> str:
    """Return what of others depends on studies that are deleted, and what stays of these."""
    words = []
    if extent.n_openings:
        words.append(f"{counted(extent.n_openings, 'opening')} of the test set stay on record")
    if extent.n_reusing:
        whose = "another study" if extent.n_others == 1 else f"{extent.n_others} other studies"
        words.append(
            f"{counted(extent.n_reusing, 'training run')} of {whose} were taken over from theirs "
            "and keep results and curves, not their networks"
        )
    return f" ({'; '.join(words)})" if words else ""


def _show(studies: Sequence[StudySummary]) -> None:
    """Print names, to stderr: what is asked about."""
    for study in studies[:_MOST_NAMED]:
        tested = f", test set opened {counted(study.test_openings, 'time')}"
        note(
            f"    {study.name}: {counted(sum(study.trials.values()), 'trial')}"
            f"{tested if study.test_openings else ''}"
        )
    if len(studies) > _MOST_NAMED:
        note(f"    and {len(studies) - _MOST_NAMED:,} more")


def _to_json(studies: Sequence[StudySummary], extent: Extent) -> dict[str, Any]:
    return {
        "studies": [study.name for study in studies],
        "trials": extent.n_trials,
        "test_openings": extent.n_openings,
        "reused_runs": extent.n_reusing,
    }
