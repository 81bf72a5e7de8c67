"""All studies and trials that Optuna has, to be looked at."""

from typing import Any, NamedTuple

from optuna.storages import RDBStorage

from coarsefine.db.engine import Database
from coarsefine.db.optuna_storage import close_storage, explained_by_optuna
from coarsefine.db.optuna_trials import ENDED, UUID
from coarsefine.db.optuna_values import quiet, uuid_of


class OptunaRow(NamedTuple):
    """A trial as Optuna has it.

    Attributes:
        uuid: Ours.
        state: In lower case.
        ended_by_us: Whether it has what this program says of a trial before it ends it.
        replicates: Runs that its value is the mean of.
    """

    number: int
    uuid: str | None
    state: str
    value: float | None
    params: dict[str, Any]
    ended_by_us: bool
    replicates: int


class OptunaStudy(NamedTuple):
    """A study as Optuna has it; ``uuid`` is our stage's."""

    name: str
    uuid: str | None
    trials: list[OptunaRow]


def read_studies(database: Database) -> list[OptunaStudy]:
    """Return all that Optuna has, of a database that may be open for reading only."""
    kwargs: dict[str, Any] = database.server_options
    if database.connect is not None:
        kwargs["creator"] = database.connect
    with quiet(), explained_by_optuna(database.label):
        storage = RDBStorage(
            database.url,
            engine_kwargs=kwargs,
            skip_compatibility_check=True,
            skip_table_creation=True,
        )
        try:
            return [
                OptunaStudy(
                    study.study_name,
                    study.user_attrs.get(UUID),
                    _rows(storage, storage.get_study_id_from_name(study.study_name)),
                )
                for study in storage.get_all_studies()
                if len(study.directions) == 1
            ]
        finally:
            close_storage(storage)


def _rows(storage: RDBStorage, study_id: int) -> list[OptunaRow]:
    return [
        OptunaRow(
            trial.number,
            uuid_of(trial),
            trial.state.name.lower(),
            trial.value,
            trial.params,
            not ENDED.isdisjoint(trial.user_attrs),
            trial.user_attrs.get("replicates", 1),
        )
        for trial in storage.get_all_trials(study_id, deepcopy=False)
    ]
