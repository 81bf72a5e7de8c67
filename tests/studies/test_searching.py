"""Searches on a small file: what is planned, trained, told and refused."""

import sys

import numpy as np
import optuna
import pytest

from coarsefine.db import repository
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running import loop as running
from coarsefine.studies.running import resources as means
from coarsefine.studies.running import search as searching
from coarsefine.studies.running.watching import NullObserver, StoppedByRequest
from tests.studies.conftest import Recorder, comparable, refused

FEW = StageRequest(values=(1e-4, 1e-2, 1.0))


def test_a_coarse_search_tries_the_usual_grid(bench):
    done = bench.coarse()

    ranking = bench.ranking(done.study)
    assert done.study.name == "blobs/lambda"
    assert [trial.rank for trial in ranking.trials] == list(range(1, 9))
    values = sorted(trial.params["lambda"] for trial in ranking.trials)
    np.testing.assert_allclose(values, np.logspace(-5, -1, 8), rtol=1e-9)
    accuracies = [trial.validation_accuracy for trial in ranking.trials]
    assert accuracies == sorted(accuracies, reverse=True)


def test_a_fine_search_looks_in_a_narrower_window_of_the_coarse_one(bench):
    study = bench.coarse().study

    bench.fine(study)

    coarse, fine = bench.ranking(study).stages
    assert (fine.name, fine.parent) == ("fine", "coarse")
    assert np.log10(fine.high / fine.low) < np.log10(coarse.high / coarse.low)
    assert len(fine.values) == 8
    assert not set(fine.values) & set(coarse.values)
    assert all(fine.low <= value <= fine.high for value in fine.values)


def test_optuna_sees_what_the_ranking_says(bench):
    study = bench.coarse().study
    bench.fine(study)

    storage = f"sqlite:///{bench.path}"
    ranked = bench.ranking(study).trials
    for stage in ("coarse", "fine"):
        seen = optuna.load_study(study_name=f"blobs/lambda/{stage}", storage=storage)
        ours = {trial.trial: trial for trial in ranked if trial.stage == stage}
        assert len(seen.trials) == len(ours) == 8
        for trial in seen.trials:
            assert trial.state.name == "COMPLETE"
            assert trial.params == ours[trial.number].params
            assert trial.value == ours[trial.number].validation_accuracy
            assert trial.intermediate_values[4] == trial.value
        assert seen.best_trial.value == max(t.validation_accuracy for t in ours.values())


# `make faults` stops at many more places.
@pytest.mark.parametrize(
    ("sampler", "stop_after"),
    [
        pytest.param(sampler, after, marks=() if after in quick else pytest.mark.slow)
        for sampler, quick in (("grid", {2}), ("tpe", {1}))
        for after in range(4)
    ],
)
def test_a_search_that_was_stopped_ends_as_one_that_was_not(
    bench, tmp_path, samples, monkeypatch, sampler, stop_after
):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    request = StageRequest(n_trials=10, sampler=sampler)
    expected = comparable(bench.ranking(bench.coarse(request, name="whole").study))

    stopping = bench.means(observer=Recorder(stop_after=stop_after))
    with pytest.raises(StoppedByRequest):
        bench.coarse(request, name="stopped", means=stopping)
    resumed = bench.coarse(request, name="stopped")

    found = comparable(bench.ranking(resumed.study))
    assert {**found, "study": "whole"} == expected


def test_two_processes_end_with_the_same_bits_as_one(bench, monkeypatch):
    monkeypatch.setattr(means, "SMALL_SECONDS", 0.0)

    one = bench.coarse(FEW, name="one", means=bench.means(n_jobs=1))
    two = bench.coarse(FEW, name="two", means=bench.means(n_jobs=2))

    alone = comparable(bench.ranking(one.study))
    assert {**comparable(bench.ranking(two.study)), "study": "one"} == alone


def test_running_again_changes_nothing_and_more_trials_top_it_up(bench):
    study = bench.coarse(StageRequest(n_trials=4)).study
    before = comparable(bench.ranking(study))

    bench.coarse()
    assert comparable(bench.ranking(study)) == before
    bench.coarse(StageRequest(n_trials=6))

    after = comparable(bench.ranking(study))
    assert len(after["trials"]) == 6
    assert {t["trial"] for t in after["trials"]} == set(range(6))
    assert set(before["stages"][0]["values"]) < set(after["stages"][0]["values"])


def test_more_values_may_be_named_later(bench):
    study = bench.coarse(FEW).study

    bench.coarse(StageRequest(values=(1e-4, 3e-3)))

    bench.coarse(StageRequest(values=(1e-5,)))
    (stage,) = bench.ranking(study).stages
    assert stage.values == [1e-5, 1e-4, 3e-3, 1e-2, 1.0]
    assert (stage.low, stage.high) == (1e-5, 1.0)


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_samplers_propose_within_the_range_and_never_twice(bench, sampler):
    study = bench.coarse(StageRequest(n_trials=10, sampler=sampler, low=1e-4, high=1e-2)).study

    values = bench.ranking(study).stages[0].values
    assert len(set(values)) == 10
    assert 1e-4 <= min(values) < max(values) <= 1e-2


def test_zero_is_a_value_like_any_other(bench):
    study = bench.coarse(StageRequest(values=(0.0, 1e-2))).study

    assert bench.ranking(study).stages[0].values == [0.0, 1e-2]
    bench.fine(study, StageRequest(n_trials=2))


def test_replicates_share_their_seeds_and_are_averaged(bench):
    study = bench.coarse(StageRequest(values=(1e-3, 1e-2), replicates=3)).study

    runs = repository.run_rows(bench.database, study)
    for trial in bench.ranking(study).trials:
        assert trial.replicates == 3
    assert sorted((run.trial_id, run.replicate) for run in runs) == [
        (trial, replicate) for trial in (1, 2) for replicate in range(3)
    ]
    best = bench.ranking(study).best
    rows = repository.trial_rows(bench.database, study)
    (trial_id,) = [row.id for row in rows if row.uuid == best.uuid]
    accuracies = [run.validation_accuracy for run in runs if run.trial_id == trial_id]
    assert best.validation_accuracy == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert best.standard_deviation == pytest.approx(np.std(accuracies, ddof=1), abs=1e-12)


def test_every_epoch_of_every_run_is_stored(bench):
    study = bench.coarse(FEW).study

    rows = repository.epoch_rows(bench.database, study=study)

    assert sorted((row.run_id, row.epoch) for row in rows) == [
        (run, epoch) for run in (1, 2, 3) for epoch in range(5)
    ]
    for row in rows:
        assert row.train_cost >= row.train_loss > 0
        assert row.eta == 0.05


def test_a_diverging_trial_is_ranked_last_and_told_so(bench):
    study = bench.coarse(StageRequest(values=(1e-3, 1e4)), training__eta=0.5).study

    first, last = bench.ranking(study).trials
    assert (first.state, first.rank) == ("complete", 1)
    assert (last.state, last.rank, last.validation_accuracy) == ("diverged", None, None)
    seen = optuna.load_study(study_name="blobs/lambda/coarse", storage=f"sqlite:///{bench.path}")
    assert seen.trials[1].state.name == "FAIL"
    assert seen.trials[1].user_attrs["state"] == "diverged"


def test_the_score_is_the_best_epochs_where_the_recipe_says_so(bench):
    study = bench.coarse(FEW, training__score="best", training__epochs=12).study

    runs = {run.id: run for run in repository.run_rows(bench.database, study)}
    rows = repository.epoch_rows(bench.database, study=study)
    for run_id, run in runs.items():
        curve = {row.epoch: row.validation_accuracy for row in rows if row.run_id == run_id}
        del curve[0]
        assert run.validation_accuracy == max(curve.values()) == curve[run.best_epoch]


@pytest.mark.parametrize("killed_in", ["set_numbers", "mark_told"])
def test_a_kill_when_optuna_has_the_stage_and_we_do_not_know_it_is_mended(
    bench, monkeypatch, killed_in
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(repository, killed_in, killed)
        with pytest.raises(KeyboardInterrupt):
            bench.coarse(FEW)
    theirs = optuna.load_study(study_name="blobs/lambda/coarse", storage=f"sqlite:///{bench.path}")
    before = theirs.get_trials()

    done = bench.coarse(FEW)

    assert theirs.get_trials() == before
    assert [trial.state.name for trial in before] == ["COMPLETE"] * 3
    plan = repository.load_plan(bench.database, bench.last_stage(done))
    assert [(trial.number, trial.told) for trial in plan.trials] == [(i, True) for i in range(3)]


def test_a_fine_search_without_a_coarse_one_names_the_command(bench, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(searching, "add_stage", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.coarse(name="empty")
    study = repository.find_study(bench.database, "empty")

    with refused("search lambda --coarse --study empty"):
        bench.fine(study)


def test_a_fine_search_waits_for_the_coarse_one(bench, monkeypatch):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    with pytest.raises(StoppedByRequest):
        bench.coarse(means=bench.means(observer=Recorder(stop_after=1)))
    study = repository.latest_study(bench.database)

    with pytest.raises(StudyError, match="8 of its 8 trials are not"):
        bench.fine(study)


def test_flags_that_contradict_the_recipe_are_shown(bench):
    study = bench.coarse(FEW).study

    with pytest.raises(StudyError, match=r"(?s)another recipe.*training\.epochs: 4 there, 5"):
        bench.fine(study, flags={"training.epochs": 5})
    with pytest.raises(StudyError, match=r"network\.hidden"):
        bench.coarse(FEW, network__hidden=(7,))
    assert len(repository.stages(bench.database, study)) == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (StageRequest(low=1e-3), r"--low: 1e-05 there, 0.001 asked for"),
        (StageRequest(sampler="tpe"), r"--sampler: grid there, tpe asked for"),
        (StageRequest(values=(0.0, 1.0)), r"0 has no place on the log scale"),
    ],
)
def test_a_stage_that_was_begun_otherwise_is_left_alone(bench, request_, message):
    study = bench.coarse(StageRequest(n_trials=2)).study
    before = comparable(bench.ranking(study))

    with refused(message):
        bench.coarse(request_)

    assert comparable(bench.ranking(study)) == before


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [(1e-9, 1e-8, "must hold the best coarse value"), (1e-9, 1e3, "must be narrower")],
)
def test_a_fine_range_of_ones_own_holds_the_best_and_is_narrower(bench, low, high, message):
    study = bench.coarse(StageRequest(n_trials=4)).study

    with pytest.raises(StudyError, match=message):
        bench.fine(study, StageRequest(low=low, high=high))


def test_other_data_under_the_same_name_are_noticed(bench, samples):
    study = bench.coarse(FEW).study
    with np.load(samples) as archive:
        arrays = dict(archive)
    arrays["x_train"][0, 0] += 1
    np.savez(samples, **arrays)

    with pytest.raises(StudyError, match="begun with other data"):
        bench.fine(study)


def test_nothing_is_written_for_a_recipe_that_cannot_be_trained(bench):
    with pytest.raises(StudyError, match="batch size must be <="):
        bench.coarse(training__batch_size=10_000)

    assert repository.list_studies(bench.database) == []


def test_a_second_driver_of_the_same_study_is_refused(bench):
    from coarsefine.db.connections.lock import StudyLock
    from coarsefine.db.errors import StorageError

    study = bench.coarse(FEW).study
    with (
        StudyLock(bench.database, study.uuid),
        pytest.raises(StorageError, match="driven by process"),
    ):
        bench.coarse(FEW)


def test_tpe_learns_within_the_usual_number_of_trials(bench):
    learnt = bench.coarse(StageRequest(n_trials=8, sampler="tpe"), name="tpe").study
    drawn = bench.coarse(StageRequest(n_trials=8, sampler="random"), name="random").study

    values = [bench.ranking(study).stages[0].values for study in (learnt, drawn)]
    assert values[0] != values[1]
    proposed = [trial.params["lambda"] for trial in bench.ranking(learnt).trials]
    assert len(set(proposed)) == 8


def test_a_study_goes_on_with_a_file_that_was_moved(bench, samples):
    study = bench.coarse(FEW).study
    moved = samples.rename(samples.with_name("moved.npz"))

    with refused(r"(?s)found no .*blobs\.npz.*--data FILE"):
        bench.fine(study)
    bench.fine(study, StageRequest(n_trials=2), flags={"data.name": str(moved)})

    study = repository.find_study(bench.database, study.name)
    assert study.recipe["data"]["name"] == str(moved)
    assert len(bench.ranking(study).stages) == 2
    bench.fine(study)


class Impatient(NullObserver):
    """Wants to stop before the first training, while Optuna hears of the trials."""

    def __init__(self):
        self.asked = 0

    @property
    def stop_requested(self):
        self.asked += 1
        return self.asked > 3


def test_a_search_stops_while_its_trials_are_told_to_optuna_and_is_carried_on(bench, monkeypatch):
    request = StageRequest(n_trials=6)
    monkeypatch.setattr(running, "SMALL_SECONDS", 0)
    with pytest.raises(StoppedByRequest):
        bench.coarse(request, means=bench.means(observer=Impatient()))
    study = repository.latest_study(bench.database)
    assert [trial.state for trial in bench.ranking(study).trials] == ["planned"] * 6

    bench.coarse(request)

    trials = bench.ranking(study).trials
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert sorted(trial.trial for trial in trials) == list(range(6))


def test_what_is_sooner_trained_than_seen_is_written_to_optuna_with_its_end(bench, monkeypatch):
    told = []
    finish = OptunaStage.end
    monkeypatch.setattr(OptunaStage, "end", lambda *args: (told.append(args), finish(*args)))

    search = bench.coarse(StageRequest(n_trials=3))

    assert told == []
    optunas = optuna.load_study(
        study_name="blobs/lambda/coarse", storage=f"sqlite:///{bench.path}"
    ).trials
    assert [trial.state.name for trial in optunas] == ["COMPLETE"] * 3
    accuracies = {
        t.params["lambda"]: t.validation_accuracy for t in bench.ranking(search.study).trials
    }
    for trial in optunas:
        assert trial.value == accuracies[trial.params["lambda"]]
        assert {"validation_loss", "train_accuracy", "seconds", "uuid"} <= set(trial.user_attrs)
        assert trial.intermediate_values[max(trial.intermediate_values)] == trial.value


def test_a_gaussian_process_without_pytorch_is_one_line(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(StudyError, match="needs PyTorch, which is not installed; get it with"):
        bench.coarse(StageRequest(n_trials=3, sampler="gp"))
