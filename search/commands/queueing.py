"""``submit``, ``queue``, ``cancel``, ``pause`` and ``resume``: what a service is asked for."""

import getpass
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from coarsefine.db import repository
from coarsefine.db.connections.engine import is_new, open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.queue_records import QueueRecord
from coarsefine.search.console import note, print_table, say, say_json, stdout
from coarsefine.search.errors import UsageError
from coarsefine.search.hints import command as typed
from coarsefine.search.options import (
    SEARCH,
    OutputOptions,
    StorageOptions,
    option,
    text_option,
    whole,
    whole_option,
)
from coarsefine.search.options.labs import Fresh, LabName, Parts, Quick, Within
from coarsefine.search.service_log import one_line
from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.studies.labs.line import (
    HIGHEST,
    UNFINISHED,
    entry_of,
    in_line,
    places,
    state_of,
    waits_for,
)
from coarsefine.studies.labs.line import cancel as cancelled
from coarsefine.studies.labs.line import pause as paused
from coarsefine.studies.labs.line import resume as resumed
from coarsefine.studies.labs.line import submit as queued
from coarsefine.studies.labs.queue import of_the_server, stored, submission
from coarsefine.studies.planning.within import seconds_of

SERVICE = "Service"
# How many entries that have ended `queue` shows.
RECENT = 10


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What is submitted."""

    lab: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|PRESET",
            help="A lab file (docs/recipes.md) or a preset, as for `run`; or a recipe file, with "
            "--search (default: none, with --again).",
            show_default=False,
        ),
    ] = None
    again: Annotated[
        int | None,
        whole_option(
            SEARCH,
            "--again",
            "What was submitted as this entry, once more: to carry on with one that was cancelled, "
            "say (default: a file or preset).",
            metavar="ENTRY",
        ),
    ] = None
    search: Annotated[
        str | None,
        text_option(
            SEARCH,
            "--search",
            "KIND",
            "The search of a recipe file that states none, as in lambda "
            "(default: what the file states).",
        ),
    ] = None
    quick: Quick = False
    part: Parts = None
    fresh: Fresh = False
    within: Within = None
    study: LabName = None
    priority: Annotated[
        int | None,
        whole_option(
            SEARCH,
            "--priority",
            "Entries with a higher one are taken first, -1000 to 1000; of equal ones, what was "
            "submitted first (default: 0).",
        ),
    ] = None


def submit(lab: SubmitOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """Put a lab in the queue of a service.

    It is stored whole, so that any machine that reaches the database can submit it, and checked
    first. Files of data and trainers that it names are the server's. A file of studies must be
    there: the service makes it.

    Examples:
        python -m search submit my-lab.toml
        python -m search submit my-recipe.toml --search lambda
        python -m search submit cifar-linear --quick --storage course.db
        python -m search submit --again 3 --priority 10
    """
    _check_submitted(lab)
    _check_priority(lab.priority)
    asked = None
    if lab.lab is not None:
        asked = submission(
            lab.lab,
            name=lab.study,
            search=lab.search,
            quick=lab.quick,
            parts=lab.part or (),
            fresh=lab.fresh,
            within=None if lab.within is None else seconds_of(lab.within),
        )
    # In the wrong folder, nobody would ever look at what is submitted.
    lost = storage.url.startswith("sqlite") and is_new(storage.url)
    if lost and asked is not None:
        file = Path(storage.url.removeprefix("sqlite:///"))
        raise StorageError(
            f"there is no {file.name} in {file.absolute().parent}; change the folder or name it "
            "with --storage; a service makes it: " + typed("serve", storage=storage.storage)
        )
    create = asked is not None
    with open_database(storage.url, create=create, said=note) as database:
        if asked is None:
            asked = stored(entry_of(database, lab.again or 0))
        entry = queued(database, asked, _whoever(), lab.priority or 0)
        line = in_line(repository.queue(database, ("waiting", "running")))
        before = [e for e in line if e.turn < entry.turn]
    for name in of_the_server(asked):
        note(f"note: {one_line(name)} is for the machine that serves to have", quiet=output.quiet)
    if output.json:
        say_json(to_json(entry, len(before) + 1))
        return
    say(f"entry {entry.id}: {one_line(entry.name)}, {len(before)} before it")
    say(f"\nnext: {typed('queue', storage=storage.storage)}")


def _check_submitted(lab: SubmitOptions) -> None:
    """Refuse a submission of nothing, or of two things at once."""
    if lab.again is None and lab.lab is None:
        raise UsageError("name what to submit: a lab file, a preset or --again ENTRY")
    others = {
        lab.lab: lab.lab is not None,
        "--search": lab.search is not None,
        "--quick": lab.quick,
        "--part": bool(lab.part),
        "--fresh": lab.fresh,
        "--within": lab.within is not None,
        "--study": lab.study is not None,
    }
    given = [name for name, is_given in others.items() if is_given]
    if lab.again is not None and given:
        raise UsageError(f"--again submits an entry unchanged; leave out {given[0]}")


def _check_priority(priority: int | None) -> None:
    if priority is not None and abs(priority) > HIGHEST:
        raise UsageError(f"--priority must be -{HIGHEST} to {HIGHEST}, got {priority}")


def _whoever() -> str:
    """Return who is at this machine, as far as it can tell."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user that has no name
        name = "somebody"
    found = f"{name}@{socket.gethostname()}"
    return found.encode("utf-8", "replace").decode()[:255]


# ------------------------------------------------------------------------------- queue and cancel


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Which entries."""

    everything: Annotated[
        bool,
        option(
            SERVICE,
            "--all",
            help=f"List all that have ended, too (default: the last {RECENT}).",
        ),
    ] = False


def queue(shown: QueueOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """List what is in the queue: what runs, what waits in which place, what has ended and how.

    The dashboard of `serve` and of `dashboard` has the same on its page /queue.

    Examples:
        python -m search queue
        python -m search queue --all --json
    """
    with open_database(storage.url, read_only=True) as database:
        entries = repository.queue(database)
        label = database.label
    ended = [e for e in entries if e.state not in UNFINISHED]
    if not shown.everything:
        left_out = {e.id for e in ended[:-RECENT]}
        entries = [e for e in entries if e.id not in left_out]
    place, waits = places(entries), waits_for(entries)
    if output.json:
        listed = [to_json(e, place.get(e.id)) | {"waits_for": waits.get(e.id)} for e in entries]
        say_json({"queue": listed})
        return
    print_table(stdout(), queue_table(label, entries, place, waits))
    failed = [e for e in entries if e.error]
    for entry in failed:
        say(f"\n{entry.id} {entry.state}: {one_line(entry.error or '')}")


def queue_table(
    label: str, entries: list[QueueRecord], places: dict[int, int], waits: dict[int, str]
) -> Any:
    """Return a line an entry."""
    columns: list[TextColumn[QueueRecord]] = [
        TextColumn("entry", lambda e: str(e.id)),
        TextColumn("lab", lambda e: one_line(what(e)), right=False),
        TextColumn("state", lambda e: state_in_words(e, places.get(e.id)), right=False),
        TextColumn("progress", lambda e: one_line(e.progress), right=False, spare=1),
        TextColumn("waits for", lambda e: one_line(waits.get(e.id, "")), right=False, spare=4),
        TextColumn("submitted by", lambda e: one_line(e.submitted_by), right=False, spare=3),
        TextColumn("at (UTC)", lambda e: f"{e.submitted_at:%Y-%m-%d %H:%M}", right=False, spare=2),
    ]
    if any(entry.priority for entry in entries):
        columns.insert(3, TextColumn("priority", lambda e: str(e.priority)))
    return fitting(stdout(), label, columns, entries)


def what(entry: QueueRecord) -> str:
    """Return what was asked, in words."""
    asked = stored(entry)
    words = [entry.name]
    words += ["--quick"] if asked.quick else []
    words += [f"--part {name}" for name in asked.parts]
    words += [f"--within {asked.within:g}s"] if asked.within is not None else []
    return " ".join(words)


def state_in_words(entry: QueueRecord, place: int | None) -> str:
    """Return where an entry stands."""
    if entry.state == "waiting":
        return f"waiting ({place})"
    if entry.state == "running" and entry.to_cancel:
        return "ending"
    if entry.state == "running" and entry.to_pause:
        return "pausing"
    return state_of(entry)


@dataclass(frozen=True, slots=True)
class EntryArgument:
    """Which entry."""

    entry: Annotated[
        int,
        typer.Argument(
            metavar="ENTRY",
            help="Its number, as `queue` shows it.",
            parser=whole,
            show_default=False,
        ),
    ]


def cancel(entry: EntryArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Take an entry out of the queue.

    One that is being carried out ends after the segments under way; all that was trained is kept,
    and the same lab submitted again carries on with it.

    Examples:
        python -m search cancel 3
    """
    with open_database(storage.url) as database:
        found = cancelled(database, entry.entry)
    ends = "ends after the segments under way"
    _say(found, "is cancelled" if found.state == "cancelled" else ends, output)


def pause(entry: EntryArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Have an entry of the queue wait until it is resumed.

    One that is being carried out ends after the segments under way, and others have their turn.

    Examples:
        python -m search pause 3
    """
    with open_database(storage.url) as database:
        found = paused(database, entry.entry)
    ends = "pauses after the segments under way"
    _say(found, "is paused" if found.state == "paused" else ends, output)
    if not (output.json or output.quiet):
        say(f"\nto go on: {typed('resume', str(found.id), storage=storage.storage)}")


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """How an entry goes on."""

    priority: Annotated[
        int | None,
        whole_option(
            SERVICE,
            "--priority",
            "The priority that it has from now on; an entry that waits may be given one, too "
            "(default: the one it has).",
        ),
    ] = None


def resume(
    entry: EntryArgument, how: ResumeOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Put a paused entry back in the queue, where it was.

    Examples:
        python -m search resume 3
        python -m search resume 3 --priority 10
    """
    _check_priority(how.priority)
    with open_database(storage.url) as database:
        found = resumed(database, entry.entry, how.priority)
    _say(found, "goes on" if found.state == "running" else "waits for its turn", output)


def _say(entry: QueueRecord, what_now: str, output: OutputOptions) -> None:
    if output.json:
        say_json(to_json(entry, None))
    else:
        say(f"entry {entry.id} ({one_line(entry.name)}) {what_now}")


def to_json(entry: QueueRecord, place: int | None) -> dict[str, Any]:
    """Return what ``--json`` prints of an entry: a stable contract, see ``docs/cli.md``."""

    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat(timespec="seconds")

    return {
        "entry": entry.id,
        "name": entry.name,
        **stored(entry).options,
        "state": entry.state,
        "place": place,
        "to_cancel": entry.to_cancel,
        "to_pause": bool(entry.to_pause),
        "priority": entry.priority,
        "submitted_by": entry.submitted_by,
        "submitted_at": moment(entry.submitted_at),
        "started_at": moment(entry.started_at),
        "ended_at": moment(entry.ended_at),
        "tries": entry.tries,
        "progress": entry.progress,
        "error": entry.error,
        "answers": entry.answers,
        "driver": None if entry.driver_host is None else f"{entry.driver_host}:{entry.driver_pid}",
        "content": entry.content,
    }
