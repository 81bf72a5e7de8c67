"""A ranking read from the database: replicates, what was reused, and whether a penalty acted."""

import pytest
import sqlalchemy as sa
from scipy import stats

from coarsefine.db import repository
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.results.notes.planning import planned
from coarsefine.studies.results.reading import read_ranking

WIDE = StageRequest(values=(1e-5, 1e-3, 0.3))


def test_replicates_give_means_intervals_and_paired_differences(bench):
    study = bench.coarse(StageRequest(values=(1e-4, 1e-2, 1.0), replicates=3)).study

    ranking = bench.ranking(study)

    assert ranking.comparison.method == "samples"
    by_trial = {}
    for run in repository.run_rows(bench.database, study):
        by_trial.setdefault(run.trial_id, []).append(run.validation_accuracy)
    ids = {row.uuid: row.id for row in repository.trial_rows(bench.database, study)}
    best = by_trial[ids[ranking.best.uuid]]
    for trial in ranking.trials:
        runs = by_trial[ids[trial.uuid]]
        assert trial.validation_accuracy == pytest.approx(sum(runs) / 3)
        assert trial.interval[0] <= trial.validation_accuracy <= trial.interval[1]
        paired = [own - first for own, first in zip(runs, best, strict=True)]
        assert trial.difference == pytest.approx(sum(paired) / 3)
        # Of the seeds alone; the standard error has the samples' part, too.
        assert trial.standard_error >= trial.standard_deviation / 3**0.5
        low, high = trial.seed_interval
        half = stats.t.ppf(0.975, 2) * trial.standard_deviation / 3**0.5
        assert (low, min(high, 1)) == pytest.approx(
            (trial.validation_accuracy - half, min(1, trial.validation_accuracy + half)), abs=1e-3
        )


def test_stages_with_other_numbers_of_replicates_are_compared_on_what_they_share(bench):
    study = bench.coarse(StageRequest(values=(1e-4, 1e-3, 1e-2))).study
    bench.fine(study, StageRequest(n_trials=2, replicates=3))

    ranking = bench.ranking(study)

    assert {trial.replicates for trial in ranking.trials} == {1, 3}
    assert ranking.comparison.method == "samples"
    assert all(trial.tied is not None for trial in ranking.trials)
    assert all((t.standard_deviation is None) == (t.replicates == 1) for t in ranking.trials)
    # Of values with one seed nothing says what seeds do.
    notes = {note.code: str(note) for note in ranking.notes}
    assert "all 5 tied values apart" not in notes.get("needed", "")
    (*_, last) = planned(ranking, 0.005)
    assert str(last) == (
        "a tied value with one seed tells nothing of what would tell all of them apart"
    )


def test_a_trial_that_was_trained_before_is_marked_as_reused(bench):
    first = bench.coarse(StageRequest(values=(1e-4, 1e-2)), name="first").study
    again = bench.coarse(StageRequest(values=(1e-4, 1e-3)), name="again", fresh=False).study

    assert not any(trial.reused for trial in bench.ranking(first).trials)
    reused = {t.params["lambda"]: t.reused for t in bench.ranking(again).trials}
    assert reused == {1e-4: True, 1e-3: False}


def test_the_sum_of_squared_weights_falls_as_the_penalty_grows(bench):
    study = bench.coarse(WIDE, training__epochs=8).study

    sums = {}
    trials = {row.id: row.params["lambda"] for row in repository.trial_rows(bench.database, study)}
    for run in repository.run_rows(bench.database, study):
        *_, last = repository.epoch_rows(bench.database, run_ids=[run.id])
        strength = trials[run.trial_id]
        sums[strength] = (last.train_cost - last.train_loss) / strength

    assert sums[1e-5] > sums[1e-3] > sums[0.3]
    assert not any("penalty" in str(line) for line in bench.ranking(study).notes)


def test_a_penalty_that_changes_neither_scores_nor_weights_is_probably_not_applied(bench):
    study = bench.coarse(WIDE).study
    # As a trainer without the penalty would have left it: equal scores, equal weights.
    with bench.database.write() as session:
        session.execute(sa.text("UPDATE training_trials SET validation_accuracy = 0.5"))
        session.execute(
            sa.text(
                "UPDATE training_epochs SET train_cost = train_loss + 40 * (SELECT "
                "json_extract(t.params, '$.lambda') FROM training_trials t JOIN training_runs r "
                "ON r.trial_id = t.id WHERE r.id = run_id)"
            )
        )

    lines = read_ranking(bench.database, study).notes

    assert any("the penalty was probably not applied" in str(line) for line in lines)
