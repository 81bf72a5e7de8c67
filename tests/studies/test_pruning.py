"""Halving: the same decisions whatever the order, none of them against a trial that is tied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.db import repository
from coarsefine.models.cohort import initial_state, pruned, state_to_bytes
from coarsefine.models.training import train
from coarsefine.studies.planning import runs
from coarsefine.studies.planning.pruning import rungs, tie_margin, to_stop
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running.watching import StoppedByRequest
from tests.models.samples import made_up
from tests.models.test_training import plan_of
from tests.studies.conftest import Recorder, comparable

ACCURACIES = st.dictionaries(st.text("abcdef", min_size=1), st.floats(0, 1), max_size=30)


@given(accuracies=ACCURACIES, n_measured=st.integers(10, 10**5))
def test_at_most_half_are_stopped_and_never_the_best_or_one_tied_with_it(accuracies, n_measured):
    stopped = to_stop(accuracies, 3, n_measured)

    assert len(stopped) <= len(accuracies) / 2
    if accuracies:
        best = max(accuracies.values())
        kept = [value for name, value in accuracies.items() if name not in stopped]
        assert best in kept
        for name in stopped:
            value = accuracies[name]
            assert best - value > tie_margin(best, value, n_measured)
            assert value <= np.median(list(accuracies.values()))


@given(accuracies=ACCURACIES, data=st.data())
def test_the_order_of_trials_decides_nothing(accuracies, data):
    other = dict(data.draw(st.permutations(list(accuracies.items()))))

    assert to_stop(other, 1, 1000) == to_stop(accuracies, 1, 1000)


@given(n_epochs=st.integers(1, 1000))
def test_rungs_lie_within_the_training(n_epochs):
    assert list(rungs(n_epochs)) == sorted(set(rungs(n_epochs)))
    assert all(0 < rung < n_epochs for rung in rungs(n_epochs))


def test_ended_trials_leave_the_others_training_as_if_alone():
    plan, data = plan_of(optimizer="momentum"), made_up()
    state = train(plan, initial_state(plan), data, 2)[0]
    before = state_to_bytes(state)

    fewer = pruned(state, {1, 6, 7})

    assert state_to_bytes(state) == before
    assert fewer.slots == (0, 2, 3, 4, 5)
    assert {slot: done.outcome for slot, done in fewer.finished.items()} == dict.fromkeys(
        (1, 6, 7), "pruned"
    )
    rest, whole = train(plan, fewer, data, 99)[0], train(plan, state, data, 99)[0]
    for slot in fewer.slots:
        # Other shapes sum in another order; see the trainer's tests for the tolerance.
        np.testing.assert_allclose(
            rest.finished[slot].parameters.weights[0],
            whole.finished[slot].parameters.weights[0],
            atol=1e-9,
        )
    assert pruned(fewer, {1, 6}) is fewer


# Values past 0.3 leave next to nothing of the weights.
WIDE = StageRequest(n_trials=10, low=1e-4, high=9.0, prune="halving")
LONG = {"training__epochs": 16, "training__eta": 0.05}


def test_bad_trials_are_stopped_and_the_best_are_the_same(bench):
    whole = bench.coarse(StageRequest(n_trials=10, low=1e-4, high=9.0), name="whole", **LONG)
    halved = bench.coarse(WIDE, name="halved", **LONG)

    expected = [trial.params for trial in bench.ranking(whole.study).trials[:3]]
    trials = bench.ranking(halved.study).trials
    assert [trial.params for trial in trials[:3]] == expected
    stopped = [trial for trial in trials if trial.state == "pruned"]
    assert 1 <= len(stopped) <= 8
    runs = {run.trial_id: run for run in repository.run_rows(bench.database, halved.study)}
    rows = {row.uuid: row for row in repository.trial_rows(bench.database, halved.study)}
    for trial in stopped:
        assert trial.rank is None
        assert runs[rows[trial.uuid].id].epochs in rungs(16)


def test_optuna_hears_of_pruned_trials(bench):
    import optuna

    bench.coarse(WIDE, name="halved", **LONG)

    seen = optuna.load_study(study_name="halved/coarse", storage=f"sqlite:///{bench.path}")
    states = [trial.state.name for trial in seen.trials]
    assert {"COMPLETE", "PRUNED"} == set(states)


# `make faults` stops at many more places.
@pytest.mark.parametrize(
    "stop_after",
    [pytest.param(n, marks=() if n == 5 else pytest.mark.slow) for n in (1, 2, 3, 4, 5, 7)],
)
def test_a_halved_search_that_was_stopped_ends_as_one_that_was_not(bench, monkeypatch, stop_after):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    monkeypatch.setattr(runs, "n_cores", lambda: 2)
    expected = comparable(bench.ranking(bench.coarse(WIDE, name="whole", **LONG).study))

    with pytest.raises(StoppedByRequest):
        bench.coarse(
            WIDE, name="s", means=bench.means(observer=Recorder(stop_after=stop_after)), **LONG
        )
    resumed = bench.coarse(WIDE, name="s", **LONG)

    assert {**comparable(bench.ranking(resumed.study)), "study": "whole"} == expected
