"""What a study of a database is and has found, in lines, and the names of its trials."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from coarsefine.search.library.kept import Kept
from coarsefine.search.library.results import Ranking
from coarsefine.search.library.settings import described, plain
from coarsefine.search.tables.stages import stage_lines, states_line
from coarsefine.search.words import counted, percent
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.ranking import RankedTrial
from coarsefine.studies.spaces.dimensions import described as in_words

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import StudyRecord

    Trials = Collection[RankedTrial | str | int] | RankedTrial | str | int


def facts_of(kept: Kept) -> "list[tuple[str, list[str]]]":
    """Return what a study is and has found, in lines by name."""
    from coarsefine.db import repository

    with kept.reading() as (database, study):
        ranking = pictured(database, study)
        n_openings = len(repository.openings(database, study))
    found = [
        ("data", [study.data_name]),
        ("stages", stage_lines(ranking.found)),
        ("trials", [states_line(ranking.found)]),
    ]
    best, n_tied = ranking.best, len(ranking.tied)
    if best is not None:
        accuracy = f"validation accuracy {percent(best.validation_accuracy)} %"
        ties = f"; {counted(n_tied, 'trial')} tied" if n_tied else ""
        found.append(("best", [f"{in_words(best.params)}: {accuracy}{ties}"]))
    opened = f"opened {counted(n_openings, 'time')}" if n_openings else "never opened"
    return [*found, ("test set", [opened])]


def places(trials: "Trials", stages: Callable[[], Sequence[str]]) -> list[tuple[str, int]]:
    """Return stages and numbers of trials; a single one needs no list.

    Args:
        trials: As users name them.
        stages: Returns the names of the study's stages.
    """
    given = plain(trials)
    if isinstance(given, RankedTrial | str) or not isinstance(given, Collection):
        given = [given]
    return [named(plain(trial), stages) for trial in given]


def named(trial: Any, stages: Callable[[], Sequence[str]] = tuple) -> tuple[str, int]:
    """Return stage and number of a trial; its number is enough where there is one stage."""
    if isinstance(trial, RankedTrial):
        return trial.stage, trial.trial
    if isinstance(trial, int) and not isinstance(trial, bool):
        names = stages()
        if len(names) == 1:
            return names[0], trial
        examples = " or ".join(repr(f"{name}:{trial}") for name in names or ("fine",))
        raise StudyError(f"trials must be STAGE:NUMBER, as in {examples}; got {trial}")
    if not isinstance(trial, str):
        raise StudyError(f"trials must be STAGE:NUMBER, as in 'fine:6'; got {described(trial)}")
    stage, colon, number = trial.rpartition(":")
    if not (stage and colon and number.isdecimal()):
        raise StudyError(f"trials must be STAGE:NUMBER, as in 'fine:6'; got {trial!r}")
    return stage, int(number)


def pictured(database: "Database", study: "StudyRecord", by: "str | None" = None) -> Ranking:
    """Return the ranking of a study, with what each value of a grid took."""
    from coarsefine.studies.results.comparing.grids import took
    from coarsefine.studies.results.reading import read_ranking

    found = read_ranking(database, study, by)
    return Ranking(found, took(database, found))
