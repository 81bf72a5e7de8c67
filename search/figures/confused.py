"""Whose confusion matrix is drawn: the latest final test's, or a trial's on validation samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from coarsefine.hints import Message, command
from coarsefine.search.errors import FigureError, Lack
from coarsefine.search.figures import confusion
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.db.records import TestOpeningRecord, TestRunRecord
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.ranking import RankedTrial


def lacks(subject: "Subject") -> Lack:
    """Return what a study lacks for the figure, if anything."""
    found = _confusion_of(subject)
    return found if isinstance(found, str | Message) else None


def drawn(subject: "Subject") -> Figure:
    """Return the figure.

    Raises:
        FigureError: If the study lacks something for it.
    """
    from coarsefine.studies.results.classes import confusion_of

    found = _confusion_of(subject)
    if isinstance(found, str | Message):
        raise FigureError(found)
    if isinstance(found, tuple):
        return confusion.confusion(subject.ranking.study, *found)
    try:
        counted = confusion_of(subject.database, subject.ranking, found.trial)
    except StudyError as error:
        raise FigureError(f"confusion: {error}") from error
    return confusion.validation_confusion(subject.ranking.study, counted)


@dataclass(frozen=True, slots=True)
class _OnValidation:
    """The trial whose confusions on the validation samples are shown."""

    trial: "RankedTrial"


def _confusion_of(
    subject: "Subject",
) -> "tuple[TestOpeningRecord, TestRunRecord] | _OnValidation | str | Message":
    """Return the test run to show and its opening, or a trial, or what the study lacks.

    What is shown is the latest final test, unless there was none of the trial.
    """
    if len(subject.trials) > 1:
        return f"confusion shows one trial, got {len(subject.trials)}"
    latest = None if subject.on == "validation" else subject.latest_opening()
    for run in () if latest is None else latest.runs:
        own = not subject.trials or any(
            (run.stage, run.params) == (trial.stage, dict(trial.params)) for trial in subject.trials
        )
        if own and run.confusion is not None and latest is not None:
            return latest, run
    if subject.on == "test":
        return Message(
            "confusion on the test set needs a final test with a result: ",
            command("test", subject.ranking.study.name),
        )
    chosen = subject.chosen()
    if not chosen or chosen[0].state != "complete":
        return "confusion needs a complete trial, or the name of another one"
    return _OnValidation(chosen[0])
