"""What the runs of a study predicted, and what their curves show, asked for from Python."""

from typing import TYPE_CHECKING

from coarsefine.search.formats.csv_xlsx_parquet import frame_of
from coarsefine.search.library.facts import named, pictured
from coarsefine.search.library.hints import as_study_errors, spelled
from coarsefine.search.library.kept import Kept
from coarsefine.search.library.results import Ranking
from coarsefine.studies.errors import StudyError
from coarsefine.studies.metric import plain_metric

if TYPE_CHECKING:
    import pandas as pd

    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.studies.results.ranking import RankedTrial


class Predictions:
    """A study whose runs kept what they predicted for each validation sample."""

    _kept: Kept

    def ranked(self, by: str) -> Ranking:
        """Return its trials ranked by a metric of what they predicted; nothing is trained.

        Args:
            by: ``accuracy``, ``balanced-accuracy``, ``macro-f1`` or ``loss``; or what a custom
                trainer reported, as ``f2``, or ``error:min`` where less is better. ``ranking``
                goes by what the recipe says.

        Raises:
            StudyError: If there is no such metric, or no trial kept what it predicted.
        """
        with as_study_errors(), self._kept.reading() as (database, study):
            return pictured(database, study, plain_metric(by))

    def curves(self) -> "pd.DataFrame":
        """Return a row an epoch of each training run: the columns of ``docs/tables.md``."""
        from coarsefine.search.tables.curves import of_curves
        from coarsefine.studies.results.reading import read_ranking

        with as_study_errors(), self._kept.reading() as (database, study):
            return frame_of(of_curves(database, read_ranking(database, study)))

    def classes(self, trial: "RankedTrial | str | None" = None) -> "pd.DataFrame":
        """Return a row a class with its recall and precision: the columns of ``docs/tables.md``.

        Args:
            trial: As ``"fine:6"`` or from a ranking; ``None`` for the best.

        Raises:
            StudyError: If it is not complete, or what it predicted was not kept.
        """
        return self._confusion(trial)[0]

    def confusion(self, trial: "RankedTrial | str | None" = None) -> "pd.DataFrame":
        """Return how many validation samples of each class (row) were given each class (column).

        Summed over the trial's replicates.

        Args:
            trial: As for ``classes``.

        Raises:
            StudyError: Likewise.
        """
        return self._confusion(trial)[1]

    def diagnoses(self, trial: "RankedTrial | str | None" = None) -> dict[str, str]:
        """Return what the curves of a trial show, by code: see ``docs/diagnoses.md``.

        Args:
            trial: As for ``classes``.

        Raises:
            StudyError: If there is no such trial.
        """
        from coarsefine.studies.results.notes.curves import of_trial
        from coarsefine.studies.results.reading import find_trial, read_ranking

        with as_study_errors(), self._kept.reading() as (database, study):
            ranking = read_ranking(database, study)
            chosen = ranking.best if trial is None else find_trial(ranking, named(trial))
            return {note.code: spelled(note) for note in of_trial(database, ranking, chosen)}

    def _confusion(self, trial: "RankedTrial | str | None") -> "tuple[pd.DataFrame, pd.DataFrame]":
        with as_study_errors(), self._kept.reading() as (database, study):
            return _frames(database, study, trial)


def _frames(
    database: "Database", study: "StudyRecord", trial: "RankedTrial | str | None"
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the figures of each class, and the confusion matrix of a trial.

    Raises:
        StudyError: If it is not there, not complete, or has not kept what it predicted.
    """
    import pandas as pd

    from coarsefine.search.tables.classes import table_of
    from coarsefine.studies.results.classes import confusion_of
    from coarsefine.studies.results.reading import find_trial, read_ranking

    ranking = read_ranking(database, study)
    chosen = ranking.best if trial is None else find_trial(ranking, named(trial))
    if chosen is None:
        raise StudyError(f"no trial of {study.name} is complete")
    found = confusion_of(database, ranking, chosen)
    names = pd.Index(found.names, name="true")
    matrix = pd.DataFrame(found.counts, names, pd.Index(found.names, name="predicted"))
    return frame_of(table_of(ranking, found.rows)), matrix
