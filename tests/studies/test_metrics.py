"""Metrics of what runs predicted, long after they were trained: beside scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as reference

from coarsefine.db import repository
from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.stages import StageRequest
from coarsefine.studies.results.labels import KEY, Labels, labels_of, majority_of, packed_labels
from coarsefine.studies.results.scorer import Scorer, metric_of, predicted

METRICS = {
    "accuracy": reference.accuracy_score,
    "balanced-accuracy": reference.balanced_accuracy_score,
    "macro-f1": lambda labels, classes: reference.f1_score(labels, classes, average="macro"),
}


def trained(bench, **flags):
    request = StageRequest(n_trials=3, replicates=2)
    study = bench.coarse(request, name="seeds", **flags).study
    runs = repository.run_rows(bench.database, study)
    return study, runs, repository.run_outcomes(bench.database, [run.id for run in runs])


def test_metrics_of_stored_runs_are_those_of_scikit_learn(bench):
    study, runs, outcomes = trained(bench)
    labels = labels_of(study)
    codec = OutcomeCodec(labels.classes, labels.n_classes)

    for run in runs:
        classes = codec.unpack(outcomes[run.id]).predicted
        assert predicted(outcomes[run.id], labels).tolist() == classes.tolist()
        for metric, theirs in METRICS.items():
            scored = Scorer.of(metric, study).scored(
                outcomes[run.id], len(classes), run.validation_accuracy
            )
            assert scored.mean == pytest.approx(theirs(labels.classes, classes))
        loss = metric_of(Scorer.of("loss", study), [outcomes[run.id]], len(classes))
        assert loss == pytest.approx(run.validation_loss, rel=1e-6)


def test_labels_are_kept_and_else_read_from_the_data(bench):
    study, *_ = trained(bench)
    kept = labels_of(study)
    del study.data[KEY]

    assert labels_of(study).classes.tolist() == kept.classes.tolist()
    assert majority_of(study) is None
    bench.samples.rename(bench.samples.with_name("moved.npz"))
    try:
        with pytest.raises(StudyError, match="its data are not there"):
            labels_of(study)
    finally:
        bench.samples.with_name("moved.npz").rename(bench.samples)


def test_damaged_labels_are_no_labels(bench):
    study, *_ = trained(bench)
    study.data[KEY] = study.data[KEY][:-8]

    with pytest.raises(StudyError, match="damaged"):
        labels_of(study)


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

    assert metric_of(f1, [bare, None], 3) is None
    assert metric_of(f1, [bare[:-1]], 3) is None
    assert f1.scored(bare, 3, accuracy=1.0) is None
    assert metric_of(loss, [bare], 3) is None
    assert metric_of(loss, [whole], 3) == pytest.approx(0.5)
