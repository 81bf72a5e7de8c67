"""Optuna's mirror of a stage: steps may be repeated, and others' trials are left alone."""

import math
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.optuna import storage as optuna_storage
from coarsefine.db.optuna.sampling import SamplerName, propose
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.optuna.trials import Choices, OptunaTrial, Range

from .conftest import Planned, untold_trials

NAME = "digits/lambda/coarse"
LAMBDA = Range(1e-5, 1e-1, log=True)
Outside = Callable[[], RDBStorage]
SAMPLERS: tuple[SamplerName, ...] = ("random", "qmc", "tpe")


def trials(*uuids: str) -> list[OptunaTrial]:
    return [
        OptunaTrial(uuid, {"lambda": 10.0 ** (i - 5)}, {"lambda": LAMBDA}, {"cohort": i})
        for i, uuid in enumerate(uuids)
    ]


@pytest.fixture
def outside(path: Path) -> Generator[Outside]:
    """Optuna's own way into the file, as its dashboard takes it."""
    storages = []

    def opened() -> RDBStorage:
        storages.append(RDBStorage(f"sqlite:///{path}"))
        return storages[-1]

    yield opened
    for storage in storages:
        storage.remove_session()
        storage.engine.dispose()


def mirrored(outside: Outside, name: str = NAME) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=outside())


def test_optuna_reads_what_was_told(outside: Outside, db: Database) -> None:
    with OptunaStage.open(db, NAME, {"uuid": "s", "window": (1e-5, 1e-1)}) as stage:
        numbers = stage.start(trials("a", "b", "c", "d"))
        stage.finish(
            numbers["a"],
            "complete",
            np.float32(0.75),  # type: ignore[arg-type]
            attributes={"seconds": np.float32(2), "spread": math.inf},
            curve={1: 0.25, 2: 0.5, 3: math.nan},
        )
        stage.finish(numbers["b"], "diverged")
        stage.finish(numbers["c"], "pruned", 0.5, curve={2: 0.125, 1: 0.25})
        stage.finish(numbers["d"], "failed", attributes={"reason": "no memory"})

    study = mirrored(outside)
    a, b, c, d = study.get_trials()
    assert numbers == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert study.user_attrs == {"uuid": "s", "window": [1e-5, 1e-1]}
    assert study.best_trial.number == 0
    assert (a.state, a.value, a.params) == (TrialState.COMPLETE, 0.75, {"lambda": 1e-5})
    assert a.intermediate_values == {1: 0.25, 2: 0.5}
    assert a.user_attrs == {"uuid": "a", "cohort": 0, "seconds": 2.0, "spread": None}
    assert (b.state, b.user_attrs["state"]) == (TrialState.FAIL, "diverged")
    assert (c.state, c.value) == (TrialState.PRUNED, 0.125)
    assert (d.state, d.user_attrs["reason"]) == (TrialState.FAIL, "no memory")


def test_each_step_may_be_repeated(outside: Outside, db: Database) -> None:
    for _ in range(2):
        with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
            numbers = stage.start(trials("a", "b"))
            for value in (0.5, 0.625):
                seconds, curve = {"seconds": value}, {1: value}
                stage.finish(numbers["a"], "complete", value, attributes=seconds, curve=curve)
            stage.finish(numbers["a"], "pruned", curve={2: 0.1})

    a, b = mirrored(outside).get_trials()
    assert (a.value, a.user_attrs["seconds"], a.intermediate_values) == (0.5, 0.5, {1: 0.5})
    assert b.state == TrialState.RUNNING


def test_a_trial_told_by_half_is_told_whole_the_next_time(
    outside: Outside, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError

    told: dict[str, Any] = {"attributes": {"seconds": 2.0}, "curve": {1: 0.25, 2: 0.5}}
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        numbers = stage.start(trials("a"))
        for step in (
            "set_trial_user_attr",
            "set_trial_intermediate_value",
            "set_trial_state_values",
        ):
            with monkeypatch.context() as patch:
                patch.setattr(RDBStorage, step, killed)
                with pytest.raises(RuntimeError):
                    stage.finish(numbers["a"], "complete", 0.75, **told)
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        stage.finish(stage.start(trials("a"))["a"], "complete", 0.75, **told)

    (a,) = mirrored(outside).get_trials()
    assert (a.number, a.state, a.value) == (0, TrialState.COMPLETE, 0.75)
    assert (a.user_attrs["seconds"], a.intermediate_values) == (2.0, told["curve"])


def test_telling_costs_a_transaction_for_each_thing_told(db: Database) -> None:
    told: dict[str, Any] = {"attributes": {"seconds": 2.0, "n": 1}, "curve": {1: 0.25, 2: 0.5}}
    transactions = []
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        numbers = stage.start(trials("a", "b"))
        sa.event.listen(stage._storage.engine, "begin", transactions.append)
        for uuid in numbers:
            stage.finish(numbers[uuid], "complete", 0.75, **told)

    # Two attributes, two points, the end; and whether the study is still ours.
    assert len(transactions) == len(numbers) * (2 + 2 + 1 + 1)


def test_strays_are_failed_and_wishes_stay(outside: Outside, db: Database) -> None:
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        stage.start(trials("a", "b"))
        theirs = mirrored(outside)
        theirs.enqueue_trial({"lambda": 1e-3})
        theirs.add_trial(optuna.trial.create_trial(state=TrialState.RUNNING))

        assert stage.fail_strays({"a"}) == [1, 3]
        assert stage.states() == {"a": "running", "b": "fail"}

    states = [trial.state for trial in mirrored(outside).get_trials()]
    assert states == [TrialState.RUNNING, TrialState.FAIL, TrialState.WAITING, TrialState.FAIL]


def test_values_at_the_end_of_a_range_survive_rounding(db: Database) -> None:
    beyond = math.nextafter(LAMBDA.high, 1)
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        numbers = stage.start([OptunaTrial("a", {"lambda": beyond}, {"lambda": LAMBDA})])

    assert numbers == {"a": 0}


def test_choices_and_whole_numbers_are_parameters_too(outside: Outside, db: Database) -> None:
    space = {"batch_size": Range(10, 1000, log=True), "activation": Choices(("relu", "tanh"))}
    params = {"batch_size": np.int64(100), "activation": "tanh"}
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        stage.start([OptunaTrial("a", params, space)])

    assert mirrored(outside).trials[0].params == {"batch_size": 100, "activation": "tanh"}


def test_a_study_of_another_direction_is_refused(outside: Outside, db: Database) -> None:
    optuna.create_study(study_name=NAME, storage=outside(), direction="minimize")

    with pytest.raises(StorageError, match="direction minimize"):
        OptunaStage.open(db, NAME, {"uuid": "s"})


def test_a_study_of_another_is_refused(outside: Outside, db: Database) -> None:
    OptunaStage.open(db, NAME, {"uuid": "s"}).close()
    with pytest.raises(StorageError, match="was not made by this stage"):
        OptunaStage.open(db, NAME, {"uuid": "t"})

    assert OptunaStage.delete(db, NAME)
    assert not OptunaStage.delete(db, NAME)
    theirs = optuna.create_study(study_name=NAME, storage=outside(), direction="maximize")
    theirs.ask()
    with pytest.raises(StorageError, match="was not made by this stage"):
        OptunaStage.open(db, NAME, {"uuid": "s"})


@pytest.mark.parametrize("replaced", ["nothing", "another", "same-name"])
@pytest.mark.parametrize("started", ["now", "before"])
def test_a_study_deleted_from_outside_is_noticed(
    outside: Outside, db: Database, started: str, replaced: str
) -> None:
    other = None
    if started == "before":
        with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
            stage.start(trials("a"))
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        numbers = stage.start(trials("a"))
        optuna.delete_study(study_name=NAME, storage=outside())
        if replaced != "nothing":  # the new one has the ids of the old one
            name = NAME if replaced == "same-name" else "other"
            other = optuna.create_study(study_name=name, storage=outside(), direction="maximize")
            other.ask()

        with pytest.raises(StorageError, match="renamed or deleted"):
            stage.finish(numbers["a"], "complete", 0.5, curve={1: 0.5})

    if other is not None:
        (trial,) = other.trials
        assert (trial.state, trial.intermediate_values) == (TrialState.RUNNING, {})


def test_a_complete_trial_needs_a_value(db: Database) -> None:
    with OptunaStage.open(db, NAME, {"uuid": "s"}) as stage:
        stage.start(trials("a"))
        for value in (None, math.inf, math.nan):
            with pytest.raises(ValueError, match="finite value"):
                stage.finish(0, "complete", value)


def test_a_kill_between_commit_and_tell_is_mended(
    path: Path, planned: Planned, outside: Outside
) -> None:
    code = f"""
import os, sys
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.optuna.trials import OptunaTrial, Range
from coarsefine.db.records import SegmentResult, TrialUpdate
database = open_database(sys.argv[1])
(stage,) = repository.stages(database, repository.latest_study(database))
plan = repository.load_plan(database, stage)
mirror = OptunaStage.open(database, {NAME!r}, {{"uuid": stage.uuid}})
space = {{"lambda": Range(1e-5, 1e-1, True)}}
numbers = mirror.start([OptunaTrial(t.uuid, t.params, space) for t in plan.trials])
repository.store_segment(database, SegmentResult(plan.cohorts[0].uuid, 0, 4, done=True,
    trials=[TrialUpdate(t.uuid, "complete", 0.5) for t in plan.trials]))
mirror.finish(0, "complete", 0.5)
os._exit(9)
"""
    planned.db.close()
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9

    with open_database(str(path)) as again:
        mend(again, planned)

        assert untold_trials(again, planned.stage) == []
        numbers = [t.number for t in repository.load_plan(again, planned.stage).trials]
        assert numbers == [0, 1, 2, 3]
    states = {trial.state for trial in mirrored(outside).get_trials()}
    assert states == {TrialState.COMPLETE}


def mend(database: Database, planned: Planned) -> None:
    """What a driver does when it starts."""
    plan = repository.load_plan(database, planned.stage)
    with OptunaStage.open(database, NAME, {"uuid": planned.stage.uuid}) as mirror:
        numbers = mirror.start(
            [OptunaTrial(t.uuid, t.params, {"lambda": LAMBDA}) for t in plan.trials]
        )
        repository.set_numbers(database, numbers)
        mirror.fail_strays(set(numbers))
        for trial in untold_trials(database, planned.stage):
            mirror.finish(numbers[trial.uuid], "complete", trial.validation_accuracy)
            repository.mark_told(database, [trial.uuid])


WORKER = """
import sys
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.records import SegmentResult, TrialUpdate, EpochRecord
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.optuna.trials import OptunaTrial, Range
from tests.db.conftest import add_stage, add_study, plan_trials
with open_database(sys.argv[1], create=True) as database:
    study = add_study(database, sys.argv[2])
    with StudyLock(database, study.uuid):
        stage = add_stage(database, study)
        with OptunaStage.open(database, stage.optuna_name, {"uuid": stage.uuid}) as mirror:
            for _ in range(4):
                done = len(repository.load_plan(database, stage).trials)
                plan = plan_trials(database, stage, 8)
                new, runs, cohort = plan.trials[done:], plan.runs[done:], plan.cohorts[-1]
                space = {"lambda": Range(1e-5, 1e3, True)}
                numbers = mirror.start([OptunaTrial(t.uuid, t.params, space) for t in new])
                repository.set_numbers(database, numbers)
                repository.store_segment(database, SegmentResult(cohort.uuid, 0, 1,
                    [EpochRecord(r.id, 1, 1) for r in runs], checkpoint=b"x" * 10_000, done=True,
                    trials=[TrialUpdate(t.uuid, "complete", 0.5) for t in new]))
                for t in new:
                    mirror.finish(numbers[t.uuid], "complete", 0.5)
                repository.mark_told(database, [t.uuid for t in new])
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_drivers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_drivers_share_a_new_file(path: Path, outside: Outside, n_drivers: int) -> None:
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), f"study-{i}"],
            cwd=root,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(n_drivers)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert (process.returncode, errors) == (0, "")

    with open_database(str(path), read_only=True) as database:
        summaries = repository.list_studies(database)
        assert [summary.trials for summary in summaries] == [{"complete": 32}] * n_drivers
        for summary in summaries:
            study = repository.find_study(database, summary.name)
            assert study is not None
            numbers = [row.number for row in repository.trial_rows(database, study)]
            assert numbers == list(range(32))
    study = mirrored(outside, "study-0/coarse")
    assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE] * 32


# ----------------------------------------------------------------------------------- proposals


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_depend_on_their_arguments_alone(sampler: SamplerName) -> None:
    first = propose(sampler, {"lambda": LAMBDA}, [], 8, seed=3, batch=0)
    history: list[tuple[Any, float | None, str]] = [
        (params, 0.1 * i, "complete") for i, params in enumerate(first)
    ]

    second = propose(sampler, {"lambda": LAMBDA}, history, 8, seed=3, batch=1)

    assert first == propose(sampler, {"lambda": LAMBDA}, [], 8, seed=3, batch=0)
    assert second == propose(sampler, {"lambda": LAMBDA}, history, 8, seed=3, batch=1)
    assert len({point["lambda"] for point in first + second}) == 16
    assert first != propose(sampler, {"lambda": LAMBDA}, [], 8, seed=4, batch=0)


def test_sobol_goes_on_with_its_sequence_however_it_is_cut() -> None:
    whole = propose("qmc", {"lambda": LAMBDA}, [], 16, seed=3, batch=0)
    points = whole[:5]
    for batch, n in ((1, 4), (2, 7)):
        history = [(params, 0.5, "complete") for params in points]
        points = points + propose("qmc", {"lambda": LAMBDA}, history, n, seed=3, batch=batch)

    assert points == whole
    # 16 points of a Sobol sequence fall into 16 equal parts of the range, one in each.
    parts = sorted(int((math.log10(point["lambda"]) + 5) / 4 * 16) for point in whole)
    assert parts == list(range(16))


@given(
    sampler=st.sampled_from(SAMPLERS),
    low=st.floats(-6, 0),
    width=st.floats(0.5, 4),
    seed=st.integers(0, 2**63),
    states=st.lists(st.sampled_from(["complete", "diverged", "pruned", "failed", "running"])),
)
@settings(max_examples=20)
def test_proposals_are_new_and_inside(
    sampler: SamplerName, low: float, width: float, seed: int, states: list[str]
) -> None:
    space = {"lambda": Range(10**low, 10 ** (low + width), log=True), "momentum": Range(0.0, 0.9)}
    rng = np.random.default_rng(len(states))
    history = [
        (
            {"lambda": 10 ** (low + width * rng.random()), "momentum": 0.9 * rng.random()},
            rng.random(),
            state,
        )
        for state in states
    ]

    points = propose(sampler, space, history, 3, seed=seed, batch=1)

    assert len(points) == 3
    for point in points:
        assert all(space[name].low <= point[name] <= space[name].high for name in space)
        assert point not in [params for params, _, _ in history]


def test_a_space_that_is_used_up_gives_what_it_has() -> None:
    points = propose(
        "random", {"n": Range(1, 5)}, [({"n": 3}, 0.5, "complete")], 8, seed=1, batch=1
    )

    assert sorted(point["n"] for point in points) == [1, 2, 4, 5]


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_adaptive_samplers_look_where_it_was_good(sampler) -> None:
    if sampler == "gp":
        pytest.importorskip("torch")
    values = np.linspace(-5, -1, 30)
    history = [({"lambda": 10**v}, 1 - (v + 2) ** 2 / 9, "complete") for v in values]

    n = 8 if sampler == "tpe" else 2
    points = propose(sampler, {"lambda": LAMBDA}, history, n, seed=1, batch=1)

    near = [point for point in points if abs(math.log10(point["lambda"]) + 2) < 1]
    assert len(near) >= 0.75 * n


def test_a_gaussian_process_hears_of_what_diverged_and_takes_unused_numbers() -> None:
    pytest.importorskip("torch")
    space = {"lambda": LAMBDA, "momentum": Range(0.0, 0.9)}
    rising = [
        ({"lambda": 10**v, "momentum": None if i % 2 else 0.5}, 0.5 + 0.05 * i, "complete")
        for i, v in enumerate(np.linspace(-5, -2, 9))
    ]

    def at_the_end(state: str) -> int:
        end = [
            ({"lambda": 10**v, "momentum": m}, None, state) for v in (-1.7, -1) for m in (0.2, 0.7)
        ]
        points = propose("gp", space, [*rising, *end], 3, seed=1, batch=3)
        assert len(points) == 3
        return sum(point["lambda"] > 10**-1.5 for point in points)

    assert at_the_end("diverged") < at_the_end("failed") == 3


def test_optunas_schema_is_checked_once_for_a_version_of_it(db: Database, monkeypatch) -> None:
    asked = []
    real = optuna_storage.RDBStorage

    def storage(*args, **options):
        asked.append(options["skip_compatibility_check"])
        return real(*args, **options)

    monkeypatch.setattr(optuna_storage, "RDBStorage", storage)
    for _ in range(2):
        OptunaStage.open(db, "digits/lambda/coarse", {"uuid": "a"}).close()
    monkeypatch.setattr(optuna_storage.optuna, "__version__", "5.99")
    OptunaStage.open(db, "digits/lambda/coarse", {"uuid": "a"}).close()

    assert asked == [False, True, False]
