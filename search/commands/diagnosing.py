"""``diagnose``: what the curves of a study's training show, each with a command."""

from dataclasses import dataclass
from typing import Annotated, Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.hints import SEARCH, Hint, Message
from coarsefine.search.choosing import chosen, named_trial
from coarsefine.search.console import say, say_json, tell
from coarsefine.search.errors import UsageError
from coarsefine.search.following import remedy
from coarsefine.search.hints import spelled
from coarsefine.search.options import (
    OUTPUT,
    OutputOptions,
    StorageOptions,
    StudyArgument,
    option,
    text_option,
)
from coarsefine.studies.results.notes.curves import CODES, of_trial
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.ranking import RankedTrial
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.spaces.dimensions import described


@dataclass(frozen=True, slots=True)
class DiagnoseOptions:
    """Which trial, and what is known already."""

    trial: Annotated[
        str | None,
        text_option(
            OUTPUT,
            "--trial",
            "STAGE:NUMBER",
            "The trial whose curves are read, as in fine:6 (default: the best).",
        ),
    ] = None
    ignore: Annotated[
        list[str] | None,
        option(
            OUTPUT,
            "--ignore",
            metavar="CODE",
            help="What not to say, as in saturated; with commas or given again (default: nothing).",
        ),
    ] = None

    @property
    def ignored(self) -> frozenset[str]:
        """Return the codes that are left out.

        Raises:
            UsageError: If there is no such code.
        """
        named = {code.strip() for words in self.ignore or () for code in words.split(",")}
        unknown = sorted(named - CODES.keys())
        if unknown:
            raise UsageError(f"--ignore must be one of {', '.join(CODES)}; got {unknown[0]!r}")
        return frozenset(named)


def diagnose(
    study: StudyArgument, what: DiagnoseOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Say what the curves of a trial show, and what to do about it.

    Does it overfit, is its accuracy still rising, noisy or long settled at the end, or did it not
    learn at all? Each finding is tested against the curve's own noise, and ends in a command that
    runs as it stands. Trains nothing and changes nothing.

    Examples:
        python -m search diagnose
        python -m search diagnose mnist/lambda --trial fine:6 --ignore saturated
    """
    ignored = what.ignored
    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=output.quiet))
        trial = ranking.best if what.trial is None else named_trial(ranking, what.trial)
        found = [
            (note, remedy(note, ranking, storage, lambda n: repository.free_name(database, n)))
            for note in of_trial(database, ranking, trial)
            if note.code not in ignored
        ]
    if output.json:
        say_json(_to_json(ranking.study.name, trial, found))
        return
    tell(_head(ranking.study.name, trial))
    if not found:
        tell("nothing found")
    for note, command in found:
        say("")
        tell(f"{note.code}: {_said(note, command)}")
        if command is not None:
            say(f"    {command}")


def _head(study: str, trial: RankedTrial | None) -> str:
    if trial is None:
        return study
    return f"{study} {trial.stage}:{trial.trial} ({described(trial.params)})"


def _said(note: Note, command: str | None) -> str:
    """Return a finding in words: the search that it advises stands below, with the whole recipe."""
    if command is None:
        return spelled(note)
    kept = [part for part in note.parts if not (isinstance(part, Hint) and part.action == SEARCH)]
    return spelled(Message(*kept)).removesuffix(": ")


def _to_json(
    study: str, trial: RankedTrial | None, found: list[tuple[Note, str | None]]
) -> dict[str, Any]:
    """Return what ``diagnose --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "study": study,
        "trial": None
        if trial is None
        else {"stage": trial.stage, "trial": trial.trial, "params": dict(trial.params)},
        "diagnoses": [
            {"code": note.code, "text": spelled(note), "command": command}
            for note, command in found
        ],
    }
