"""Segments on a cluster: the same bits as here, and no segment lost."""

from dataclasses import replace

import pytest

from coarsefine.db import repository
from coarsefine.models.cohort import state_to_bytes
from coarsefine.models.data import DataSpec, prepare
from coarsefine.models.errors import ModelError
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning import runs
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running import loop as running
from coarsefine.studies.running.dask import executor as dask_executor
from coarsefine.studies.running.executors import MAX_TRIES, InlineExecutor
from tests.studies.conftest import comparable
from tests.studies.dask.cluster import Fatal
from tests.studies.test_executors import Handle, segment


def curves(database, study):
    """Return all measures of a study's epochs but times, bit for bit."""
    times = {"run_id": 0, "seconds": 0.0, "evaluation_seconds": 0.0}
    rows = [row._replace(**times) for row in repository.epoch_rows(database, study=study)]
    assert rows
    return [repr(row) for row in rows]


def test_a_cluster_and_this_process_train_the_same_bits(executor):
    with InlineExecutor() as inline:
        for each in (inline, executor):
            for key in "abc":
                each.submit(segment(key))
        here = [inline.next_result() for _ in "abc"]
        there = [executor.next_result() for _ in "abc"]

    assert sorted(result.key for result in there) == ["a", "b", "c"]
    assert {state_to_bytes(result.state) for result in (*here, *there)} == {
        state_to_bytes(here[0].state)
    }
    assert executor.lines == []


def test_segments_are_carried_on_from_their_state(executor):
    executor.submit(segment(n_epochs=5))
    whole = executor.next_result()
    executor.submit(segment(n_epochs=2))
    part = executor.next_result()
    executor.submit(segment(n_epochs=3, state=part.state))
    rest = executor.next_result()

    assert state_to_bytes(rest.state) == state_to_bytes(whole.state)


def test_a_search_whose_worker_is_killed_in_a_segment_ends_with_the_same_bits(
    bench, executor, monkeypatch, tmp_path
):
    # The plan decides the bits: it is made for as many cores as there are workers.
    monkeypatch.setattr(runs, "n_cores", lambda: 2)
    asked = StageRequest(values=(1e-4, 1e-3, 1e-2, 1e-1))
    here = bench.coarse(asked, name="here", training__epochs=30)
    (marks := tmp_path / "marks").mkdir()
    killing = f"killed_once(task, sent, __import__('pathlib').Path({str(marks)!r}))"
    module = "__import__('importlib').import_module('tests.studies.dask.cluster')"
    monkeypatch.setattr(dask_executor, "TRAIN", f"{module}.{killing}")
    monkeypatch.setattr(running, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(running, "SEGMENT_SECONDS", 0.0)

    there = bench.coarse(
        asked,
        name="there",
        means=bench.means(executor=executor, planned_for=2),
        training__epochs=30,
    )

    assert executor.n_lost >= 1
    first, second = (comparable(bench.ranking(outcome.study)) for outcome in (here, there))
    assert first["trials"] == second["trials"]
    assert curves(bench.database, here.study) == curves(bench.database, there.study)


def test_a_worker_that_dies_costs_no_segment(executor, tmp_path):
    executor.submit(segment(data=Fatal(tmp_path, n_deaths=MAX_TRIES - 1)))
    executor.submit(segment("next"))
    results = [executor.next_result() for _ in range(2)]

    assert sorted(result.key for result in results) == ["a", "next"]
    assert len(list(tmp_path.iterdir())) == MAX_TRIES - 1


@pytest.mark.slow
def test_a_segment_that_kills_every_worker_is_given_up(executor, tmp_path):
    executor.submit(segment(data=Fatal(tmp_path, n_deaths=99)))

    with pytest.raises(StudyError, match="3 died over the same segment"):
        executor.next_result()


def test_an_error_in_a_worker_is_raised_by_the_driver(executor):
    executor.submit(segment(data=Handle(n_train=10)))

    with pytest.raises(ModelError, match="training set's 10 samples"):
        executor.next_result()
    executor.submit(segment())
    assert executor.next_result().key == "a"


def test_data_that_workers_lack_are_sent_once(cluster, executor, samples, tmp_path):
    spec = DataSpec(str(samples))
    data = prepare(spec)
    # As on another machine: neither the driver's cache nor the file is there.
    elsewhere = replace(
        data, folder=tmp_path / "nowhere", spec=DataSpec(str(tmp_path / "nowhere.npz"))
    )
    plan = replace(
        segment().plan, network=replace(segment().plan.network, n_features=data.n_features)
    )
    with InlineExecutor() as inline:
        inline.submit(segment(plan=plan, data=data))
        here = inline.next_result()

    for key in "abcd":
        executor.submit(segment(key, plan=plan, data=elsewhere))
    there = [executor.next_result() for _ in "abcd"]

    assert {state_to_bytes(result.state) for result in there} == {state_to_bytes(here.state)}
    assert [line for line in executor.lines if "sent to the cluster once" in line]
    assert len(executor.lines) == 1
    kept = {path.name for path in (cluster.cache / "prepared" / data.key).iterdir()}
    assert kept == {path.name for path in data.folder.iterdir()}
