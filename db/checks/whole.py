"""Is everything there, and as it should be? Looks at a whole database and changes nothing."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.checks.file import check_file, check_links, check_schema
from coarsefine.db.checks.optuna import Plain, check_optuna
from coarsefine.db.checks.outcomes import Accuracy, check_outcomes
from coarsefine.db.checks.report import Check, Report
from coarsefine.db.checks.stored import Faults, check_stored
from coarsefine.db.checks.tables import (
    check_checkpoints,
    check_curves,
    check_openings,
    check_plans,
    check_results,
)
from coarsefine.db.connections.engine import open_database
from coarsefine.db.errors import StorageError


def check_database(
    url: str,
    plain: Plain = lambda value: value,
    accuracy: Accuracy | None = None,
    faults: Faults | None = None,
) -> Report:
    """Return what is in order in a database and what is not, without changing anything.

    A search may go on meanwhile.

    Args:
        url: As ``storage_url`` returns it.
        plain: Turns a trial's parameter into what Optuna is told of it.
        accuracy: Returns the accuracy that packed outcomes have; without it, they are not looked
            at. What it cannot read is a ``ValueError``.
        faults: Say what is wrong with recipes, stages and parameters; without them, these are not
            looked at.

    Raises:
        StorageError: If there is no database of ours that could be looked at.
    """
    with open_database(url, read_only=True, older=True) as database:
        revision = schema.read_revision(database.engine) or schema.HEAD
        checks = []
        for make, look in _CHECKS:
            check = make()
            checks.append(check)
            try:
                if look is check_optuna:
                    check_optuna(database, check, plain)
                elif look is check_outcomes:
                    with database.session() as session:
                        check_outcomes(session, check, accuracy)
                elif look is check_stored:
                    with database.session() as session:
                        check_stored(session, check, faults)
                else:
                    with database.session() as session:
                        look(session, check)
            # Optuna reads attributes by itself, however deep they are.
            except (StorageError, RecursionError) as error:
                check.wrong(f"could not be read: {error}", "restore a copy of the file")
    return Report(database.label, revision, tuple(checks))


_Look = Callable[[Session, Check], None]
_CHECKS: tuple[tuple[Callable[[], Check], Any], ...] = (
    (lambda: Check("file", "page"), check_file),
    (lambda: Check("schema", "version"), check_schema),
    (lambda: Check("links", "table"), check_links),
    (lambda: Check("stored", "row"), check_stored),
    (lambda: Check("plans", "stage"), check_plans),
    (lambda: Check("curves", "run"), check_curves),
    (lambda: Check("results", "trial"), check_results),
    (lambda: Check("outcomes", "run"), check_outcomes),
    (lambda: Check("checkpoints", "checkpoint"), check_checkpoints),
    (lambda: Check("test set", "opening"), check_openings),
    (lambda: Check("Optuna", "trial"), check_optuna),
)
