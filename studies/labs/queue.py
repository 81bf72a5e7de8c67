"""The queue of a service: labs that wait to be carried out, each checked when it is submitted.

What is submitted is stored whole, so that it may come from any machine. Paths in it are the
server's; whether they are there only the server can say.
"""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.errors import BusyError, StorageError
from coarsefine.db.lock import StudyLock
from coarsefine.db.queue_records import QueueRecord
from coarsefine.hints import command, option
from coarsefine.studies.errors import RecipeError, StudyError, TakenError, did_you_mean
from coarsefine.studies.labs.data_files import names_file
from coarsefine.studies.labs.files import Lab, Part, kind_of, lab_of, lab_text, request_of
from coarsefine.studies.labs.names import offering_a_name
from coarsefine.studies.planning.asked_again import check_same_stage
from coarsefine.studies.planning.point_runs import recipe_at
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import Stage, find_stage, first_name, first_stage
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import Recipe, differences
from coarsefine.studies.recipes.specs import SEARCHABLE, searched_field
from coarsefine.studies.running.studies import same_recipe
from coarsefine.studies.spaces.dimensions import VARIANT
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

# A lab of a page or two; MySQL keeps no more than 64 kB in a text.
MOST_BYTES = 60_000
# Parts have names, too, and all of a study's must fit in 255 characters.
LONGEST_NAME = 150
# How often the database may refuse an entry, and how often an entry may end the process that it is
# carried out in, without coming any further.
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be put in the queue.

    Attributes:
        name: What its studies' names begin with.
        content: The whole text of a lab file.
        parts: Which of its parts; all if none is named.
        fresh: Train again what was trained before.
    """

    name: str
    content: str
    quick: bool = False
    parts: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Return how it is stored beside the text."""
        return {"quick": self.quick, "parts": list(self.parts), "fresh": self.fresh}

    def lab(self, where: str) -> Lab:
        """Return the lab; ``where`` is what messages call it."""
        return lab_of(self.name, where, self.content, quick=self.quick)


def stored(entry: QueueRecord) -> Submission:
    """Return what was submitted; options that are none are left out, whoever wrote them."""
    given: Any = entry.options
    options = given if isinstance(given, dict) else {}
    parts = options.get("parts")
    return Submission(
        entry.name,
        entry.content,
        quick=options.get("quick") is True,
        parts=tuple(map(str, parts)) if isinstance(parts, list) else (),
        fresh=options.get("fresh") is True,
    )


def submission(
    source: str,
    *,
    name: str | None = None,
    search: str | None = None,
    quick: bool = False,
    parts: Sequence[str] = (),
    fresh: bool = False,
) -> Submission:
    """Return what a file or a preset asks for, checked as far as it can be without the data.

    Args:
        source: A lab file, a recipe file or the name of a preset.
        name: What its studies' names begin with; ``None`` takes the file's.
        search: The search of a recipe file that states none.
        quick: A first look.
        parts: Which parts; all if none is named.
        fresh: Train again what was trained before.

    Raises:
        RecipeError: Names file, part, key and reason.
        StudyError: If a search cannot be made of it.
        DataError: If there is no such data set.
    """
    stem, where, text = lab_text(source)
    if search is not None:
        text = _with_search(where, text, search)
    size = len(text.encode())
    if size > MOST_BYTES:
        raise RecipeError(f"{where}: a lab must have at most {MOST_BYTES:,} bytes, got {size:,}")
    asked = Submission(name or stem, text, quick=quick, parts=tuple(parts), fresh=fresh)
    if not asked.name.isprintable() or not 0 < len(asked.name.strip()) <= LONGEST_NAME:
        raise RecipeError(
            f"what studies are named by must be 1 … {LONGEST_NAME} printable characters, got "
            f"{asked.name[:60]!r}; name them with ",
            option("study"),
        )
    lab = asked.lab(where)
    for part in chosen(lab, parts):
        recipe = lab.recipe(part)
        for each in named_data(lab, part, recipe):
            names_file(each)
        if part.does == "search":
            check_search(*asked_of(lab, part), recipe)
    return asked


def _with_search(where: str, text: str, search: str) -> str:
    """Return a recipe's text with a search of that kind as its only part."""
    if search not in SEARCHES:
        raise RecipeError(
            option("search"),
            f" must be one of {', '.join(SEARCHES)}, got {search!r}",
            did_you_mean(search, SEARCHES),
        )
    added = f'{text.rstrip()}\n\n[[part]]\nname = "{search}"\nsearch = {{ kind = "{search}" }}\n'
    try:
        lab_of("", where, text)
    except RecipeError:
        return added
    raise RecipeError(f"{where} states what is searched; leave out ", option("search"))


def chosen(lab: Lab, names: Sequence[str]) -> list[Part]:
    """Return the parts of those names, in the lab's order; all if there are no names.

    Raises:
        RecipeError: If there is no such part; guesses.
    """
    known = {part.name: part for part in lab.parts}
    for name in names:
        if name not in known:
            raise RecipeError(
                option("part"),
                f" must be one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}",
            )
    return [part for name, part in known.items() if not names or name in names]


def asked_of(lab: Lab, part: Part) -> tuple[SearchKind, StageRequest]:
    """Return the search of a part, and what it asks of the first stage."""
    search = lab.search(part)
    return kind_of(search), request_of(search)


def check_search(kind: SearchKind, request: StageRequest, recipe: Recipe) -> None:
    """Raise what is wrong with a search, as far as it can be told without the data."""
    stage = first_stage(kind, request)
    if recipe.trainer is not None:
        return  # what its network is, only the server can tell
    for dimension in stage.dimensions:
        if dimension.name in SEARCHABLE:
            searched_field(recipe, dimension.name)
        for value in dimension.values or ():
            recipe_at(recipe, [dimension], {dimension.name: value})


def named_data(lab: Lab, part: Part, recipe: Recipe) -> list[str]:
    """Return all data that a part can come to name: its recipe's, and those of variants."""
    return [recipe.data.name, *map(str, _stated_by_variants(lab, part, "data.name"))]


def trainers(lab: Lab, part: Part, recipe: Recipe) -> list[str]:
    """Return all trainers of the user's that a part can come to name."""
    own = [] if recipe.trainer is None else [recipe.trainer]
    return own + [str(name) for name in _stated_by_variants(lab, part, "trainer")]


def _stated_by_variants(lab: Lab, part: Part, key: str) -> list[Any]:
    if part.search is None:
        return []
    kind, _ = asked_of(lab, part)
    found = []
    for dimension in kind.dimensions:
        for settings in (dimension.variants or {}).values() if dimension.name == VARIANT else ():
            said = {**settings, **flat(settings)}
            found += [said[key]] if said.get(key) is not None else []
    return found


def of_the_server(asked: Submission) -> list[str]:
    """Return what a submission names that only the server has: files of data, and trainers."""
    lab = asked.lab(asked.name)
    found: dict[str, None] = {}
    for part in chosen(lab, asked.parts):
        recipe = lab.recipe(part)
        files = [name for name in named_data(lab, part, recipe) if names_file(name)]
        found |= dict.fromkeys([*files, *trainers(lab, part, recipe)])
    return list(found)


# ------------------------------------------------------------------------- in and out of the line


def submit(database: Database, asked: Submission, by: str) -> QueueRecord:
    """Put a checked submission at the end of the queue.

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
        database, name=asked.name, content=asked.content, options=asked.options, submitted_by=by
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
    for entry in repository.queue(database, ("waiting", "running")):
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
    if entry.state not in {"waiting", "running"}:
        raise StudyError(f"entry {entry_id} has ended ({entry.state}); there is nothing to cancel")
    entry = repository.cancel_entry(database, entry)
    if entry.state == "running":
        try:
            with StudyLock(database, entry.uuid):
                # Whoever was at it is gone.
                repository.end_entry(database, entry, "cancelled")
        except StorageError:
            # Somebody is at it, or the lock is another user's, who then is.
            return entry
    return entry_of(database, entry_id)


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
    for entry in repository.queue(database, ("running", "waiting")):
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
    if found is not None and entry.to_cancel:
        repository.end_entry(database, found, "cancelled")
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
