"""The final test run: the top of the ranking, trained again, measured once and on record."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.db import repository
from coarsefine.models.data import prepared
from coarsefine.models.data.prepared import prepare_final
from coarsefine.models.data.sealed import open_test
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.results.notes.test_set import is_hand_picked, on_test
from coarsefine.studies.running.final.test import final_test, result_on_record
from coarsefine.studies.running.watching import StoppedByRequest
from tests.models.reference import forward
from tests.studies.conftest import Recorder


def test_the_top_of_both_stages_is_trained_on_both_splits_and_tested(bench):
    done = bench.coarse()
    bench.fine(done.study)

    tested = final_test(bench.means(), done.study, n_top=3)

    ranking = bench.ranking(done.study).trials
    assert [run.params for run in tested.opening.runs] == [dict(t.params) for t in ranking[:3]]
    assert [run.rank for run in tested.opening.runs] == [1, 2, 3]
    assert [t.test_accuracy for t in ranking[:3]] == [r.test_accuracy for r in tested.opening.runs]
    assert ranking[3].test_accuracy is None
    assert tested.n_before == 0
    # 320 samples outside the test set, of which 2 % are kept to watch the training with.
    final = repository.stages(bench.database, done.study)[-1]
    (trial, *_), (cohort, *_), _ = _plan(bench, final)
    assert final.optuna_name is None
    assert trial.replicates == 1
    assert cohort.plan["training"]["n_updates"] == 4 * -(-314 // 20)


def _plan(bench, stage):
    plan = repository.load_plan(bench.database, stage)
    return plan.trials, plan.cohorts, plan.runs


@pytest.mark.parametrize("refit", ["train+validation", "none"])
def test_test_accuracy_is_what_the_weights_give(bench, refit):
    done = bench.coarse(StageRequest(values=(1e-3,)))

    (run,) = final_test(bench.means(), done.study, refit=refit).opening.runs

    from coarsefine.models.cohort import state_from_bytes

    stage = repository.stages(bench.database, done.study)[-1]
    assert (stage.name == "final") == (refit != "none")
    _, (cohort,), _ = _plan(bench, stage)
    weights = state_from_bytes(repository.load_checkpoint(bench.database, cohort.uuid)[1])
    parameters = weights.finished[0].parameters
    data = prepare_final(to_data_spec(done.recipe), refit=refit)
    test = open_test(data)
    Ws = [w[0].astype(float) for w in parameters.weights]
    bs = [b[0].astype(float) for b in parameters.biases]
    from coarsefine.models.specs import NetworkSpec

    scores = forward(NetworkSpec(12, (6,), 4), Ws, bs, test.x.astype(float))[0][-1]
    predicted = scores.argmax(axis=1)
    assert run.test_accuracy == (predicted == test.y).mean()
    assert np.sum(run.confusion) == len(test.y)
    assert np.trace(run.confusion) == (predicted == test.y).sum()


def test_every_opening_is_on_record(bench):
    study = bench.coarse(StageRequest(n_trials=2)).study

    first = final_test(bench.means(), study, n_top=1)
    again = final_test(bench.means(), study, n_top=1)

    assert (first.n_before, again.n_before) == (0, 1)
    assert [o.stage for o in repository.openings(bench.database, study)] == ["final", "final-2"]
    assert first.opening.runs[0].test_accuracy == again.opening.runs[0].test_accuracy


def test_a_final_training_that_was_stopped_is_carried_on_and_opens_once(bench, monkeypatch):
    study = bench.coarse(StageRequest(n_trials=2)).study
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)

    with pytest.raises(StoppedByRequest):
        final_test(bench.means(observer=Recorder(stop_after=2)), study)
    assert repository.openings(bench.database, study) == []
    final_test(bench.means(), study)

    assert len(repository.openings(bench.database, study)) == 1
    assert [s.name for s in repository.stages(bench.database, study)] == ["coarse", "final"]


def test_the_test_set_stays_shut_until_the_search_is_over(bench, monkeypatch):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    with pytest.raises(StoppedByRequest):
        bench.coarse(means=bench.means(observer=Recorder(stop_after=1)))
    study = repository.latest_study(bench.database)

    with pytest.raises(StudyError, match="8 trials of blobs/lambda are not finished"):
        final_test(bench.means(), study)

    assert repository.openings(bench.database, study) == []


def test_nothing_to_test_is_a_clear_line(bench):
    study = bench.coarse(StageRequest(values=(1e4,)), training__eta=0.5).study

    with pytest.raises(StudyError, match="no complete trial to test"):
        final_test(bench.means(), study)


def test_a_search_never_holds_the_test_split(bench):
    done = bench.coarse(StageRequest(n_trials=1))

    files = {path.name for path in done.data.folder.iterdir()}
    assert not any("test" in name for name in files)
    assert not any("test" in name for name in vars(type(done.data.open())))
    prepared._open.clear()


def test_trials_that_all_diverge_leave_the_test_set_shut(bench, monkeypatch):
    study = bench.coarse(StageRequest(values=(1e-3, 1e-2))).study
    monkeypatch.setattr("coarsefine.studies.running.final.training._finished", lambda *_: None)
    with pytest.raises(StudyError, match="test set was not opened"):
        final_test(bench.means(), study, refit="none")

    assert repository.openings(bench.database, study) == []


def test_a_trial_that_diverges_in_the_final_training_is_listed_without_a_result(bench, monkeypatch):
    from coarsefine.studies.running.final import training as module

    study = bench.coarse(StageRequest(values=(1e-3, 1e-2))).study
    real, seen = module._finished, []

    def first_is_gone(*args):
        seen.append(args)
        return None if len(seen) == 1 else real(*args)

    monkeypatch.setattr(module, "_finished", first_is_gone)
    watch = Recorder()
    first, second = final_test(bench.means(observer=watch), study).opening.runs

    assert (first.rank, first.test_accuracy, first.test_loss) == (1, None, None)
    assert second.rank == 2
    assert second.test_accuracy > 0.4
    assert "rank 1 (lambda 0.0" in watch.lines[-1]
    assert "diverged in the final training" in watch.lines[-1]


# ---------------------------------------------------------------------------- on record, and said


def test_trials_picked_by_hand_are_tested_and_on_record_as_picked(bench):
    study = bench.coarse().study
    ranking = bench.ranking(study).trials
    fifth, third = ranking[4], ranking[2]

    tested = final_test(
        bench.means(), study, picks=[(t.stage, t.trial) for t in (fifth, third, fifth)]
    )

    assert [run.rank for run in tested.opening.runs] == [3, 5]
    assert [run.params for run in tested.opening.runs] == [third.params, fifth.params]
    (opening,) = repository.openings(bench.database, study)
    assert opening.note == (
        f"hand-picked: coarse:{third.trial} (rank 3), coarse:{fifth.trial} (rank 5)"
    )
    assert is_hand_picked(opening)
    assert any(str(line).startswith("hand-picked, rank 3 and 5") for line in tested.notes)
    final = repository.stages(bench.database, study)[-1]
    assert final.reason == opening.note


def test_the_top_of_the_ranking_is_not_picked_by_hand(bench):
    study = bench.coarse(StageRequest(n_trials=2)).study

    tested = final_test(bench.means(), study, n_top=1)

    assert tested.opening.note == ""
    assert not is_hand_picked(tested.opening)
    assert tested.notes == ()


def test_a_test_set_opened_again_is_said_to_be_no_longer_unseen(bench):
    study = bench.coarse(StageRequest(n_trials=2)).study

    for times in ("", "1 time", "2 times"):
        tested = final_test(bench.means(), study, n_top=1, refit="none")
        assert any(f"opened {times} before for this study" in str(n) for n in tested.notes) == bool(
            times
        )


def test_a_test_set_that_other_studies_opened_is_said_to_be_known(bench):
    first = bench.coarse(StageRequest(n_trials=2), name="first").study
    second = bench.coarse(StageRequest(n_trials=2), name="second").study
    for _ in range(2):
        final_test(bench.means(), first, n_top=1, refit="none")

    tested = final_test(bench.means(), second, n_top=1, refit="none")

    assert tested.n_before == 0
    assert tested.others == (("first", 2),)
    assert any("the same test set was opened 2 times for first" in str(n) for n in tested.notes)


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (("coarse", 99), r"no trial coarse:99 \(stages: coarse\)"),
        (("fine", 0), r"no trial fine:0"),
        (("coarse", 1), r"only complete trials are tested, coarse:1 is diverged"),
    ],
)
def test_a_pick_that_cannot_be_tested_is_refused_and_the_test_set_stays_shut(bench, pick, message):
    study = bench.coarse(StageRequest(values=(1e-3, 1e4)), training__eta=0.5).study

    with pytest.raises(StudyError, match=message):
        final_test(bench.means(), study, picks=[pick])

    assert repository.openings(bench.database, study) == []


def test_a_test_accuracy_equal_to_validation_to_all_digits_is_said(bench, monkeypatch):
    study = bench.coarse(StageRequest(n_trials=2)).study
    tested = final_test(bench.means(), study, n_top=1, refit="none")
    (run,) = tested.opening.runs
    copied = replace(run, test_accuracy=0.8125, validation_accuracy=0.8125)

    opening = replace(tested.opening, runs=(copied,))
    lines = on_test(study, replace(opening, n_test=10_000), 0, ())

    assert not on_test(study, replace(opening, n_test=16), 0, ())
    assert any("the same to all digits, 81.25 %: suspect a leak" in str(line) for line in lines)


def test_the_result_on_record_is_found_for_the_same_trials_and_training_only(bench):
    study = bench.coarse(StageRequest(n_trials=3)).study
    best, *_, last = bench.ranking(study).trials
    assert result_on_record(bench.database, study, n_top=1) is None
    tested = final_test(bench.means(), study, n_top=1)

    found = result_on_record(bench.database, study, n_top=1)

    assert found is not None
    assert (found.opening, found.n_openings) == (tested.opening, 1)
    assert result_on_record(bench.database, study, n_top=2) is None
    assert result_on_record(bench.database, study, n_top=1, refit="none") is None
    # What was picked by hand is another claim, though the trial be the same.
    assert result_on_record(bench.database, study, picks=[(best.stage, best.trial)]) is None
    final_test(bench.means(), study, picks=[(last.stage, last.trial)])
    first = result_on_record(bench.database, study, n_top=1)
    second = result_on_record(bench.database, study, picks=[(last.stage, last.trial)])
    assert first is not None
    assert second is not None
    assert (first.n_before, first.n_after, second.n_before, second.n_after) == (0, 1, 1, 0)
    assert len(repository.openings(bench.database, study)) == 2
