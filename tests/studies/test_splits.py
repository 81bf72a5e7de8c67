"""Studies whose replicates are splits: folds, and random splits that are drawn again."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.db import repository
from coarsefine.models.data import prepare
from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.studies.planning.point_runs import spec_from_json
from coarsefine.studies.planning.races import Race
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.reports.reproduction import reproduction
from coarsefine.studies.results.classes import confusions_of
from coarsefine.studies.results.predictions import outcomes_of
from coarsefine.studies.results.racing import read_race
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.results.scoring.labels import labels_of
from coarsefine.studies.results.scoring.splits import Splits
from coarsefine.studies.running.watching import StoppedByRequest
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.studies.conftest import Recorder, comparable, refused

TWO = StageRequest(values=(1e-4, 1e-2))
FOLDS = {"data__folds": 3}


def runs_of(bench, study):
    """Return which samples each run was trained on and measured by, by trial and replicate."""
    stage = repository.stages(bench.database, study)[0]
    plan = repository.load_plan(bench.database, stage)
    cohorts = {cohort.id: cohort for cohort in plan.cohorts}
    return {
        (run.trial_id, run.replicate): cohorts[run.cohort_id].plan.get("data") for run in plan.runs
    }


def split_of(data):
    """Return the split that a cohort's plan names; the recipe's own has no name there."""
    return None if data is None else spec_from_json(data).split


def test_each_trial_is_trained_once_a_fold_and_all_trials_have_the_same_folds(bench):
    study = bench.coarse(TWO, **FOLDS).study

    runs = runs_of(bench, study)

    assert sorted(replicate for _, replicate in runs) == [0, 0, 1, 1, 2, 2]
    folds = {
        replicate: {split_of(runs[at]) for at in runs if at[1] == replicate}
        for _, replicate in runs
    }
    assert folds[0] == {None}
    assert {split.fold for split in folds[1] | folds[2]} == {1, 2}
    assert all(len(splits) == 1 for splits in folds.values())
    ranking = bench.ranking(study)
    assert {trial.replicates for trial in ranking.trials} == {3}
    assert ranking.comparison.method == "samples"
    assert ranking.comparison.varied.n_splits == 3
    assert ranking.comparison.varied.seeds is None


def test_what_runs_predicted_is_of_the_samples_of_their_fold(bench):
    study = bench.coarse(TWO, **FOLDS).study

    ids = [row.id for row in repository.trial_rows(bench.database, study)]
    accuracies = {
        (run.trial_id, run.replicate): run.validation_accuracy
        for run in repository.run_rows(bench.database, study)
    }
    for trial, outcomes in zip(ids, outcomes_of(bench.database, ids), strict=True):
        for replicate, payload in outcomes.items():
            labels = labels_of(study, replicate)
            found = OutcomeCodec(labels.classes, labels.n_classes).unpack(payload)
            right = float((found.predicted == labels.classes).mean())
            assert right == pytest.approx(accuracies[trial, replicate])


def test_labels_of_a_fold_are_those_of_its_data(bench):
    search = bench.coarse(TWO, **FOLDS)
    study, splits = search.study, Splits.of(search.study)

    for replicate in range(3):
        spec = search.data.spec
        data = prepare(replace(spec, split=replace(spec.split, fold=replicate)))
        labels = labels_of(study, replicate).classes
        assert labels.tolist() == data.open().y_validation.tolist()
        assert len(labels) == splits.n_samples(replicate)
    assert splits.n_split == sum(splits.n_samples(fold) for fold in range(3))


def test_all_samples_are_in_the_confusions_once_a_seed(bench):
    study = bench.coarse(replace(TWO, replicates=2), **FOLDS).study
    ranking = bench.ranking(study)

    (found, _) = confusions_of(bench.database, ranking, ranking.trials)

    n_split = Splits.of(study).n_split
    assert found.counts.sum() == 2 * n_split
    assert sum(row.samples for row in found.rows) == n_split


@pytest.mark.parametrize("by", ["balanced-accuracy", "macro-f1", "loss"])
def test_trials_are_ranked_by_any_metric_over_folds(bench, by):
    study = bench.coarse(TWO, **FOLDS).study

    ranking = read_ranking(bench.database, study, by)

    assert ranking.comparison.method == "samples"
    for trial in ranking.trials:
        low, high = trial.interval
        assert low < ranking.metric.of(trial) < high


def test_more_seeds_a_fold_are_added_and_it_is_as_if_the_study_was_begun_so(bench):
    study = bench.coarse(TWO, **FOLDS).study

    bench.coarse(StageRequest(replicates=2, only="all"), **FOLDS)

    whole = bench.coarse(replace(TWO, replicates=2), name="whole", **FOLDS).study
    topped, begun_so = (comparable(bench.ranking(each)) for each in (study, whole))
    assert topped.pop("study") != begun_so.pop("study")
    assert topped == begun_so
    varied = bench.ranking(study).comparison.varied
    assert (varied.n_splits, varied.n_seeds) == (3, (2, 2))
    assert varied.seeds is not None


def test_a_study_on_folds_that_is_stopped_carries_on_to_the_same_end(bench):
    request = replace(TWO, replicates=2)
    whole = bench.coarse(request, name="whole", **FOLDS).study

    stopping = Recorder(stop_after=2)
    with pytest.raises(StoppedByRequest):
        bench.coarse(request, name="stopped", means=bench.means(observer=stopping), **FOLDS)
    stopped = bench.coarse(request, name="stopped", **FOLDS).study

    one, other = (comparable(bench.ranking(each)) for each in (whole, stopped))
    assert one.pop("study") != other.pop("study")
    assert one == other


def test_later_stages_and_redraws_have_the_splits_of_the_study(bench):
    study = bench.coarse(StageRequest(n_trials=6, replicates=3), data__redraw=True).study
    bench.fine(study, StageRequest(n_trials=2))

    coarse, fine = repository.stages(bench.database, study)

    assert Stage.of(fine).run_options == Stage.of(coarse).run_options
    assert Stage.of(fine).run_options.redraw
    runs = runs_of(bench, study)
    redraws = {at[1]: split_of(runs[at]) for at in runs}
    assert redraws[0] is None
    assert [redraws[i].redraw for i in (1, 2)] == [1, 2]
    trials = bench.ranking(study).trials
    assert {trial.replicates for trial in trials} == {3}


def test_the_first_deal_of_redrawn_folds_is_that_of_folds_and_the_others_are_new(bench):
    study = bench.coarse(replace(TWO, replicates=3), **FOLDS, data__redraw=True).study

    splits = {at[1]: split_of(data) for at, data in runs_of(bench, study).items()}

    assert splits.pop(0) is None
    deals = [(split.redraw, split.fold) for _, split in sorted(splits.items())]
    assert deals == [(seed, fold) for seed in range(3) for fold in range(3)][1:]
    varied = bench.ranking(study).comparison.varied
    assert (varied.n_splits, varied.n_seeds, varied.seeds) == (9, (1, 1), None)


@pytest.mark.parametrize("redraw", [False, True])
def test_values_are_raced_over_folds_and_a_race_that_is_stopped_ends_alike(bench, redraw):
    asked = StageRequest(values=(1e-4, 1e-2, 5.0), race=Race(2, 3, 0.003))
    flags = {**FOLDS, "data__redraw": redraw}
    whole = bench.coarse(asked, name="whole", **flags).study

    stopping = Recorder(stop_after=4)
    with pytest.raises(StoppedByRequest):
        bench.coarse(asked, name="stopped", means=bench.means(observer=stopping), **flags)
    stopped = bench.coarse(asked, name="stopped", **flags).study

    one, other = (bench.ranking(each) for each in (whole, stopped))
    assert {**comparable(one), "study": ""} == {**comparable(other), "study": ""}
    race = Stage.of(repository.stages(bench.database, whole)[0]).race
    assert {t.params["lambda"]: t.replicates for t in one.trials} == {
        1e-4: 3 * race.n_seeds,
        1e-2: 3 * race.n_seeds,
        5.0: 6,
    }
    verdict = next(str(note) for note in one.notes if note.code == "race")
    assert verdict.startswith("race over folds, coarse: ")
    assert verdict.endswith(f"({race.n_seeds} seeds a fold)")
    lanes = {lane.trial.params["lambda"]: lane for lane in read_race(bench.database, one).lanes}
    assert (lanes[5.0].left, len(lanes[5.0].behind)) == (2, 2)


def test_sizes_of_the_training_set_are_tried_on_folds_in_place_of_draws(bench):
    request = StageRequest(values=(40, 80), replicates=2)
    study = bench.coarse(request, kind=SEARCHES["dataset-size"], **FOLDS).study

    runs = runs_of(bench, study)

    splits = {at: split_of(data) for at, data in runs.items()}
    assert {(s.train, s.fold, s.draw) for s in splits.values()} == {
        (size, fold, draw) for size in (40, 80) for fold in range(3) for draw in range(2)
    }
    assert all(trial.interval for trial in bench.ranking(study).trials)


@pytest.mark.parametrize(
    ("request_", "flags", "words"),
    [
        (TWO, {"data__redraw": True}, "--redraw draws a split for each .* add --replicates 10"),
        (replace(TWO, replicates=201), {"data__redraw": True}, "--replicates must be at most 200"),
        (TWO, {"data__folds": 500}, "320 samples outside its test set, got 500 folds"),
        (TWO, {**FOLDS, "data__validation": 0.5}, "--validation needs .*, got folds"),
        (
            replace(TWO, race=Race(2, 67)),
            {**FOLDS, "data__redraw": True},
            "--replicates must be at most 66 where each deals 3 folds, got 67",
        ),
        (TWO, {**FOLDS, "data__split": "ordered"}, "--folds needs --split folds, got ordered"),
        (TWO, {"data__folds": 1}, "--folds must be"),
    ],
)
def test_what_folds_do_not_go_with_is_refused_in_a_line(bench, request_, flags, words):
    with refused(words):
        bench.coarse(request_, **flags)


def test_more_folds_are_another_study(bench):
    bench.coarse(TWO, **FOLDS)

    with refused("begun with another recipe.*\n.*folds: 3 there, 4 asked for"):
        bench.coarse(TWO, data__folds=4)


def test_the_commands_of_a_report_make_a_study_on_folds_again(bench):
    study = bench.coarse(replace(TWO, replicates=2), **FOLDS).study

    lines = "\n".join(reproduction(bench.database, study, ()).commands)

    assert "--replicates 2" in lines
    assert "--only" not in lines


def test_an_older_study_has_no_splits_of_its_own(bench):
    study = bench.coarse(TWO).study

    assert Splits.of(study) is None
    assert not {"folds", "redraw"} & study.recipe["data"].keys()
    stage = repository.stages(bench.database, study)[0]
    assert not {"folds", "redraw"} & stage.options.keys()
    assert np.isfinite([trial.standard_error for trial in bench.ranking(study).trials]).all()
