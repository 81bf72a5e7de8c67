"""Which study, and which of its trials, a command is about."""

from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.search.console import note
from coarsefine.search.errors import UsageError
from coarsefine.search.options import StudyArgument
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.reading import find_trial, named_study


def chosen(database: Database, study: StudyArgument, *, quiet: bool) -> StudyRecord:
    """Return the study that is named, or the most recent one, and say which."""
    found = named_study(database, study.name)
    if study.name is None:
        note(f"the most recent study: {found.name}", quiet=quiet)
    return found


def named_trial(ranking: Ranking, text: str) -> RankedTrial:
    """Return the trial that ``--trial`` names, as in ``fine:6``.

    Raises:
        UsageError: If it is no name.
        StudyError: If there is no such trial.
    """
    return find_trial(ranking, trial_place(text))


def trial_place(text: str, like: str = "fine:6") -> tuple[str, int]:
    """Return stage and number of a trial that ``--trial`` names.

    Args:
        text: As it was typed.
        like: An example, for the message.

    Raises:
        UsageError: If it is no name.
    """
    stage, _, number = text.rpartition(":")
    if not stage or not number.isdecimal():
        raise UsageError(f"--trial must be STAGE:NUMBER, as in {like}; got {text!r}")
    return stage, int(number)
