"""All studies and trials that Optuna has, to be looked at: read from its tables, without it.

Its own objects of 20,000 trials with their curves take a gigabyte and most of a minute.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.column_types import json_of
from coarsefine.db.connections.engine import Database
from coarsefine.db.optuna import tables
from coarsefine.db.optuna.trials import ENDED, UUID


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


_REPLICATES: Final = "replicates"


def read_studies(database: Database) -> list[OptunaStudy]:
    """Return all that Optuna has, of a database that may be open for reading only.

    Raises:
        StorageError: If what is needed of it is no JSON.
    """
    with database.session() as session:
        uuids = _uuids(session, tables.STUDY_USER, "study_id")
        directions: dict[int, int] = defaultdict(int)
        for study_id in session.scalars(sa.select(tables.DIRECTIONS.c.study_id)):
            directions[study_id] += 1
        trials = _trials(session)
        studies = tables.STUDIES.c
        rows = session.execute(
            sa.select(studies.study_id, studies.study_name).order_by(studies.study_id)
        )
        return [
            OptunaStudy(name, uuids.get(study_id), trials.get(study_id, []))
            for study_id, name in rows
            if directions[study_id] == 1
        ]


def _trials(session: Session) -> dict[int, list[OptunaRow]]:
    """Return the trials of all studies, in the order they were made, by study."""
    params: dict[int, dict[str, Any]] = defaultdict(dict)
    of = tables.PARAMS.c
    for trial_id, name, value, text in session.execute(
        sa.select(of.trial_id, of.param_name, of.param_value, of.distribution_json).order_by(
            of.param_id
        )
    ):
        params[trial_id][name] = external(value, text)
    values = {
        trial_id: value if kind == "FINITE" else tables.NOT_FINITE.get(kind, value)
        for trial_id, value, kind in session.execute(
            sa.select(
                tables.VALUES.c.trial_id, tables.VALUES.c.value, tables.VALUES.c.value_type
            ).where(tables.VALUES.c.objective == 0)
        )
    }
    uuids = _uuids(session, tables.TRIAL_USER, "trial_id")
    own = tables.TRIAL_USER.c
    ended = set(session.scalars(sa.select(own.trial_id).where(own.key.in_(ENDED))))
    replicates = {
        trial_id: json_of(text)
        for trial_id, text in session.execute(
            sa.select(own.trial_id, own.value_json).where(own.key == _REPLICATES)
        )
    }
    trials: dict[int, list[OptunaRow]] = defaultdict(list)
    row = tables.TRIALS.c
    for trial_id, study_id, number, state in session.execute(
        sa.select(row.trial_id, row.study_id, row.number, row.state).order_by(row.trial_id)
    ):
        uuid = uuids.get(trial_id)
        trials[study_id].append(
            OptunaRow(
                number,
                uuid if isinstance(uuid, str) else None,
                state.lower(),
                values.get(trial_id),
                params.get(trial_id, {}),
                trial_id in ended,
                replicates.get(trial_id, 1),
            )
        )
    return trials


def _uuids(session: Session, attributes: sa.Table, owner: str) -> dict[int, Any]:
    """Return what stands as UUID among the attributes of studies or trials, whoever set it."""
    rows = session.execute(
        sa.select(attributes.c[owner], attributes.c.value_json).where(attributes.c.key == UUID)
    )
    return {key: json_of(text) for key, text in rows}


def external(value: float, distribution: str) -> Any:
    """Return a parameter as users know it, of how Optuna stores it and its distribution."""
    choices, whole = _distribution(distribution)
    if choices is not None:
        return choices[int(value)]
    return int(value) if whole else value


@lru_cache(maxsize=1024)
def _distribution(text: str) -> tuple[tuple[Any, ...] | None, bool]:
    """Return the choices that a distribution has, if any, and whether it is of whole numbers."""
    stored = json_of(text)
    attributes: Mapping[str, Any] = stored["attributes"]
    choices = tuple(attributes["choices"]) if "choices" in attributes else None
    return choices, str(stored["name"]).startswith("Int")
