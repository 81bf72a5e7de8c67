"""Names of labs: what the names of their studies begin with."""

from collections.abc import Generator
from contextlib import contextmanager
from itertools import count

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.studies.errors import TakenError
from coarsefine.studies.labs.files import Lab


@contextmanager
def offering_a_name(database: Database, lab: Lab) -> Generator[None]:
    """Add to the error that a study of a lab was begun otherwise a name that the lab can have."""
    try:
        yield
    except TakenError as error:
        error.free = free_name(database, lab)
        raise


def free_name(database: Database, lab: Lab) -> str:
    """Return a name for a lab under which none of its studies is there."""
    names = (f"{lab.name}-{number}" for number in count(2))
    return next(name for name in names if not _taken(database, lab, name))


def _taken(database: Database, lab: Lab, name: str) -> bool:
    renamed = lab.model_copy(update={"name": name})
    studies = map(renamed.study_name, lab.parts)
    return any(repository.find_study(database, each) is not None for each in studies)
