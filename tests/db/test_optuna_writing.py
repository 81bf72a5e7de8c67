"""Optuna's tables, made and written without it: as Optuna makes and writes them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage

from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.optuna import storage as optuna_storage
from coarsefine.db.optuna import tables as optuna_tables
from coarsefine.db.optuna.listing import external, read_studies
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.optuna.trials import Choices, End, OptunaTrial, Range
from coarsefine.db.optuna.values import distribution_of
from coarsefine.db.optuna.writing import distribution_json, internal, written

NAME = "digits/lambda/coarse"
ATTRIBUTES = {"uuid": "stage", "low": 1e-5, "parent": None, "window": (1e-5, 0.1)}
ENDS = {
    "a": End.of("complete", 0.75, {"seconds": 2.0, "replicates": 3}, {0: 0.1, 8: 0.75}),
    "b": End.of("diverged", None, {"seconds": 0.5}, {0: 0.1, 1: float("nan")}),
    "c": End.of("pruned", 0.5, None, {2: 0.125, 1: 0.25}),
    "d": End.of("failed", None),
}
SPACE = {
    "lambda": Range(1e-5, 0.1, log=True),
    "hidden": Choices(("50", "50,50")),
    "batch-size": Range(10, 100),
}


def trials() -> list[OptunaTrial]:
    params = [{"lambda": 10.0**-i, "hidden": "50", "batch-size": 10 * i} for i in (2, 3, 4, 5)]
    params[3]["hidden"] = "50,50"
    return [
        OptunaTrial(uuid, each, SPACE, {"cohort": i}, end)
        for i, (each, (uuid, end)) in enumerate(zip(params, ENDS.items(), strict=True))
    ]


def by_optuna(database: Database) -> None:
    with OptunaStage.open(database, NAME, ATTRIBUTES) as stage:
        stage.start(trials())


def by_ours(database: Database) -> None:
    assert written(database, NAME, ATTRIBUTES, trials()) == {"a": 0, "b": 1, "c": 2, "d": 3}


def _optunas(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how Optuna's tables are made, and their rows without moments and their own ids."""
    with closing(sqlite3.connect(path)) as connection:
        made = {
            str(name): sql
            for name, table, sql in connection.execute(
                "SELECT name, tbl_name, sql FROM sqlite_master"
            )
            if not table.startswith("training_")
        }
        rows = {}
        for table in optuna_tables.OPTUNAS.tables.values():
            columns = [c.name for c in table.c if not c.name.startswith("datetime")]
            if table.name not in {"studies", "trials", "version_info", "alembic_version"}:
                del columns[0]
            listed = ", ".join(f'"{name}"' for name in columns)
            found = connection.execute(f"SELECT {listed} FROM {table.name}")
            rows[table.name] = sorted(map(repr, found))
    return made, rows


def test_what_is_written_without_optuna_is_what_optuna_writes(tmp_path: Path) -> None:
    results = {}
    for write in (by_optuna, by_ours):
        path = tmp_path / f"{write.__name__}.db"
        with open_database(str(path), create=True) as database:
            write(database)
            measured = optuna_storage.get_measurement(database, optuna_tables.CHECKED)
        results[write.__name__] = (*_optunas(path), measured)

    assert results["by_ours"] == results["by_optuna"]
    study = optuna.load_study(study_name=NAME, storage=f"sqlite:///{tmp_path / 'by_ours.db'}")
    assert [trial.value for trial in study.get_trials()] == [0.75, None, 0.125, None]
    assert all(trial.datetime_complete is not None for trial in study.get_trials())


def test_optuna_goes_on_with_what_was_written_without_it(db: Database) -> None:
    by_ours(db)
    more = OptunaTrial("e", {"lambda": 0.01, "hidden": "50", "batch-size": 20}, SPACE)

    with OptunaStage.open(db, NAME, ATTRIBUTES, begun=True) as stage:
        numbers = stage.start([*trials(), more])

        assert numbers == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
        assert stage.states()["e"] == "running"


def test_studies_are_listed_as_optuna_has_them(db: Database, path: Path) -> None:
    by_optuna(db)
    storage = f"sqlite:///{path}"
    theirs = optuna.create_study(study_name="theirs", storage=storage)
    theirs.enqueue_trial({"x": 1.5}, user_attrs={"uuid": ["no text"], "replicates": 5})
    trial = theirs.ask({"x": optuna.distributions.FloatDistribution(0, 2)})
    theirs.tell(trial, float("inf"))
    optuna.create_study(study_name="two", storage=storage, directions=["minimize", "maximize"])

    ours, other = read_studies(db)

    assert (ours.name, ours.uuid, other.name, other.uuid) == (NAME, "stage", "theirs", None)
    for listed, name in ((ours, NAME), (other, "theirs")):
        for mine, own in zip(
            listed.trials, optuna.load_study(study_name=name, storage=storage).trials, strict=True
        ):
            uuid = own.user_attrs["uuid"]
            assert mine == (
                own.number,
                uuid if isinstance(uuid, str) else None,
                own.state.name.lower(),
                own.value,
                own.params,
                bool({"seconds", "state"} & own.user_attrs.keys()),
                own.user_attrs.get("replicates", 1),
            )


def _study_of_that_name(database: Database, _: pytest.MonkeyPatch) -> None:
    by_optuna(database)


def _newer_optuna(_: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna_tables, "_NEWEST_MIGRATION", "v3.0.0.a.py")


def _tables_of_a_newer_optuna(database: Database, _: pytest.MonkeyPatch) -> None:
    assert database.path is not None
    storage = RDBStorage(f"sqlite:///{database.path}")
    optuna_storage.close_storage(storage)
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9'")


def _tables_half_made(database: Database, _: pytest.MonkeyPatch) -> None:
    assert database.path is not None
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute("CREATE TABLE studies (study_id INTEGER PRIMARY KEY)")


@pytest.mark.parametrize(
    "there",
    [_study_of_that_name, _newer_optuna, _tables_of_a_newer_optuna, _tables_half_made],
)
def test_anything_else_is_left_to_optuna(
    db: Database,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: Callable[[Database, pytest.MonkeyPatch], None],
) -> None:
    there(db, monkeypatch)
    with closing(sqlite3.connect(path)) as connection:
        before = list(connection.iterdump())

    assert written(db, NAME, ATTRIBUTES, trials()) is None

    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before


NUMBERS = st.floats(-1e6, 1e6)


@given(
    where=st.one_of(
        st.builds(lambda a, b: Range(min(a, b), max(a, b)), NUMBERS, NUMBERS),
        st.builds(
            lambda a, b, log: Range(min(a, b), max(a, b), log),
            *[st.floats(1e-9, 1e9)] * 2,
            st.booleans(),
        ),
        st.builds(
            lambda a, b, log: Range(min(a, b), max(a, b), log),
            *[st.integers(1, 10**6)] * 2,
            st.booleans(),
        ),
        st.lists(st.text(max_size=3), min_size=1, unique=True).map(
            lambda each: Choices(tuple(each))
        ),
        st.just(Choices((True, False, None))),
    )
)
def test_spaces_are_stored_as_optuna_stores_them(where: Range | Choices) -> None:
    distribution = distribution_of(where)
    values = where.values if isinstance(where, Choices) else (where.low, where.high)

    text = distribution_json(where)
    assert text == distribution_to_json(distribution)
    assert [external(internal(v, where), text) for v in values] == list(values)
    assert [internal(v, where) for v in values] == [
        distribution.to_internal_repr(v) for v in values
    ]
