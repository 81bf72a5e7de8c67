"""A stage that has ended, written into Optuna's tables in one transaction, without Optuna.

A search of a second has little to tell, and Optuna takes longer than its training to be imported,
to make its tables and to commit each point by itself. Whatever is not a new study in tables that
are known is left to Optuna itself (``db.optuna.studies``), which writes the same rows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coarsefine.db import schema
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import tables_lock
from coarsefine.db.optuna import tables as optuna_tables
from coarsefine.db.optuna.tables import CHECKED
from coarsefine.db.optuna.trials import Choices, OptunaTrial, Range, plain
from coarsefine.db.repository.measurements import set_measurement


def written(
    database: Database, name: str, attributes: Mapping[str, Any], trials: Sequence[OptunaTrial]
) -> dict[str, int] | None:
    """Write a study of Optuna's that is new, with its trials, which have ended.

    Args:
        database: Where our tables are, too.
        name: ``STUDY/STAGE``.
        attributes: Of the study, with our stage's ``uuid``.
        trials: In the order of their numbers.

    Returns:
        Optuna's numbers, by UUID; ``None`` if nothing was written and Optuna has to do it: there
        is a study of that name, or the tables are others than those known here.
    """
    if database.path is None:
        return None
    made = None
    with tables_lock(database), database.write() as session:
        connection = session.connection()
        tables = sa.inspect(connection).get_table_names()
        if not {*optuna_tables.OPTUNAS.tables} & {*tables}:
            if not optuna_tables.are_newest():
                return None
            made = optuna_tables.create(connection)
        elif (
            not schema.optuna_has_begun(connection)
            or optuna_tables.revision(connection) != optuna_tables.REVISION
        ):
            return None
        studies = optuna_tables.STUDIES
        taken = sa.select(studies.c.study_id).where(studies.c.study_name == name)
        if connection.execute(taken).first() is not None:
            return None
        _write(connection, name, attributes, trials)
    if made is not None:
        set_measurement(database, CHECKED, made)
    return {trial.uuid: number for number, trial in enumerate(trials)}


def _write(
    connection: Connection,
    name: str,
    attributes: Mapping[str, Any],
    trials: Sequence[OptunaTrial],
) -> None:
    insert = optuna_tables.STUDIES.insert().values(study_name=name)
    study = connection.execute(insert.returning(optuna_tables.STUDIES.c.study_id)).scalar_one()
    direction = {"study_id": study, "direction": "MAXIMIZE", "objective": 0}
    connection.execute(optuna_tables.DIRECTIONS.insert().values(direction))
    _insert(connection, optuna_tables.STUDY_USER, _attributes("study_id", study, plain(attributes)))
    moment = datetime.now(UTC).replace(tzinfo=None)
    table, ids = optuna_tables.TRIALS, list[int]()
    for number, trial in enumerate(trials):
        assert trial.end is not None  # noqa: S101  # as stated
        row = {
            "number": number,
            "study_id": study,
            "state": trial.end.state,
            "datetime_start": moment,
            "datetime_complete": moment,
        }
        ids.append(
            connection.execute(table.insert().values(row).returning(table.c.trial_id)).scalar_one()
        )
    whole = list(zip(ids, trials, strict=True))
    _insert(
        connection,
        optuna_tables.PARAMS,
        [
            {
                "trial_id": key,
                "param_name": name,
                "param_value": internal(value, trial.space[name]),
                "distribution_json": distribution_json(trial.space[name]),
            }
            for key, trial in whole
            for name, value in trial.suggested.items()
        ],
    )
    ends = [(key, trial.end) for key, trial in whole if trial.end is not None]
    _insert(
        connection,
        optuna_tables.VALUES,
        [
            {"trial_id": key, "objective": 0, "value": end.value, "value_type": "FINITE"}
            for key, end in ends
            if end.value is not None
        ],
    )
    _insert(
        connection,
        optuna_tables.TRIAL_USER,
        [row for key, t in whole for row in _attributes("trial_id", key, t.user_attributes)],
    )
    _insert(
        connection,
        optuna_tables.POINTS,
        [
            {
                "trial_id": key,
                "step": step,
                "intermediate_value": point,
                "intermediate_value_type": "FINITE",
            }
            for key, end in ends
            for step, point in end.points.items()
        ],
    )


def _insert(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _attributes(owner: str, key: int, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {owner: key, "key": name, "value_json": json.dumps(value)}
        for name, value in attributes.items()
    ]


def internal(value: Any, where: Range | Choices) -> float:
    """Return a parameter's value as Optuna stores it: of choices, its place among them."""
    return float(where.values.index(value) if isinstance(where, Choices) else value)


def distribution_json(where: Range | Choices) -> str:
    """Return a range or choices as Optuna stores them."""
    if isinstance(where, Choices):
        return _json("CategoricalDistribution", {"choices": where.values})
    if isinstance(where.low, int) and isinstance(where.high, int):
        step = {"log": where.log, "step": 1, "low": where.low, "high": where.high}
        return _json("IntDistribution", step)
    ends = {"step": None, "low": float(where.low), "high": float(where.high), "log": where.log}
    return _json("FloatDistribution", ends)


def _json(name: str, attributes: Mapping[str, Any]) -> str:
    return json.dumps({"name": name, "attributes": attributes})
