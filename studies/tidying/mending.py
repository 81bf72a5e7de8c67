"""Studies that somebody deleted or renamed in Optuna or its dashboard, written there again."""

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import StorageError
from coarsefine.db.optuna.rows import rename_back
from coarsefine.studies.running.mirror import OptunaMirror


def lost_studies(database: Database) -> list[str]:
    """Return the names of studies that Optuna has lost a stage of."""
    return sorted({study.name for study, _ in repository.lost_stages(database)})


def mend(database: Database) -> list[str]:
    """Have all stages with results in Optuna again; return what was done, a line a stage.

    Killed at any moment, it can be repeated. What only Optuna had, a note of the dashboard's say,
    is gone with what was deleted.
    """
    lines = []
    for study, stage in repository.lost_stages(database):
        name = stage.optuna_name or ""
        try:
            with StudyLock(database, study.uuid):
                renamed = rename_back(database, stage.uuid, name, study.name)
                trials = repository.load_plan(database, stage).trials
                with OptunaMirror(database, study, stage) as mirror:
                    mirror.write(trials)
                done = "Optuna's study has its name again" if renamed else "written to Optuna again"
                lines.append(f"{name}: {done}, {len(trials)} trials")
        except StorageError as error:
            lines.append(f"{name}: left as it is: {error}")
    return lines
