"""The other searches: η, several parameters, grids of values, and what is taken over."""

import numpy as np
import optuna
import pytest

from coarsefine.db import repository
from coarsefine.search.hints import spelled
from coarsefine.studies.errors import RecipeError, StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running.final.test import final_test
from coarsefine.studies.running.watching import StoppedByRequest
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.studies.conftest import Recorder, comparable

ETA, LAMBDA_ETA = SEARCHES["eta"], SEARCHES["lambda-eta"]
BATCH_SIZE, DATASET_SIZE, HIDDEN = (
    SEARCHES["batch-size"],
    SEARCHES["dataset-size"],
    SEARCHES["hidden"],
)


def runs(bench, study):
    return repository.run_rows(bench.database, study)


def _trials(bench, study):
    return comparable(bench.ranking(study))["trials"]


def test_an_eta_search_makes_the_schedule_constant_and_refuses_a_cyclical_one(bench):
    del bench.flags["training.eta"]

    study = bench.coarse(StageRequest(n_trials=4), kind=ETA).study

    assert study.recipe["training"]["schedule"] == "constant"
    with pytest.raises(RecipeError) as refusal:
        bench.coarse(kind=ETA, name="other", training__eta_max=0.1)
    assert "needs --schedule constant, step" in spelled(refusal.value)


def test_etas_that_diverge_are_shown_and_bound_the_fine_window(bench):
    del bench.flags["training.eta"]
    study = bench.coarse(StageRequest(values=(0.01, 0.1, 1.0, 1e4)), kind=ETA).study

    bench.fine(study, StageRequest(n_trials=4), kind=ETA)

    ranking = bench.ranking(study)
    diverged = [trial for trial in ranking.trials if trial.state == "diverged"]
    assert 1e4 in [trial.params["eta"] for trial in diverged]
    assert ranking.stages[1].high < 1e4


def test_two_parameters_are_searched_on_one_grid_and_both_narrowed(bench):
    del bench.flags["training.eta"]
    study = bench.coarse(StageRequest(n_trials=9), kind=LAMBDA_ETA).study
    bench.fine(study, StageRequest(n_trials=4), kind=LAMBDA_ETA)

    trials = bench.ranking(study).trials
    coarse = [t.params for t in trials if t.stage == "coarse"]
    fine = [t.params for t in trials if t.stage == "fine"]
    assert len(coarse) == 9
    assert {p["lambda"] for p in coarse} == {1e-5, 1e-3, 1e-1}
    assert 1 <= len(fine) <= 4
    seen = optuna.load_study(
        study_name=f"{study.name}/coarse", storage=f"sqlite:///{bench.path}"
    ).trials
    assert [t.params for t in seen] == [
        t.params for t in sorted(trials, key=lambda t: t.trial) if t.stage == "coarse"
    ]


def test_all_trials_of_two_numbers_are_trained_as_one(bench):
    del bench.flags["training.eta"]
    stage = bench.last_stage(bench.coarse(StageRequest(n_trials=4), kind=LAMBDA_ETA))

    cohorts = repository.load_plan(bench.database, stage).cohorts
    assert len(cohorts) <= 2
    assert sum(len(c.plan["trials"]) for c in cohorts) == 4


def test_batch_sizes_are_timed_one_after_another_and_named_too_large(bench):
    study = bench.coarse(StageRequest(values=(10, 100)), kind=BATCH_SIZE).study

    (stage,) = repository.stages(bench.database, study)
    cohorts = repository.load_plan(bench.database, stage).cohorts
    assert [c.plan["training"]["batch_size"] for c in cohorts] == [10, 100]
    assert [len(c.plan["trials"]) for c in cohorts] == [1, 1]
    with pytest.raises(RecipeError, match="batch size must be <= the training set's 240 samples"):
        bench.coarse(StageRequest(values=(10, 1000)), kind=BATCH_SIZE, name="large")
    assert repository.find_study(bench.database, "large") is None


def test_a_timed_grid_that_is_repeated_gives_the_same_bits(bench):
    request = StageRequest(values=(10, 100), fresh=True)

    first, *others = [
        _trials(bench, bench.coarse(request, kind=BATCH_SIZE, name=f"again-{i}").study)
        for i in range(3)
    ]

    assert all(other == first for other in others)


def test_equal_updates_are_equal(bench):
    request = StageRequest(values=(10, 100), equal="updates")

    study = bench.coarse(request, kind=BATCH_SIZE, training__batch_size=20).study

    assert {run.updates for run in runs(bench, study)} == {48}


def test_usual_values_that_are_more_than_there_are_samples_are_left_out(bench):
    study = bench.coarse(kind=BATCH_SIZE, name="usual").study

    tried = sorted(trial.params["batch_size"] for trial in bench.ranking(study).trials)
    assert tried == [1, 10, 100]


def test_data_set_sizes_train_on_so_many_samples_and_validate_on_the_same(bench):
    request = StageRequest(values=(50, 200), replicates=2)

    study = bench.coarse(request, kind=DATASET_SIZE, training__batch_size=10).study

    by_size = {t.params["train"]: t for t in bench.ranking(study).trials}
    assert by_size.keys() == {50, 200}
    assert sorted({run.updates for run in runs(bench, study)}) == [20, 80]
    (stage,) = repository.stages(bench.database, study)
    keys = {c.plan["data"]["key"] for c in repository.load_plan(bench.database, stage).cohorts}
    assert len(keys) == 4  # two draws of each size


def test_hidden_layers_of_any_number_are_compared(bench):
    study = bench.coarse(StageRequest(values=((4,), (4, 4), ())), kind=HIDDEN).study

    tried = [trial.params["hidden"] for trial in bench.ranking(study).trials]
    assert sorted(tried) == [[], [4], [4, 4]]
    seen = optuna.load_study(
        study_name=f"{study.name}/grid", storage=f"sqlite:///{bench.path}"
    ).trials
    assert sorted(trial.params["hidden"] for trial in seen) == ["4", "4-4", "none"]
    with pytest.raises(StudyError, match="hidden: 4, 4-4, none there, 8 asked for, too"):
        bench.coarse(StageRequest(values=((8,),)), kind=HIDDEN)
    with pytest.raises(StudyError, match="has one stage"):
        bench.fine(study, kind=HIDDEN)


@pytest.mark.parametrize("kind", [BATCH_SIZE, DATASET_SIZE], ids=lambda kind: kind.name)
def test_a_grid_that_was_stopped_ends_as_one_that_was_not(bench, monkeypatch, kind):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    request = StageRequest(values=(20, 50), alone=False)
    expected = comparable(bench.ranking(bench.coarse(request, kind=kind, name="whole").study))

    with pytest.raises(StoppedByRequest):
        bench.coarse(
            request, kind=kind, name="stopped", means=bench.means(observer=Recorder(stop_after=2))
        )
    resumed = bench.coarse(request, kind=kind, name="stopped")

    found = comparable(bench.ranking(resumed.study))
    assert {**found, "study": "whole"} == expected


def test_stages_go_on_being_narrowed(bench):
    study = bench.coarse().study
    for name in ("fine", "finer", "finer-2"):
        bench.fine(study, StageRequest(n_trials=3), stage_name=name)

    stages = bench.ranking(study).stages
    assert [(s.name, s.parent) for s in stages] == [
        ("coarse", None),
        ("fine", "coarse"),
        ("finer", "fine"),
        ("finer-2", "finer"),
    ]
    widths = [np.log10(s.high / s.low) for s in stages]
    assert widths == sorted(widths, reverse=True)


def test_a_finer_search_waits_for_the_fine_one(bench):
    study = bench.coarse().study

    with pytest.raises(StudyError, match="has no fine trials"):
        bench.fine(study, stage_name="finer")


# ------------------------------------------------------------------------------ taking runs over


def test_what_was_trained_before_is_taken_over_in_another_study(bench):
    first = bench.coarse(StageRequest(values=(1e-3, 1e-2)), name="first").study
    recorder = Recorder()

    second = bench.coarse(
        StageRequest(values=(1e-3, 1e-1)),
        name="second",
        fresh=False,
        means=bench.means(observer=recorder),
    ).study

    old = {t.params["lambda"]: t for t in bench.ranking(first).trials}
    new = {t.params["lambda"]: t for t in bench.ranking(second).trials}
    by_key = {run.recipe_key: run for run in runs(bench, first)}
    reused = [run for run in runs(bench, second) if run.reused_from is not None]
    assert [run.reused_from for run in reused] == [by_key[reused[0].recipe_key].id]
    assert new[1e-3].validation_accuracy == old[1e-3].validation_accuracy
    assert sum(progress.n_trials for progress in recorder.heard[-1:]) == 1
    curves = [
        repository.epoch_rows(bench.database, run_ids=[i])
        for i in (reused[0].id, reused[0].reused_from)
    ]
    assert [row[1:] for row in curves[0]] == [row[1:] for row in curves[1]]


def test_a_study_all_of_which_was_trained_before_trains_nothing(bench):
    first = bench.coarse(name="first").study
    recorder = Recorder()

    second = bench.coarse(name="second", fresh=False, means=bench.means(observer=recorder)).study

    assert not recorder.heard
    expected = comparable(bench.ranking(first))
    found = comparable(bench.ranking(second))
    assert [t["validation_accuracy"] for t in found["trials"]] == [
        t["validation_accuracy"] for t in expected["trials"]
    ]
    seen = optuna.load_study(study_name="second/coarse", storage=f"sqlite:///{bench.path}").trials
    assert [trial.state.name for trial in seen] == ["COMPLETE"] * 8


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"network__hidden": (7,)}, {"training__epochs": 5}, {"training__momentum": 0.5}],
)
def test_nothing_is_taken_over_from_another_recipe(bench, other):
    bench.coarse(StageRequest(values=(1e-3,)), name="first")

    second = bench.coarse(StageRequest(values=(1e-3,)), name="second", fresh=False, **other).study

    assert all(run.reused_from is None for run in runs(bench, second))


def test_times_measured_among_others_are_not_taken_over(bench):
    bench.coarse(StageRequest(values=(20,), alone=False), kind=BATCH_SIZE, name="together")
    alone = StageRequest(values=(20,))

    first = bench.coarse(alone, kind=BATCH_SIZE, name="first", fresh=False).study
    second = bench.coarse(alone, kind=BATCH_SIZE, name="second", fresh=False).study

    assert [run.reused_from is None for run in runs(bench, first)] == [True]
    assert [run.reused_from is None for run in runs(bench, second)] == [False]


def test_more_replicates_train_only_those_that_are_new(bench):
    bench.coarse(StageRequest(values=(1e-3,)), name="one")

    study = bench.coarse(
        StageRequest(values=(1e-3,), replicates=3), name="three", fresh=False
    ).study

    assert [run.reused_from is None for run in runs(bench, study)] == [False, True, True]


def test_the_weights_of_a_trial_that_was_taken_over_can_be_tested(bench):
    bench.coarse(StageRequest(values=(1e-3,)), name="first")
    study = bench.coarse(StageRequest(values=(1e-3,)), name="second", fresh=False).study

    one = final_test(bench.means(), repository.find_study(bench.database, "first"), refit="none")
    other = final_test(bench.means(), study, refit="none")

    assert one.opening.runs[0].test_accuracy == other.opening.runs[0].test_accuracy
