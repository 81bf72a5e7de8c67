"""``tag`` and ``note``: what users say of studies."""

from dataclasses import dataclass
from typing import Annotated

from coarsefine.db.connections.engine import open_database
from coarsefine.search.console import say, say_json
from coarsefine.search.options import OutputOptions, StorageOptions, option, text_option
from coarsefine.search.options.tidying import StudiesArgument
from coarsefine.studies.tidying import changes
from coarsefine.studies.tidying.selection import Filters, checked_tags, selected

LABELS = "Labels"


@dataclass(frozen=True, slots=True)
class TagOptions:
    """Which tags."""

    add: Annotated[
        list[str] | None,
        option(
            LABELS,
            "--add",
            metavar="TAG",
            help="Give this tag; may be given again (default: none).",
        ),
    ] = None
    remove: Annotated[
        list[str] | None,
        option(
            LABELS,
            "--remove",
            metavar="TAG",
            help="Take this tag away; may be given again (default: none).",
        ),
    ] = None


def tag(
    which: StudiesArgument, tags: TagOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Give studies tags, or take them away.

    Without --add and --remove their tags are printed. `list --tag` filters by them.

    Examples:
        python -m search tag digits/lambda --add final
        python -m search tag 'mnist/*' --add lecture --remove draft
        python -m search list --tag lecture
    """
    add, remove = checked_tags(tags.add or ()), checked_tags(tags.remove or ())
    reading = not (add or remove)
    with open_database(storage.url, read_only=reading) as database:
        studies = selected(database, Filters(which.studies))
        found = {study.name: list(study.tags) for study in studies}
        if not reading:
            found = changes.retag(database, studies, add, remove)
    if output.json:
        say_json({"studies": [{"study": name, "tags": each} for name, each in found.items()]})
        return
    for name, each in found.items():
        say(f"{name}: {', '.join(each) or 'no tags'}")


@dataclass(frozen=True, slots=True)
class NoteOptions:
    """What is noted."""

    text: Annotated[
        str | None,
        text_option(
            LABELS, "--text", "TEXT", "The note; '' deletes it (default: print what is noted)."
        ),
    ] = None


def annotate(
    which: StudiesArgument, what: NoteOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Write a note to studies, or print it.

    `list` and `show` print notes. The note of a study is none of Optuna's dashboard's, which has
    one for each of its own studies.

    Examples:
        python -m search note digits/lambda --text "with the old split; do not hand in"
        python -m search note digits/lambda
    """
    with open_database(storage.url, read_only=what.text is None) as database:
        studies = selected(database, Filters(which.studies))
        if what.text is not None:
            changes.annotate(database, studies, what.text)
    notes = {s.name: s.note if what.text is None else what.text for s in studies}
    if output.json:
        say_json({"studies": [{"study": name, "note": note} for name, note in notes.items()]})
        return
    for name, note in notes.items():
        say(f"{name}: {note or 'no note'}")
