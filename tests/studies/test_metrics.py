"""Metrics of what runs predicted, long after they were trained: beside scikit-learn's."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from sklearn import metrics as reference

from coarsefine.db import repository
from coarsefine.db.repository.outcomes import write_run_outcomes
from coarsefine.db.tables import SampleOutcomes
from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.studies.planning.pruning import to_stop
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.recipe import differences, to_json
from coarsefine.studies.results import known_seeds
from coarsefine.studies.results.classes import confusion_of
from coarsefine.studies.results.notes.marks import legend
from coarsefine.studies.results.predictions import rows_by_score
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.results.scoring.labels import (
    KEY,
    Labels,
    labels_of,
    majority_of,
    packed_labels,
)
from coarsefine.studies.results.scoring.scorer import Scorer, predicted
from coarsefine.studies.running.final.test import final_test

from .conftest import Bench, refused
from .evidence.worlds import World

METRICS = {
    "accuracy": reference.accuracy_score,
    "balanced-accuracy": reference.balanced_accuracy_score,
    "macro-f1": lambda labels, classes: reference.f1_score(labels, classes, average="macro"),
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory, empty):
    """A study with two seeds a trial, on samples of which one class is rare."""
    folder = tmp_path_factory.mktemp("metrics")
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 600, p=[0.75, 0.2, 0.05])
    x = rng.normal(size=(600, 5)) + 1.3 * np.eye(5)[labels]
    np.savez(folder / "rare.npz", x_train=x.astype(np.float32), y_train=labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCH_CACHE_DIR", str(folder / "cache"))
        bench = Bench(folder, folder / "rare.npz", empty)
        request = StageRequest(n_trials=4, replicates=2)
        bench.study = bench.coarse(request, name="seeds").study
        bench.single = bench.coarse(StageRequest(n_trials=4), name="single").study
        yield bench
        bench.database.close()


def runs_of(bench):
    runs = repository.run_rows(bench.database, bench.study)
    return runs, repository.run_outcomes(bench.database, [run.id for run in runs])


@contextmanager
def forgotten(bench, n_trials):
    """Have the first trials without what they predicted, as those of older versions."""
    rows = [row.id for row in repository.trial_rows(bench.database, bench.study)[:n_trials]]
    ids = [run.id for run in repository.run_rows(bench.database, trial_ids=rows)]
    kept = repository.run_outcomes(bench.database, ids)
    with bench.database.write() as session:
        session.execute(sa.delete(SampleOutcomes).where(SampleOutcomes.run_id.in_(ids)))
    yield
    with bench.database.write() as session:
        write_run_outcomes(session, kept)


def test_metrics_of_stored_runs_are_those_of_scikit_learn(searched):
    runs, outcomes = runs_of(searched)
    labels = labels_of(searched.study)
    codec = OutcomeCodec(labels.classes, labels.n_classes)

    for run in runs:
        classes = codec.unpack(outcomes[run.id]).predicted
        assert predicted(outcomes[run.id], labels).tolist() == classes.tolist()
        for metric, theirs in METRICS.items():
            scored = Scorer.of(metric, searched.study).scored(
                outcomes[run.id], len(classes), accuracy=run.validation_accuracy
            )
            assert scored.mean == pytest.approx(theirs(labels.classes, classes))
        loss = Scorer.of("loss", searched.study).scored(outcomes[run.id], len(classes))
        assert -loss.mean == pytest.approx(run.validation_loss, rel=1e-6)


@pytest.mark.parametrize("by", ["accuracy", "balanced-accuracy", "macro-f1", "loss"])
def test_trials_are_ranked_by_a_metric_with_intervals_and_ties_of_it(searched, by):
    runs, outcomes = runs_of(searched)
    labels = labels_of(searched.study)
    codec = OutcomeCodec(labels.classes, labels.n_classes)
    ids = {row.uuid: row.id for row in repository.trial_rows(searched.database, searched.study)}

    ranking = read_ranking(searched.database, searched.study, by)

    values = []
    for trial in ranking.trials:
        own = [run for run in runs if run.trial_id == ids[trial.uuid]]
        values.append(ranking.metric.of(trial))
        if by == "loss":
            theirs = [run.validation_loss for run in own]
        else:
            theirs = [
                METRICS[by](labels.classes, codec.unpack(outcomes[run.id]).predicted) for run in own
            ]
        assert values[-1] == pytest.approx(np.mean(theirs), rel=1e-6)
        assert trial.standard_deviation == pytest.approx(np.std(theirs, ddof=1), rel=1e-4, abs=1e-7)
        assert trial.interval[0] < values[-1] < trial.interval[1]
        assert trial.seed_interval[0] <= values[-1] <= trial.seed_interval[1]
        assert trial.difference == pytest.approx(values[-1] - values[0], abs=1e-6)
    assert values == sorted(values, reverse=by != "loss")
    assert ranking.comparison.method == "samples"
    assert ranking.to_json()["by"] == by
    beyond = [abs(t.difference) <= t.margin + 1e-12 for t in ranking.trials[1:]]
    assert [bool(t.tied) for t in ranking.trials[1:]] == beyond


def test_trials_that_kept_no_predictions_are_named(searched):
    names = {"coarse:0", "coarse:1"}
    with forgotten(searched, 2):
        by_f1 = read_ranking(searched.database, searched.study, "macro-f1")
        by_accuracy = read_ranking(searched.database, searched.study)
        by_loss = read_ranking(searched.database, searched.study, "loss")

    lacking = [t for t in by_f1.trials if t.validation_macro_f1 is None]
    assert {f"{t.stage}:{t.trial}" for t in lacking} == names
    assert all(t.rank is None and t.state == "complete" and t.tied is None for t in lacking)
    assert by_f1.trials[-2:] == tuple(lacking)
    (note,) = [note for note in by_f1.notes if getattr(note, "code", "") == "without-score"]
    assert "coarse:0, coarse:1" in str(note)
    assert set(by_accuracy.comparison.without) == names
    said = " ".join(map(str, legend(by_accuracy)))
    assert all(name in said for name in names)
    assert "of an older version, or of a trainer without predict" in said
    assert all(t.rank is not None for t in by_loss.trials)
    assert by_loss.comparison.method == "accuracies"


def test_without_any_predictions_there_is_no_ranking_by_what_follows_from_them(searched):
    with forgotten(searched, 4), refused("no trial of seeds has kept"):
        read_ranking(searched.database, searched.study, "balanced-accuracy")


def test_the_majority_stands_beside_the_table(searched):
    labels = labels_of(searched.study)
    majority = majority_of(searched.study)
    assert majority.accuracy == pytest.approx(np.mean(labels.classes == majority.label))

    for by in ("accuracy", "balanced-accuracy"):
        ranking = read_ranking(searched.database, searched.study, by)
        (note,) = [n for n in ranking.notes if "majority" in getattr(n, "code", "")]
        constant = np.full(len(labels.classes), majority.label)
        baseline = METRICS[by](labels.classes, constant)
        assert f"{100 * baseline:.2f} %" in str(note)
        ahead = 100 * (ranking.metric.of(ranking.best) - baseline)
        assert f"({ahead:+.2f} points" in str(note)
        low = float(str(note).split("interval ")[1].split(" to ")[0])
        assert ("the best trial is better" in str(note)) == (low > 0)


def test_on_folds_the_majority_is_measured_on_the_samples_of_each(searched):
    study = searched.coarse(StageRequest(n_trials=2), name="folds", data__folds=3).study
    known = [labels_of(study, replicate).classes for replicate in range(3)]
    always = majority_of(study).label

    for by in ("accuracy", "balanced-accuracy"):
        ranking = read_ranking(searched.database, study, by)
        (note,) = [n for n in ranking.notes if "majority" in getattr(n, "code", "")]
        baseline = np.mean([METRICS[by](each, np.full(len(each), always)) for each in known])
        assert f"{100 * baseline:.2f} %" in str(note)
        assert f"({100 * (ranking.metric.of(ranking.best) - baseline):+.2f} points" in str(note)


def test_one_seed_takes_the_spread_over_seeds_from_a_similar_study(searched, monkeypatch):
    assumed = read_ranking(searched.database, searched.single)
    monkeypatch.setattr(known_seeds, "_FEWEST_DF", 1.0)  # four trials with two seeds say little

    found = read_ranking(searched.database, searched.single)

    assert assumed.comparison.seeds_from is None
    assert assumed.comparison.seed_deviation == pytest.approx(0.003)
    assert "of two values by a standard deviation of no more than 0.3 points" in _said(assumed)
    assert "change a run by a standard deviation of no more than 0.3 points" in _said(assumed)
    assert found.comparison.seeds_from == "seeds"
    deviation = 100 * found.comparison.seed_deviation
    assert f"of no more than {deviation:.1f} points, which was measured in study seeds" in _said(
        found
    )
    assert "for new seeds as far as study seeds shows what they change" in _said(found)
    assert found.comparison.network_margin == assumed.comparison.network_margin
    two = read_ranking(searched.database, searched.study)
    assert two.comparison.seed_deviation is None
    assert "two seeds may agree by luck" in _said(two)
    assert "two seeds" not in _said(found)


def _said(ranking):
    return " ".join(map(str, legend(ranking)))


def test_a_spread_over_seeds_is_recovered_from_outcomes():
    rng = np.random.default_rng(1)
    found = [
        known_seeds.of_scores(World((0.9,) * 8, 5, 4_000, sd).outcomes(rng), 1.0, "there")
        for sd in (0.0, 0.01)
    ]

    assert 100 * found[0].pair.extra ** 0.5 < 0.35
    # Of the difference of two; a seed moves all trials alike by 0.7 more, which a run has, too.
    assert 0.014 < found[1].pair.extra ** 0.5 < 0.025
    assert 0.008 < found[1].run.extra ** 0.5 < 0.025


def test_classes_are_those_of_scikit_learn(searched):
    ranking = read_ranking(searched.database, searched.study)
    runs, outcomes = runs_of(searched)
    labels = labels_of(searched.study)
    ids = {row.uuid: row.id for row in repository.trial_rows(searched.database, searched.study)}

    for trial in ranking.trials:
        own = [outcomes[run.id] for run in runs if run.trial_id == ids[trial.uuid]]
        classes = np.concatenate([predicted(payload, labels) for payload in own])
        found = confusion_of(searched.database, ranking, trial)

        true = np.tile(labels.classes, 2)
        assert found.counts.tolist() == reference.confusion_matrix(true, classes).tolist()
        theirs = reference.precision_recall_fscore_support(true, classes, zero_division=np.nan)
        for row, precision, recall, f1, n in zip(found.rows, *theirs, strict=True):
            shown = [row.precision, row.recall, row.f1]
            expected = [None if np.isnan(v) else v for v in (precision, recall, f1)]
            assert shown == pytest.approx(expected)
            assert row.samples == n / 2


def test_a_recipe_says_what_its_search_goes_by(bench):
    stated = make_recipe(None, {**bench.flags, "training.metric": "accuracy"})
    usual = make_recipe(None, bench.flags)
    by_loss = make_recipe(None, {**bench.flags, "training.metric": "loss"})

    assert to_json(stated) == to_json(usual)
    assert "metric" not in to_json(usual)["training"]
    assert [d.key for d in differences(usual, by_loss)] == ["training.metric"]


def test_fine_searches_and_the_final_test_go_by_the_metric_of_the_recipe(bench):
    search = bench.coarse(StageRequest(values=(1e-4, 1e-2, 1.0)), training__metric="loss")
    ranking = bench.ranking(search.study)
    losses = {t.trial: t.validation_loss for t in ranking.trials}

    assert ranking.by == "loss"
    assert [t.trial for t in ranking.trials] == sorted(losses, key=losses.get)
    rows = rows_by_score(bench.database, search.study)
    assert [row.validation_accuracy for row in rows] == pytest.approx(
        [-row.validation_loss for row in rows], rel=1e-6
    )
    bench.fine(search.study, StageRequest(n_trials=2))
    assert final_test(bench.means(), search.study, n_top=1).opening.runs[0].rank == 1


def test_pruning_goes_by_what_curves_hold(bench):
    with refused("pruning goes by accuracy or loss.*got macro-f1.*leave out --prune"):
        bench.coarse(StageRequest(prune="halving"), training__metric="macro-f1")
    accuracies = {"a": 0.9, "b": 0.9, "c": 0.7, "d": 0.5}
    losses = {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.9}

    assert to_stop(accuracies, 2, 10_000) == {"c", "d"}
    assert to_stop(accuracies, 2, 10_000, losses) == {"d"}


def test_labels_are_kept_and_else_read_from_the_data(bench):
    study = bench.coarse(StageRequest(n_trials=1)).study
    kept = labels_of(study)
    del study.data[KEY]

    assert labels_of(study).classes.tolist() == kept.classes.tolist()
    assert majority_of(study) is None
    bench.samples.rename(bench.samples.with_name("moved.npz"))
    with refused("its data are not there"):
        labels_of(study)


def test_damaged_labels_are_no_labels(searched):
    study = searched.study
    broken = replace(study, data={**study.data, KEY: study.data[KEY][:-8]})

    with refused("damaged"):
        labels_of(broken)


@pytest.mark.parametrize("n_classes", [2, 300])
def test_labels_take_few_bytes(n_classes):
    labels = np.random.default_rng(0).integers(0, n_classes, 5_000)
    packed = packed_labels(labels, n_classes)[KEY]

    assert len(packed) < (1_200 if n_classes == 2 else 10_000)


def test_runs_without_predictions_have_no_metric():
    labels = Labels(np.array([0, 1, 1]), ("0", "1"))
    codec = OutcomeCodec(labels.classes, 2)
    bare, whole = codec.pack(np.array([0, 1, 0])), codec.pack(labels.classes, np.full(3, 0.5))
    f1, loss = (Scorer.by(metric, labels) for metric in ("macro-f1", "loss"))

    assert f1.scored(None, 3) is None
    assert f1.scored(bare[:-1], 3) is None
    assert f1.scored(bare, 3, accuracy=1.0) is None
    assert loss.scored(bare, 3) is None
    assert loss.scored(whole, 3).mean == pytest.approx(-0.5)
