"""The line of a queue: entries in and out of it, by priority, and what each waits for."""

import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import BusyError, StorageError
from coarsefine.db.queue_records import QueueRecord, QueueState
from coarsefine.hints import command, option
from coarsefine.studies.errors import StudyError, TakenError
from coarsefine.studies.labs.files import Lab, Part
from coarsefine.studies.labs.names import offering_a_name
from coarsefine.studies.labs.queue import Submission, asked_of, chosen, stored
from coarsefine.studies.planning.asked_again import check_same_stage
from coarsefine.studies.planning.stages import Stage, find_stage, first_name
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.recipes.recipe import Recipe, differences
from coarsefine.studies.running.studies import same_recipe

UNFINISHED: Final[tuple[QueueState, ...]] = ("running", "waiting", "paused")
HIGHEST: Final = 1_000
"""The highest priority; its negative is the lowest."""
# How often the database may refuse an entry, and how often an entry may end the process that it is
# carried out in, without coming any further.
MOST_TRIES = 3
AGAIN: Final = "tried again soon: "
"""What the progress of an entry begins with that was put back, before the reason."""


def submit(database: Database, asked: Submission, by: str, priority: int = 0) -> QueueRecord:
    """Put a checked submission in the queue, after those of its priority.

    Raises:
        StudyError: If a study of that name was begun otherwise, or an entry before it asks
            something else of it.
    """
    lab = asked.lab(asked.name)
    with offering_a_name(database, lab):
        for part in chosen(lab, asked.parts):
            if part.does == "search":
                _check_study(database, lab, part)
        _check_others(database, asked, _recipes(asked))
    return repository.add_entry(
        database,
        name=asked.name,
        content=asked.content,
        options=asked.options,
        submitted_by=by,
        priority=priority,
    )


def _check_study(database: Database, lab: Lab, part: Part) -> None:
    name, recipe = lab.study_name(part), lab.recipe(part)
    kind, request = asked_of(lab, part)
    study = repository.find_study(database, name)
    if study is None or recipe.trainer is not None:
        return  # what a trainer's file says, only the server can see
    same_recipe(study, kind, Asked.of(recipe))
    stage = find_stage(database, study, first_name(kind))
    if stage is not None:
        check_same_stage(Stage.of(stage), request)


def _recipes(asked: Submission) -> dict[str, Recipe]:
    """Return the recipe of each study that a submission would make."""
    lab = asked.lab(asked.name)
    parts = [part for part in chosen(lab, asked.parts) if part.does == "search"]
    return {lab.study_name(part): lab.recipe(part) for part in parts}


def _check_others(database: Database, asked: Submission, recipes: dict[str, Recipe]) -> None:
    for entry in repository.queue(database, UNFINISHED):
        other = stored(entry)
        if (other.name, other.content) == (asked.name, asked.content):
            continue
        try:
            theirs = _recipes(other)
        except StudyError:  # of another version of this program
            continue
        for name in recipes.keys() & theirs.keys():
            found = differences(theirs[name], recipes[name])
            if found:
                raise TakenError(
                    f"entry {entry.id} of the queue asks something else of study {name} "
                    f"({', '.join(d.key for d in found)} differ); choose another name with ",
                    option("study"),
                )


def entry_of(database: Database, entry_id: int) -> QueueRecord:
    """Return an entry.

    Raises:
        StudyError: If there is none of that id.
    """
    entry = repository.find_entry(database, entry_id)
    if entry is None:
        raise StudyError(
            f"the queue of {database.label} has no entry {entry_id}; `",
            command("queue", all=True),
            "` lists all",
        )
    return entry


def cancel(database: Database, entry_id: int) -> QueueRecord:
    """Take an entry out of the line, or have whoever is at it end after the current segment.

    Returns:
        The entry: ``cancelled``, or still ``running`` and to be cancelled.

    Raises:
        StudyError: If there is none, or it has ended.
    """
    entry = entry_of(database, entry_id)
    if entry.state not in UNFINISHED:
        raise StudyError(f"entry {entry_id} has ended ({entry.state}); there is nothing to cancel")
    return _ended(database, repository.cancel_entry(database, entry), "cancelled")


def pause(database: Database, entry_id: int) -> QueueRecord:
    """Have an entry wait until it is resumed, or whoever is at it end after the current segment.

    Returns:
        The entry: ``paused``, or still ``running`` and to be paused.

    Raises:
        StudyError: If there is none, or it has ended or is to be cancelled.
    """
    entry = entry_of(database, entry_id)
    if entry.state not in UNFINISHED or entry.to_cancel:
        state = entry.state if entry.state not in UNFINISHED else "it is being cancelled"
        raise StudyError(f"entry {entry_id} has ended ({state}); there is nothing to pause")
    return _ended(database, repository.pause_entry(database, entry), "paused")


def _ended(database: Database, entry: QueueRecord, state: QueueState) -> QueueRecord:
    """Return an entry that is asked to end; ended, where whoever was at it is gone."""
    if entry.state == "running":
        try:
            with StudyLock(database, entry.uuid):
                repository.end_entry(database, entry, state)
        except StorageError:
            # Somebody is at it, or the lock is another user's, who then is.
            return entry
    return entry_of(database, entry.id)


def resume(database: Database, entry_id: int, priority: int | None = None) -> QueueRecord:
    """Put a paused entry back in the line, and return it.

    Args:
        database: Whose queue.
        entry_id: Which.
        priority: The priority that it has from now on; ``None`` leaves it. An entry that waits may
            be given another, too.

    Raises:
        StudyError: If there is none, or it is not paused.
    """
    entry = entry_of(database, entry_id)
    pausing = entry.state == "paused" or bool(entry.to_pause)
    if not pausing and (priority is None or entry.state not in UNFINISHED):
        raise StudyError(f"entry {entry_id} is not paused ({entry.state})")
    if priority is not None:
        entry = repository.set_priority(database, entry, priority)
    return repository.resume_entry(database, entry) if pausing else entry


def in_line(entries: Sequence[QueueRecord]) -> list[QueueRecord]:
    """Return the entries that run or wait, in the order in which they are taken."""
    return sorted((e for e in entries if e.state in {"running", "waiting"}), key=lambda e: e.turn)


def places(entries: Sequence[QueueRecord]) -> dict[int, int]:
    """Return the places of waiting entries in the line, from 1, by id."""
    waiting = [entry.id for entry in in_line(entries) if entry.state == "waiting"]
    return {entry_id: place for place, entry_id in enumerate(waiting, 1)}


def interrupted(entry: QueueRecord) -> bool:
    """Return whether an entry is running by name only: the process that was at it is gone.

    That can be told of processes of this machine; of others' it is not known, and ``False``.
    """
    if entry.state != "running" or entry.driver_host != socket.gethostname():
        return False
    # On Windows, this would end the process.
    if sys.platform == "win32" or not entry.driver_pid or entry.driver_pid < 0:
        return False
    try:
        os.kill(entry.driver_pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's
        return False
    return False


def state_of(entry: QueueRecord) -> str:
    """Return what an entry's state is called: ``interrupted`` if nobody is at it any more."""
    return "interrupted" if interrupted(entry) else entry.state


def waits_for(entries: Sequence[QueueRecord]) -> dict[int, str]:
    """Return what entries wait for, in words, by id; nothing of those that do not."""
    line = in_line(entries)
    found = {}
    for n_before, entry in enumerate(line):
        if interrupted(entry):
            found[entry.id] = "a service that carries on with it"
        if entry.state != "waiting":
            continue
        if n_before:
            last = line[n_before - 1]
            more = f" and {n_before - 1} more before it" if n_before > 1 else ""
            found[entry.id] = f"entry {last.id} ({state_of(last)}){more}"
        else:
            again = entry.progress.startswith(AGAIN)
            found[entry.id] = entry.progress if again else "a service that takes it"
    found |= {e.id: "somebody to resume it" for e in entries if e.state == "paused"}
    return found


def taken(
    database: Database, skip: Sequence[str] = (), only: str | None = None
) -> tuple[QueueRecord, StudyLock] | None:
    """Return the first entry that is to be carried on, and the lock that it is held by.

    One that a server was killed at comes first: its lock died with the server.

    Args:
        database: Whose queue.
        skip: UUIDs of entries that have to wait a little longer.
        only: UUID of the one entry that may be taken.
    """
    for entry in in_line(repository.queue(database, ("running", "waiting"))):
        if entry.uuid in skip or only not in {None, entry.uuid}:
            continue
        lock = StudyLock(database, entry.uuid)
        try:
            lock.acquire()
        except BusyError:
            continue
        try:
            found = _begun(database, entry)
        except BaseException:
            lock.release()
            raise
        if found is not None:
            return found, lock
        lock.release()
    return None


def _begun(database: Database, entry: QueueRecord) -> QueueRecord | None:
    """Return an entry that is running from now on; ``None`` if it is not to be carried on."""
    found = repository.take_entry(database, entry, host=socket.gethostname(), pid=os.getpid())
    end = None if found is None else repository.asked_to_end(database, found)
    if found is not None and end is not None:
        repository.end_entry(database, found, end)
        return None
    return found


def fail_killer(database: Database, entry: QueueRecord) -> None:
    """Have an entry failed that ended its process again and again; nobody else may be at it."""
    where = entry.progress or "before it came to train anything"
    with suppress(BusyError), StudyLock(database, entry.uuid):
        repository.end_entry(
            database,
            entry,
            "failed",
            error=f"it ended the process that it was carried out in {MOST_TRIES} times without "
            f"coming further; it was at: {where}",
        )
