"""Each run that comes to an end keeps what it predicted, however it was trained."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.db import repository, tidying
from coarsefine.db.checks.whole import check_database
from coarsefine.models.errors import ModelError
from coarsefine.models.outcomes import OutcomeCodec, read_accuracy
from coarsefine.studies.planning.stages import StageRequest
from coarsefine.studies.running import resources
from coarsefine.studies.running.final.test import final_test
from coarsefine.studies.running.loop import StoppedByRequest

from .conftest import Recorder
from .test_plugins import VALUES, Own, searched

FEW = StageRequest(n_trials=4)


def kept(bench, study):
    """Return runs and their outcomes, by trial and replicate."""
    runs = repository.run_rows(bench.database, study)
    outcomes = repository.run_outcomes(bench.database, [run.id for run in runs])
    return {(run.trial_id, run.replicate): (run, outcomes.get(run.id)) for run in runs}


def assert_whole(bench, study, n_runs):
    found = kept(bench, study)
    assert len(found) == n_runs
    for run, payload in found.values():
        assert run.state == "complete"
        assert read_accuracy(payload) == pytest.approx(run.validation_accuracy, abs=1e-12)
    report = check_database(str(bench.path), accuracy=read_accuracy)
    assert report.passed
    return [payload for _, payload in found.values()]


@pytest.mark.parametrize("score", ["final", "best"])
def test_a_search_that_was_stopped_keeps_the_same(bench, monkeypatch, score):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    request, flags = replace(FEW, replicates=2), {"training__score": score}
    whole = bench.coarse(request, name="whole", **flags).study
    with pytest.raises(StoppedByRequest):
        bench.coarse(request, name="stopped", means=bench.means(observer=Recorder(3)), **flags)

    stopped = bench.coarse(request, name="stopped", **flags).study

    assert assert_whole(bench, stopped, 8) == assert_whole(bench, whole, 8)


def test_worker_processes_send_the_same(bench, monkeypatch):
    monkeypatch.setattr(resources, "SMALL_SECONDS", 0.0)
    one = bench.coarse(FEW, name="one").study
    two = bench.coarse(FEW, name="two", means=bench.means(n_jobs=2)).study

    assert assert_whole(bench, two, 4) == assert_whole(bench, one, 4)


def test_a_run_that_was_taken_over_has_them_too(bench):
    first = bench.coarse(FEW, name="first")
    again = bench.coarse(FEW, name="again", fresh=False)
    runs = repository.run_rows(bench.database, again.study)
    assert {run.cohort_id for run in runs} == {None}

    expected = assert_whole(bench, first.study, 4)
    assert assert_whole(bench, again.study, 4) == expected
    tidying.purge(bench.database, [first.study.uuid])
    assert [payload for _, payload in kept(bench, again.study).values()] == expected


def test_a_final_test_keeps_those_of_the_test_set(bench):
    study = bench.coarse(FEW).study

    opening = final_test(bench.means(), study, n_top=2).opening

    outcomes = repository.test_outcomes(bench.database, [run.id for run in opening.runs])
    labels = np.load(bench.samples)["y_test"]
    for run in opening.runs:
        found = OutcomeCodec(labels, 4).unpack(outcomes[run.id])
        assert np.mean(found.predicted == labels) == pytest.approx(run.test_accuracy)
        assert found.mean_loss == pytest.approx(run.test_loss, rel=1e-5)
    assert check_database(str(bench.path), accuracy=read_accuracy).passed


# What the user's trainer returns: (predicts, is kept).
PREDICTS = {
    "what it reported": ("lambda x: __import__('numpy').zeros(len(x), int)", True),
    "something else": ("lambda x: __import__('numpy').ones(len(x), int)", False),
    "nothing": ("lambda x: None", False),
    "the end": ("lambda x: __import__('sys').exit(1)", False),
}


@pytest.mark.parametrize("predict", PREDICTS)
def test_a_trainer_of_the_users_gives_them_through_predict_or_does_without(
    bench, tmp_path, samples, monkeypatch, predict
):
    monkeypatch.syspath_prepend(tmp_path)
    own = Own(tmp_path, samples)
    code, is_kept = PREDICTS[predict]
    own.file.write_text(
        "def train(params, data, seed, report):\n"
        "    accuracy = float((data.y_validation == 0).mean())\n"
        f"    return {{'validation_accuracy': accuracy, 'predict': {code}}}\n"
    )

    study = searched(bench, own, VALUES).study

    found = [payload is not None for _, payload in kept(bench, study).values()]
    assert found == [is_kept] * 3
    assert check_database(str(bench.path), accuracy=read_accuracy).passed
    own.forget()


def test_check_finds_outcomes_that_are_damaged_or_of_others(bench):
    study = bench.coarse(replace(FEW, values=(1e-4, 10.0), n_trials=None)).study
    (_, first), (_, second) = kept(bench, study).values()
    assert read_accuracy(first) != read_accuracy(second)
    damaged = first[:-1] + bytes([first[-1] ^ 1])
    with pytest.raises(ModelError):
        read_accuracy(damaged)
    with bench.database.write() as session:
        for run, payload in ((1, second), (2, damaged)):
            session.connection().exec_driver_sql(
                "UPDATE training_outcomes SET payload = ? WHERE run_id = ?", (payload, run)
            )

    report = check_database(str(bench.path), accuracy=read_accuracy)

    (check,) = (check for check in report.checks if not check.passed)
    assert check.name == "outcomes"
    lines = [problem.what for problem in check.problems]
    assert "its outcomes have" in lines[0]
    assert "cannot be read" in lines[1]
