"""Optuna's trials read by plain SQL are those that Optuna reads."""

import math
import random

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from coarsefine.db.checks.whole import check_database
from coarsefine.db.connections.engine import open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.optuna import reading as optuna_reading
from coarsefine.db.optuna.dashboard import optuna_dashboard

VALUES = st.floats(allow_nan=False) | st.sampled_from([math.inf, -math.inf])
POINTS = st.dictionaries(st.integers(0, 50), st.floats(), max_size=5)
ATTRIBUTES = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5),
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.lists(st.integers()),
    max_size=3,
)
SPACE = {
    "lambda": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True),
    "batch": optuna.distributions.IntDistribution(1, 100),
    "kind": optuna.distributions.CategoricalDistribution(("a", None, 3)),
}


@st.composite
def trials(draw):
    state = draw(st.sampled_from(list(TrialState)))
    names = draw(st.sets(st.sampled_from(sorted(SPACE)))) if state != TrialState.WAITING else set()
    rng = random.Random(draw(st.integers(0, 9)))
    points = {"lambda": rng.uniform(1e-5, 1e-1), "batch": rng.randint(1, 100), "kind": None}
    return create_trial(
        state=state,
        value=draw(VALUES) if state == TrialState.COMPLETE else None,
        params={name: points[name] for name in names},
        distributions={name: SPACE[name] for name in names},
        user_attrs=draw(ATTRIBUTES),
        system_attrs=draw(ATTRIBUTES),
        intermediate_values=draw(POINTS),
    )


def begun(folder):
    path = folder / "search.db"
    open_database(str(path), create=True).close()
    return path


@pytest.fixture
def path(tmp_path):
    return begun(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = begun(tmp_path_factory.mktemp("read"))
    storage = RDBStorage(f"sqlite:///{path}")
    yield path, storage
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture
def study(path):
    return optuna.create_study(study_name="one", storage=f"sqlite:///{path}", direction="maximize")


def read(path, name="one"):
    with open_database(str(path), read_only=True) as database:
        _, storage = optuna_dashboard(database)
        try:
            return storage.get_all_trials(storage.get_study_id_from_name(name))
        finally:
            storage.close()


@settings(max_examples=8)
@given(made=st.lists(trials(), max_size=4))
def test_trials_are_read_as_optuna_reads_them(shared, made):
    path, storage = shared
    study = optuna.create_study(storage=storage)
    study.add_trials(made)

    found, theirs = read(path, study.study_name), study.get_trials()

    # NaN is not equal to itself, but its text is.
    assert list(map(repr, found)) == list(map(repr, theirs))


def test_many_trials_are_read_as_few_are(path, study, monkeypatch):
    monkeypatch.setattr(optuna_reading, "_ONE_BY_ONE", 3)
    study.add_trials([create_trial(value=float(i), user_attrs={"i": i}) for i in range(5)])

    assert read(path) == study.get_trials()


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_of_many_trials_the_best_and_those_under_way_have_curves(path, monkeypatch, direction):
    monkeypatch.setattr(optuna_reading, "MOST_CURVES", 2)
    study = optuna.create_study(study_name="one", storage=f"sqlite:///{path}", direction=direction)
    for value in (3.0, 1.0, 4.0, 1.5, 9.0, 2.0):
        study.add_trial(create_trial(value=value, intermediate_values={1: value}))
    study.ask().report(0.5, 1)
    study.add_trial(create_trial(state=TrialState.FAIL, intermediate_values={1: 7.0}))

    found = read(path)

    best = {4.0, 9.0} if direction == "maximize" else {1.0, 1.5}
    assert {p for t in found for p in t.intermediate_values.values()} == {0.5, *best}
    assert [t.value for t in found] == [t.value for t in study.trials]


def test_a_trial_that_ends_is_read_again_and_others_are_not(path, study):
    running, done = study.ask(SPACE), study.ask()
    study.tell(done, 0.5)
    with open_database(str(path), read_only=True) as database:
        _, storage = optuna_dashboard(database)
        before = storage.get_all_trials(1, deepcopy=False)
        running.report(0.25, 1)
        meanwhile = storage.get_all_trials(1, deepcopy=False)
        study.tell(running, 0.75)
        after = storage.get_all_trials(1, deepcopy=False)
        storage.close()

    assert [t.state.name for t in before] == ["RUNNING", "COMPLETE"]
    assert meanwhile[0].intermediate_values == {1: 0.25}
    assert (after[0].state.name, after[0].value) == ("COMPLETE", 0.75)
    assert before[1] is meanwhile[1] is after[1]


def test_a_study_made_anew_under_the_same_id_is_read_anew(path, study):
    study.add_trial(create_trial(value=1.0))
    storage_url = f"sqlite:///{path}"
    with open_database(str(path), read_only=True) as database:
        _, storage = optuna_dashboard(database)
        assert [t.value for t in storage.get_all_trials(1)] == [1.0]
        optuna.delete_study(study_name="one", storage=storage_url)
        anew = optuna.create_study(study_name="two", storage=storage_url)
        anew.add_trial(create_trial(value=2.0))

        assert storage.get_study_id_from_name("two") == 1
        assert [t.value for t in storage.get_all_trials(1)] == [2.0]
        storage.close()


def test_reading_refuses_to_write(path, study):
    study.add_trial(create_trial(value=1.0))
    with open_database(str(path), read_only=True) as database:
        _, storage = optuna_dashboard(database)
        for write in (
            lambda: storage.delete_study(1),
            lambda: storage.create_new_trial(1),
            lambda: storage.set_study_user_attr(1, "a", 1),
            lambda: storage.set_study_system_attr(1, "a", 1),
            lambda: storage.set_trial_user_attr(1, "a", 1),
            lambda: storage.set_trial_state_values(1, TrialState.FAIL),
            lambda: storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "x"),
        ):
            with pytest.raises(StorageError, match="for reading only"):
                write()
        storage.close()


@pytest.mark.parametrize("missing", ["version_info", "alembic_version"])
def test_tables_that_optuna_is_just_making_hold_no_studies_yet(path, missing):
    storage = RDBStorage(f"sqlite:///{path}")
    optuna.create_study(study_name="mine", storage=storage)
    storage.remove_session()
    with storage.engine.begin() as connection:
        rows = connection.exec_driver_sql(f"SELECT * FROM {missing}").fetchall()
        connection.exec_driver_sql(f"DELETE FROM {missing}")

    with open_database(str(path), read_only=True) as database:
        _, reading = optuna_dashboard(database)
        assert reading.get_all_studies() == []
        with storage.engine.begin() as connection:
            values = ", ".join("?" * len(rows[0]))
            statement = f"INSERT INTO {missing} VALUES ({values})"
            connection.exec_driver_sql(statement, tuple(rows[0]))
        assert [study.study_name for study in reading.get_all_studies()] == ["mine"]
        reading.close()
    storage.engine.dispose()


@pytest.mark.parametrize("missing", ["version_info", "alembic_version"])
def test_a_check_finds_tables_in_order_that_optuna_is_just_making(path, missing):
    storage = RDBStorage(f"sqlite:///{path}")
    storage.remove_session()
    with storage.engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {missing}")
    storage.engine.dispose()

    report = check_database(str(path))

    assert [check.name for check in report.checks if not check.passed] == []
