"""What is done to chosen studies, checked before anything changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coarsefine.db import tidying
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudySummary
from coarsefine.studies.errors import StudyError, StudyNameError
from coarsefine.studies.running.studies import check_name
from coarsefine.studies.tidying.selection import checked_text

_LONGEST_NOTE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How much would be moved to the trash or deleted.

    Attributes:
        n_reusing: Training runs of ``n_others`` other studies that were taken over from theirs.
    """

    n_studies: int
    n_trials: int
    n_openings: int
    n_reusing: int = 0
    n_others: int = 0

    @classmethod
    def of(cls, database: Database, studies: Sequence[StudySummary]) -> "Extent":
        """Return how much studies are, and who depends on them."""
        n_runs, n_others = tidying.reusing(database, [study.uuid for study in studies])
        return cls(
            len(studies),
            sum(sum(study.trials.values()) for study in studies),
            sum(study.test_openings for study in studies),
            n_runs,
            n_others,
        )


def new_names(studies: Sequence[StudySummary], target: str) -> dict[str, str]:
    """Return what studies are to be called, by UUID.

    Args:
        studies: Which.
        target: A name; or, with a slash at its end, what goes before the names they have.

    Raises:
        StudyError: If several would have one name, or a name cannot be one.
    """
    if checked_text("the name of a study", target).endswith("/"):
        names = {study.uuid: target + study.name for study in studies}
    elif len(studies) == 1:
        names = {studies[0].uuid: target}
    else:
        raise StudyError(
            f"{len(studies)} studies cannot all be called {target!r}; end it with a slash, "
            f"{target}/, to put it before their names"
        )
    for name in names.values():
        check_name(name)
    return names


def rename(database: Database, studies: Sequence[StudySummary], target: str) -> dict[str, str]:
    """Rename studies, and return their new names by the old ones."""
    names = new_names(studies, target)
    tidying.rename(database, names)
    return {study.name: names[study.uuid] for study in studies}


def copy(database: Database, studies: Sequence[StudySummary], target: str) -> dict[str, str]:
    """Copy studies, and return the names of the copies by those of the originals."""
    names = new_names(studies, target)
    tidying.copy(database, names)
    return {study.name: names[study.uuid] for study in studies}


def restore(database: Database, studies: Sequence[StudySummary]) -> None:
    """Take studies out of the trash.

    Raises:
        StudyError: If two of them had one name.
    """
    names = [study.name for study in studies]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise StudyError(
            f"several studies in the trash were called {twice!r}; name it without a pattern to "
            "restore the last of them, rename that, and go on"
        )
    tidying.restore(database, [study.uuid for study in studies])


def retag(
    database: Database, studies: Sequence[StudySummary], add: Sequence[str], remove: Sequence[str]
) -> dict[str, list[str]]:
    """Add and remove tags, and return what each study has then, by name."""
    tags = {
        study.uuid: [t for t in dict.fromkeys([*study.tags, *add]) if t not in remove]
        for study in studies
    }
    tidying.label(database, {uuid: {"tags": found} for uuid, found in tags.items()})
    return {study.name: tags[study.uuid] for study in studies}


def annotate(database: Database, studies: Sequence[StudySummary], text: str) -> None:
    """Set the note of studies; an empty one deletes it.

    Raises:
        StudyError: If it is too long.
    """
    if len(checked_text("a note", text)) > _LONGEST_NOTE:
        raise StudyNameError(
            f"a note must have at most {_LONGEST_NOTE:,} characters, got {len(text):,}"
        )
    tidying.label(database, {study.uuid: {"note": text} for study in studies})
