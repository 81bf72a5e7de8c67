"""Which kernel a search trains with: planned from what it saves, stored, and kept to."""

import os
import sys

import pytest

from coarsefine.db import repository
from coarsefine.models.kernels.choice import COMPILED
from coarsefine.models.kernels.codes import OPTIMIZER_CODES
from coarsefine.models.specs import NetworkSpec, TrainingSpec
from coarsefine.studies.planning import kernels
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.planning.kernels import (
    NOTHING_SAVED,
    Saving,
    missing_note,
    planned_kernel,
    saving,
)
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running import resources as means
from coarsefine.studies.running.watching import StoppedByRequest
from tests.studies.conftest import Recorder, comparable, refused

# Shared by all processes of the tests: what is compiled once is there for all.
SHARED_CACHE = os.environ.get("SEARCH_CACHE_DIR", "")
LINEAR = {"network__hidden": (), "training__precision": "float64"}
FEW = StageRequest(values=(1e-4, 1e-2, 1.0))
MNIST = NetworkSpec(784, (), 10)


class Sparse:
    """Data of which only the density matters here."""

    n_train = 50_000

    def __hash__(self):
        return 0


@pytest.fixture(params=COMPILED)
def compiling(monkeypatch, request):
    """Have even the smallest search compiled by one of the kernels, if it claims it."""
    monkeypatch.setattr(kernels, "START_SECONDS", dict.fromkeys(COMPILED, -1.0))
    monkeypatch.setattr(kernels, "COMPILED", (request.param,))
    monkeypatch.setenv("SEARCH_CACHE_DIR", SHARED_CACHE)
    return request.param


def stored_kernels(bench, search):
    plan = repository.load_plan(bench.database, bench.last_stage(search))
    return {plan_from_json(cohort.plan).kernel for cohort in plan.cohorts}


def test_a_short_search_waits_for_no_compiler_and_looks_at_no_data():
    training = TrainingSpec(100, 6_000)

    # W2: two seconds of updates.
    assert saving(MNIST, training, None, [4, 4], 2) == NOTHING_SAVED
    assert planned_kernel(NOTHING_SAVED) == "numpy"


def test_a_new_optimizer_is_left_to_the_reference_and_needs_no_costs(monkeypatch):
    training = TrainingSpec(100, 10**7, optimizer="adam")
    network = NetworkSpec(784, (50,), 10)
    assert saving(network, training, None, [4], 1).kernel == "dense-3"

    # As one is of which the compiled kernels know nothing.
    monkeypatch.delitem(OPTIMIZER_CODES, "adam")
    monkeypatch.setattr(kernels, "reference_passes", None)
    assert saving(network, training, None, [4], 1) == NOTHING_SAVED


def test_a_long_search_of_sparse_samples_is_compiled_and_one_of_dense_samples_is_not(monkeypatch):
    batches, single = TrainingSpec(100, 60_000), TrainingSpec(1, 10**6)

    def planned(training, data):
        return planned_kernel(saving(MNIST, training, data, [4, 4], 2))

    monkeypatch.setattr(kernels, "_density", lambda data: 0.2)
    assert planned(batches, Sparse()) == planned(single, Sparse()) == "sparse-3"
    monkeypatch.setattr(kernels, "_density", lambda data: 1.0)
    assert planned(batches, Sparse()) != "sparse-3"
    # Sparse rows that no worker should hold beside its samples.
    monkeypatch.setattr(kernels, "_density", lambda data: 0.2)
    large = Sparse()
    large.n_train = 10**6
    assert planned(single, large) != "sparse-3"


def test_hidden_layers_are_compiled_where_python_or_the_optimizer_takes_the_time():
    network = NetworkSpec(784, (128, 128), 10)

    def planned(network, *training, **kinds):
        return planned_kernel(saving(network, TrainingSpec(*training, **kinds), None, [4, 4], 2))

    assert planned(network, 1, 10**6, optimizer="adam") == "dense-3"
    assert planned(network, 100, 10**5, optimizer="adam") == "dense-3"
    assert planned(NetworkSpec(64, (50,), 10), 20, 10**6) == "dense-3"
    assert planned(NetworkSpec(64, (50,), 10), 20, 10**4) == "numpy"
    assert planned(NetworkSpec(3072, (300,), 10), 1000, 10**6) == "numpy"


def test_usual_searches_are_planned_with_the_reference(bench):
    assert stored_kernels(bench, bench.coarse(FEW)) == {"numpy"}
    assert stored_kernels(bench, bench.coarse(FEW, name="linear", **LINEAR)) == {"numpy"}


def test_a_compiled_search_that_was_stopped_ends_as_one_that_was_not(bench, monkeypatch, compiling):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    whole = bench.coarse(FEW, name="whole", **LINEAR)
    with pytest.raises(StoppedByRequest):
        bench.coarse(FEW, name="stopped", means=bench.means(observer=Recorder(1)), **LINEAR)
    # What is planned is trained as it was planned.
    monkeypatch.setattr(kernels, "START_SECONDS", dict.fromkeys(COMPILED, 1e9))

    resumed = bench.coarse(FEW, name="stopped", **LINEAR)

    assert stored_kernels(bench, whole) == stored_kernels(bench, resumed) == {compiling}
    found = comparable(bench.ranking(resumed.study))
    assert {**found, "study": "whole"} == comparable(bench.ranking(whole.study))


@pytest.mark.slow
def test_two_processes_end_with_the_same_bits_as_one(bench, monkeypatch, compiling):
    monkeypatch.setattr(means, "SMALL_SECONDS", 0.0)
    one = bench.coarse(FEW, name="one", means=bench.means(n_jobs=1, planned_for=2), **LINEAR)
    two = bench.coarse(FEW, name="two", means=bench.means(n_jobs=2, planned_for=2), **LINEAR)

    assert stored_kernels(bench, two) == {compiling}
    alone = comparable(bench.ranking(one.study))
    assert {**comparable(bench.ranking(two.study)), "study": "one"} == alone


def test_the_compiled_kernel_and_the_reference_end_with_the_same_ranking(
    bench, monkeypatch, compiling
):
    compiled = bench.coarse(FEW, name="compiled", **LINEAR)
    monkeypatch.setattr(kernels, "START_SECONDS", dict.fromkeys(COMPILED, 1e9))
    usual = bench.coarse(FEW, name="usual", **LINEAR)

    pairs = zip(
        bench.ranking(compiled.study).trials, bench.ranking(usual.study).trials, strict=True
    )
    for ours, theirs in pairs:
        assert ours.params == theirs.params
        assert ours.validation_accuracy == theirs.validation_accuracy


def test_without_numba_the_reference_serves_and_one_line_says_so(bench, monkeypatch, compiling):
    monkeypatch.setitem(sys.modules, "numba", None)
    observer = Recorder()

    search = bench.coarse(FEW, means=bench.means(observer=observer), **LINEAR)

    assert stored_kernels(bench, search) == {"numpy"}
    (line,) = [line for line in observer.lines if "numba" in str(line)]
    assert "s longer than it needs to: numba cannot be imported (ModuleNotFoundError" in line
    assert planned_kernel(Saving("sparse-3", 10.0)) == "numpy"
    assert missing_note(-1.0) is None


def test_without_numba_a_study_that_needs_it_is_refused_in_a_line(bench, monkeypatch, compiling):
    stopping = bench.means(observer=Recorder(0))
    with pytest.raises(StoppedByRequest):
        bench.coarse(FEW, name="begun", means=stopping, **LINEAR)
    monkeypatch.setitem(sys.modules, "numba", None)

    with refused(f"planned with the compiled kernel {compiling}, and numba cannot be imported"):
        bench.coarse(FEW, name="begun", **LINEAR)
