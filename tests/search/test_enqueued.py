"""Trials that were enqueued on Optuna's side become trials of a stage, or fail with a reason."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.studies.errors import SpaceError
from coarsefine.studies.running import loop as running
from coarsefine.studies.running.enqueued import enqueued_point
from coarsefine.studies.spaces.dimensions import Dimension, parameter
from coarsefine.studies.spaces.ranges import LogRange

from .conftest import COARSE, QUICK

ROOT = Path(__file__).parents[2]
SERVE = ("serve", "--once", "--quiet", "--jobs", "1")
NAME = "digits/lambda/coarse"


@pytest.fixture(autouse=True)
def quiet_optuna():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def theirs(act, name=NAME):
    """Do something with Optuna's study as anybody can who has the file."""
    storage = optuna.storages.RDBStorage("sqlite:///search.db")
    try:
        return act(optuna.load_study(study_name=name, storage=storage))
    finally:
        storage.remove_session()
        storage.engine.dispose()


def enqueue(*wishes, name=NAME, **attributes):
    def act(study):
        for params in wishes:
            study.enqueue_trial(params, user_attrs=attributes or None)

    theirs(act, name)


def trials(name=NAME):
    return theirs(lambda study: study.get_trials(), name)


def ranked(search, study="digits/lambda"):
    found = search("rank", study, "--json").json["trials"]
    return {tuple(trial["params"].values()): trial for trial in found}


def test_tables_that_optuna_was_killed_while_making_hold_no_wishes(search, coarse):
    # Each table is a transaction of its own to Optuna, and these come before the others.
    with open_database("search.db") as database:
        with database.write() as session:
            for name in ("trial_system_attributes", "version_info", "alembic_version"):
                session.execute(sa.text(f"DROP TABLE {name}"))
        assert repository.stages_with_enqueued(database) == []
        assert repository.lost_stages(database) == []


def test_enqueued_trials_are_trained_together_and_told(search, coarse):
    wished = [0.004, 0.005, 0.006, 0.007, 0.008, 0.009]
    enqueue(*({"lambda": value} for value in wished))

    assert search(*SERVE).status == 0

    ours, told = ranked(search), trials()[4:]
    assert [trial.state for trial in told] == [TrialState.COMPLETE] * 6
    assert [trial.params["lambda"] for trial in told] == wished
    assert [trial.value for trial in told] == [ours[v,]["validation_accuracy"] for v in wished]
    with open_database("search.db", read_only=True) as database:
        stage = repository.stages(database, repository.latest_study(database))[0]
        assert len(repository.load_plan(database, stage).cohorts) < 4 + 6
        assert repository.stages_with_enqueued(database) == []
    assert search("check").status == 0


def test_they_are_trained_as_any_other_value_of_the_stage(search, coarse):
    enqueue({"lambda": 0.004})

    search(*SERVE)

    plain = search("lambda", "--coarse", *QUICK, "--values", "0.004", "--storage", "v.db", "--json")
    wanted = plain.json["trials"][0]["validation_accuracy"]
    assert ranked(search)[0.004,]["validation_accuracy"] == wanted


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"lambda": 0.5}, "lambda must lie in 1e-05 … 0.1, got 0.5"),
        ({"lambda": 0}, "lambda must lie in"),
        ({"lambda": float("inf")}, "lambda must lie in"),
        ({"lambda": float("nan")}, "lambda must lie in"),
        ({"lambda": "0.01"}, "lambda must lie in"),
        ({"lambda": True}, "lambda must lie in"),
        ({"lambda": 10**400}, "lambda must lie in"),
        ({"lambda": [0.01]}, "lambda must lie in"),
        (
            {"lamda": 0.01},
            "this stage varies lambda, got 'lamda'; did you mean lambda?",
        ),
        ({"lambda": 0.01, "eta": 1.0}, "this stage varies lambda, got 'eta'"),
        ({}, "a trial of this stage must state lambda"),
        ({"lambda": 1e-5}, "trial 0 of this stage is at the same point"),
    ],
    ids=str,
)
def test_what_is_none_of_the_stages_space_fails_with_the_reason(study, search, params, reason):
    enqueue(params, {"lambda": 0.033})

    assert search(*SERVE).status == 0

    failed, trained = trials()[4:]
    assert (failed.state, trained.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert failed.user_attrs["reason"].startswith(reason)
    assert "uuid" not in failed.user_attrs


SPACES = [
    Dimension(parameter("lambda"), LogRange(1e-5, 1e-1)),
    Dimension(parameter("batch_size"), values=(1, 10, 100)),
    Dimension(parameter("hidden"), values=((), (8, 8))),
    Dimension(parameter("activation"), values=("relu",)),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
LIKELY = {
    "lambda": st.floats(1e-6, 1) | ANYTHING,
    "batch_size": st.integers(-1, 200) | ANYTHING,
    "hidden": st.sampled_from(["none", "8-8", "8", (8, 8), [8, 8]]) | ANYTHING,
    "activation": st.sampled_from(["relu", "tanh"]) | ANYTHING,
}


@given(
    known=st.fixed_dictionaries({}, optional=LIKELY),
    unknown=st.dictionaries(st.text(max_size=5), ANYTHING, max_size=1),
)
def test_whatever_is_enqueued_is_a_point_of_the_space_or_is_refused(known, unknown):
    try:
        point = enqueued_point({**known, **unknown}, SPACES)
    except SpaceError:
        return
    assert 1e-5 * 0.999 <= point["lambda"] <= 0.1 * 1.001
    assert 1 <= point["batch_size"] <= 100
    assert isinstance(point["batch_size"], int)
    assert point["hidden"] in {(), (8, 8)}
    assert point["activation"] == "relu"


def test_a_trial_of_two_parameters_and_one_of_hidden_layers(search):
    search(
        "lambda-eta",
        "--coarse",
        *QUICK,
        "--schedule",
        "constant",
        "--trials",
        "4",
        "--quiet",
    )
    search("hidden", "--epochs", "1", "--values", "4,4-4", "--quiet")
    enqueue({"lambda": 1e-3, "eta": 0.03}, {"lambda": 1e-3}, name="digits/lambda-eta/coarse")
    enqueue({"hidden": "4-4"}, {"hidden": "5"}, name="digits/hidden/grid")

    search(*SERVE)

    both = trials("digits/lambda-eta/coarse")[4:]
    assert [t.state for t in both] == [TrialState.COMPLETE, TrialState.FAIL]
    assert both[0].params == {"lambda": 1e-3, "eta": 0.03}
    layers = trials("digits/hidden/grid")[2:]
    assert [t.user_attrs["reason"] for t in layers] == [
        "trial 1 of this stage is at the same point",
        "hidden must be one of 4, 4-4, got '5'",
    ]


def test_a_search_that_is_carried_on_takes_them_up_too(search, coarse):
    enqueue({"lambda": 0.004})

    assert search(*COARSE, "--quiet").status == 0

    assert trials()[4].state is TrialState.COMPLETE
    assert (0.004,) in ranked(search)


def test_more_trials_may_be_asked_for_afterwards(search, coarse):
    enqueue({"lambda": 0.004})
    search(*SERVE)

    answer = search(*COARSE[:-1], "7", "--json", "--quiet")

    assert len(answer.json["trials"]) == 7
    assert search("lambda", "--fine", "--trials", "2", "--quiet").status == 0
    assert search("check").status == 0


def test_a_copied_uuid_does_no_harm(search, coarse):
    first = trials()[0]
    enqueue({"lambda": 0.004}, uuid=first.user_attrs["uuid"])
    enqueue({"lambda": 0.005}, uuid=["no", "text"])

    assert search(*SERVE).status == 0

    told = trials()
    assert told[0].value == first.value
    assert [t.state for t in told[4:]] == [TrialState.COMPLETE] * 2
    assert len({t.user_attrs["uuid"] for t in told}) == 6
    assert search("check").status == 0


def test_those_of_a_search_that_was_stopped_wait_for_it(search, monkeypatch):
    command = ("lambda", "--coarse", "--epochs", "6", "--hidden", "8", "--trials", "4", "--quiet")
    store = repository.store_segment

    def interrupted(*arguments):
        store(*arguments)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as during:
        during.setattr(repository, "store_segment", interrupted)
        during.setattr(running, "FIRST_SECONDS", 1e-9)
        during.setattr(running, "SMALL_SECONDS", 0)
        assert search(*command, "--jobs", "1").status == 130
    enqueue({"lambda": 0.004})

    served = search(*SERVE)

    assert trials()[-1].state is TrialState.WAITING
    assert "wait until its search is carried on" in served.err
    assert search(*command).status == 0
    assert {trial.state for trial in trials()} == {TrialState.COMPLETE}


def test_other_studies_of_optunas_are_left_alone(search, coarse):
    storage = "sqlite:///search.db"
    optuna.create_study(study_name="theirs", storage=storage).enqueue_trial({"x": 1})

    assert search(*SERVE).status == 0

    assert trials("theirs")[0].state is TrialState.WAITING


KILLED = """
import os, signal, sys
from coarsefine.db import repository
from coarsefine.studies.running.mirror import OptunaMirror
from coarsefine.search.cli import main

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

place = sys.argv[1]
if place == "reserved":
    reserve, n = OptunaMirror.reserve, []
    def reserved(*arguments):
        reserve(*arguments)
        n.append(1)
        len(n) == 2 and die()
    OptunaMirror.reserve = reserved
elif place == "planned":
    OptunaMirror.start = die
elif place == "taken up":
    repository.store_segment = die
else:
    repository.mark_told = die
sys.exit(main(["serve", "--once", "--quiet", "--jobs", "1"]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize(
    "place",
    [
        pytest.param("reserved", marks=pytest.mark.slow),
        pytest.param("planned", marks=pytest.mark.slow),
        pytest.param("taken up", marks=pytest.mark.slow),
        "told",
    ],
)
def test_killed_in_between_each_is_trained_once(search, study, own_folder, place):
    enqueue({"lambda": 0.004}, {"lambda": 0.005})

    done = subprocess.run(
        [sys.executable, "-c", KILLED, place],
        cwd=own_folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert search(*SERVE).status == 0

    told = trials()
    assert [trial.state for trial in told[4:]] == [TrialState.COMPLETE] * 2
    assert [trial.params["lambda"] for trial in told[4:]] == [0.004, 0.005]
    assert len(told) == 6
    assert {(0.004,), (0.005,)} <= set(ranked(search))
    assert search("check").status == 0
