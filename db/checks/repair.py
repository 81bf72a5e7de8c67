"""Ends what others left half-done in Optuna's studies of ours."""

from collections import defaultdict
from collections.abc import Callable

import sqlalchemy as sa

from coarsefine.db import schema
from coarsefine.db.checks.report import shown_numbers
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import BusyError
from coarsefine.db.tables import Stage, Study, Trial


def end_strays(url: str, said: Callable[[str], None] | None = None) -> list[str]:
    """Fail the trials that run in Optuna's studies of ours and are none of ours.

    ``study.ask()`` starts such trials, and a stage that is finished has no driver to end them.
    Those of a study that is being driven are left to its driver.

    Args:
        url: As ``storage_url`` returns it.
        said: Hears a line if tables of an older version were brought up to date.

    Returns:
        What was done, a line a stage.

    Raises:
        StorageError: If there is no database of ours that could be changed.
    """
    lines = []
    with open_database(url, said=said) as database:
        for name, stage, study, uuids in _stages_with_strays(database):
            from coarsefine.db.optuna.studies import OptunaStage
            from coarsefine.db.optuna.trials import UUID

            try:
                with StudyLock(database, study):
                    optuna = OptunaStage.open(database, name, {UUID: stage}, begun=True)
                    try:
                        ended = optuna.fail_strays(uuids)
                    finally:
                        optuna.close()
            except BusyError as error:
                lines.append(f"{name}: left as it is: {error}")
                continue
            if ended:
                lines.append(
                    f"{name}: ended Optuna's trials {shown_numbers(ended)}, which were running and "
                    "were not this program's"
                )
    return lines


def _stages_with_strays(database: Database) -> list[tuple[str, str, str, set[str]]]:
    """Return name, UUID, study's UUID and trials' UUIDs of the stages that have strays."""
    with database.session() as session:
        if not schema.optuna_has_begun(session.connection()):
            return []
        stages = session.execute(
            sa.select(Stage.id, Stage.uuid, Stage.optuna_name, Study.uuid.label("study"))
            .join(Study, Stage.study_id == Study.id)
            .where(Stage.optuna_name.is_not(None))
            .order_by(Stage.id)
        ).all()
        trials: dict[int, set[str]] = defaultdict(set)
        for stage_id, uuid in session.execute(sa.select(Trial.stage_id, Trial.uuid)):
            trials[stage_id].add(uuid)
    from coarsefine.db.optuna.listing import read_studies

    running = {
        (study.name, study.uuid): {trial.uuid for trial in study.trials if trial.state == "running"}
        for study in read_studies(database)
    }
    return [
        (stage.optuna_name, stage.uuid, stage.study, trials[stage.id])
        for stage in stages
        if running.get((stage.optuna_name, stage.uuid), set()) - trials[stage.id]
    ]
