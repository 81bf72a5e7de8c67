"""Seeds that trials get after they were trained with fewer."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from coarsefine.db import repository
from coarsefine.db.checks.optuna import check_optuna
from coarsefine.db.checks.report import Check
from coarsefine.db.checks.tables import check_plans, check_results
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.reports.reproduction import reproduction
from coarsefine.studies.running.search import Search
from coarsefine.studies.running.watching import StoppedByRequest
from tests.studies.conftest import LAMBDA, Recorder, comparable, refused
from tests.studies.test_pruning import LONG, WIDE

VALUES = (1e-4, 1e-3, 0.5)
ONE = StageRequest(values=VALUES)


def more(bench, n, **changes):
    return bench.coarse(StageRequest(replicates=n, **changes))


def seeds_of(bench, study):
    rows = repository.trial_rows(bench.database, study)
    return {row.params["lambda"]: row.replicates for row in rows}


def runs_of(bench, study):
    """Return what identifies each run and what came of it, by trial and replicate."""
    return {
        (run.trial_id, run.replicate): (run.id, run.recipe_key, run.validation_accuracy, run.epochs)
        for run in repository.run_rows(bench.database, study)
    }


def test_only_what_is_missing_is_trained_and_the_result_is_that_of_a_search_begun_so(bench):
    study = bench.coarse(ONE).study
    first = runs_of(bench, study)

    more(bench, 3, only="all")

    after = runs_of(bench, study)
    assert first.items() <= after.items()
    assert len(after) == 9
    whole = bench.coarse(replace(ONE, replicates=3), name="whole").study
    topped, begun_so = (comparable(bench.ranking(each)) for each in (study, whole))
    assert topped.pop("study") != begun_so.pop("study")
    assert topped == begun_so
    assert len(runs_of(bench, study)) == 9  # the same command again trains nothing


def test_tied_trials_get_the_seeds_unless_others_are_asked_for(bench):
    study = bench.coarse(ONE).study
    tied = {t.params["lambda"] for t in bench.ranking(study).trials if t.tied}
    assert 0.5 not in tied

    watch = Recorder()
    bench.coarse(StageRequest(replicates=2), means=bench.means(observer=watch))

    assert seeds_of(bench, study) == {value: 1 + (value in tied) for value in VALUES}
    assert "1 value has fewer; use only = all" in " ".join(map(str, watch.lines))
    assert not any("resolution" in str(note) for note in bench.ranking(study).notes)
    more(bench, 3, values=(0.5,))
    assert seeds_of(bench, study)[0.5] == 3
    assert {trial.replicates for trial in bench.ranking(study).trials} == {2, 3}
    commands = reproduction(bench.database, study, ()).commands
    assert any("--replicates 3 --values 0.5" in line for line in commands)


def test_stopped_half_way_the_trials_stay_as_they_were_and_go_on_to_the_same_end(bench):
    study = bench.coarse(ONE).study
    before = comparable(bench.ranking(study))

    with pytest.raises(StoppedByRequest):
        bench.coarse(
            StageRequest(replicates=4, only="all"),
            means=bench.means(observer=Recorder(stop_after=1)),
        )
    assert comparable(bench.ranking(study)) == before
    checks = problems_of(bench)
    assert not any(check.problems for check in checks)
    assert any("being trained with more seeds" in note for c in checks for note in c.notes)

    more(bench, 4, only="all")
    assert set(seeds_of(bench, study).values()) == {4}
    whole = bench.coarse(replace(ONE, replicates=4), name="whole").study
    assert comparable(bench.ranking(study))["trials"] == comparable(bench.ranking(whole))["trials"]


def problems_of(bench):
    checks = [Check(name, name) for name in ("plans", "results", "Optuna")]
    with bench.database.session() as session:
        check_plans(session, checks[0])
        check_results(session, checks[1])
    check_optuna(bench.database, checks[2], lambda value: value)
    return checks


def test_check_knows_what_optuna_was_told_before_and_finds_other_values(bench):
    study = bench.coarse(ONE).study
    more(bench, 2, only="all")

    plans, results, optuna = problems_of(bench)
    assert not plans.problems + results.problems + optuna.problems
    assert "3 trials got more seeds after Optuna was told" in optuna.notes[0]

    row = repository.trial_rows(bench.database, study)[0]
    with bench.database.write() as session:
        session.execute(
            sa.text("UPDATE training_runs SET validation_accuracy = 0.125 WHERE trial_id = :t"),
            {"t": row.id},
        )
    _, results, optuna = problems_of(bench)
    assert results.problems
    assert "Optuna has" in optuna.problems[0].what


def test_runs_that_another_stage_has_are_taken_over(bench):
    study = bench.coarse(ONE).study
    bench.fine(study, StageRequest(values=(1e-4, 1e-3)))
    more(bench, 3, only="all")
    search = bench.fine(study, StageRequest(replicates=3, only="all"))
    assert {run.cohort_id is None for run in runs_in(bench, search, "fine")} == {False}

    again = bench.coarse(ONE, name="again", fresh=True).study
    asked = StageRequest(replicates=3, only="all")
    Search.carry_on(bench.means(), LAMBDA, Asked(flags={}), again).stage("coarse", asked)
    assert set(seeds_of(bench, again).values()) == {3}
    taken = [run for run in repository.run_rows(bench.database, again) if run.cohort_id is None]
    assert len(taken) == 6


def runs_in(bench, search, stage):
    rows = repository.trial_rows(bench.database, search.study)
    ids = [row.id for row in rows if row.stage == stage]
    return repository.run_rows(bench.database, trial_ids=ids)


def test_seeds_are_not_taken_away_and_only_needs_a_number(bench):
    bench.coarse(replace(ONE, replicates=2))
    with refused(r"--replicates: 2 there, 1 asked for \(none is taken away\)"):
        more(bench, 1)
    with refused("only all needs a number of seeds: state --replicates"):
        StageRequest(only="all")
    with refused("only must be one of tied, all, got 'tide'; did you mean tied"):
        StageRequest(replicates=3, only="tide")


def test_trials_that_were_stopped_early_get_no_more_seeds_and_the_others_are_not_stopped(bench):
    study = bench.coarse(WIDE, **LONG).study
    before = {r.uuid: r.state for r in repository.trial_rows(bench.database, study)}
    assert "pruned" in before.values()
    bench.coarse(StageRequest(replicates=2, only="all"), **LONG)
    for row in repository.trial_rows(bench.database, study):
        assert row.state == before[row.uuid]
        assert row.replicates == 1 + (row.state == "complete")
