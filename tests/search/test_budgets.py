"""Budgets and forecasts as users state them."""

import time
from pathlib import Path

import pytest

from coarsefine import Study
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.search.errors import DONE, USAGE
from coarsefine.studies.errors import StudyError
from coarsefine.studies.labs.queue import stored
from tests.search.conftest import COARSE
from tests.search.test_labs import LAB

THREE = (*COARSE, "--replicates", "3")


@pytest.fixture(autouse=True)
def begun_now(monkeypatch):
    """Have each program begin with its test."""
    monkeypatch.setattr("coarsefine.search.options.budget.BEGAN", time.monotonic())


def accuracies(ranking):
    return [(t["params"], t["validation_accuracy"], t["replicates"]) for t in ranking["trials"]]


def test_a_dry_run_says_plan_time_and_memory_and_writes_nothing(search, own_folder):
    answer = search(*THREE, "--dry-run", "--quiet")

    assert answer.status == DONE
    assert answer.out.startswith("coarse: 4 values × 3 seeds × 2 epochs, ")
    assert "each network: 610 parameters, " in answer.out
    assert "memory: about " in answer.out
    assert "no study of these data with such a recipe has several seeds: how many" in answer.out
    assert list(own_folder.iterdir()) == []


def test_a_dry_run_of_what_is_there_has_what_is_left(search):
    search(*COARSE, "--replicates", "1")
    left = search(*THREE, "--only", "all", "--dry-run", "--json").json

    assert (left["forecast"]["n_runs"], left["forecast"]["seeds"]) == (8, [2, 2])
    assert (left["within"], left["seeds_within"]) == (None, None)
    fine = search("lambda", "--fine", "--dry-run", "--json", "--within", "20m").json
    assert fine["forecast"]["stage"] == "fine"
    assert (fine["within"], fine["seeds_within"]) == (1200.0, 1)
    done = search(*COARSE, "--replicates", "1", "--dry-run")
    assert done.out.startswith("coarse: nothing is left to be trained\n")


def test_before_there_are_several_seeds_a_similar_study_says_how_many(search):
    search(*THREE, "--study", "seeds")
    before = search(*COARSE, "--study", "new", "--seed", "3", "--dry-run").out
    search(*COARSE, "--study", "new", "--seed", "3", "--replicates", "1")

    shown, planned = search("plan", "new").out, search("plan", "new", "--json").json

    assert "by seeds, on the same data with such a recipe: the standard error of" in before
    assert "by seeds, on the same data with such a recipe: the standard error of" in shown
    assert (planned["to_second"], planned["similar"]) == (None, "seeds")
    assert planned["similar_to_second"]["n_seeds"] == 3
    assert search("plan", "seeds", "--json").json["similar"] is None


def test_what_a_budget_leaves_over_is_said_and_trained_by_the_same_command_without_it(search):
    cut = search(*THREE, "--within", "0.001s", "--json")

    assert cut.status == DONE
    (stage,) = cut.json["stages"]
    assert (stage["cut"]["within"], stage["cut"]["n_complete"]) == (0.001, 0)
    assert any("ended at the budget of 0.0 s" in note for note in cut.json["notes"])
    assert "--within" in search("rank").out
    assert search("export", "table.md").status == DONE
    assert "coarse ended at the budget of 0.0 s: none of 4 values" in Path("table.md").read_text()
    rest = search(*THREE, "--json").json
    assert rest["stages"][0]["cut"] is None
    whole = search(*THREE, "--study", "whole", "--fresh", "--json").json
    assert accuracies(rest) == accuracies(whole)


def test_a_budget_that_is_long_enough_changes_nothing(search):
    within = search(*THREE, "--within", "10m", "--json")

    assert within.json["stages"][0]["cut"] is None
    assert "4 values × 3 seeds × 2 epochs" in within.err
    assert {trial["replicates"] for trial in within.json["trials"]} == {3}


def test_a_time_without_a_unit_is_refused(search, own_folder):
    answer = search(*COARSE, "--within", "20")

    assert answer.status == USAGE
    assert answer.err == "error: --within must be a time such as 90s, 20m or 1h30m, got '20'\n"
    assert list(own_folder.iterdir()) == []


def test_a_lab_whose_time_is_over_opens_no_test_set_until_it_goes_on(search, own_folder):
    path = own_folder / "lab.toml"
    path.write_text(LAB, encoding="utf-8")
    forecast = search("run", path, "--dry-run", "--json").json
    assert [part["part"] for part in forecast["parts"]] == ["settings", "eta"]

    parts = search("run", path, "--part", "settings", "--within", "0.001s", "--json").json["parts"]
    assert [part.get("skipped") for part in parts] == ["nothing is left of the budget of 0.0 s"]
    (part,) = search("run", path, "--part", "settings", "--within", "10m", "--json").json["parts"]
    assert part["test"] is not None


def test_an_entry_of_the_queue_keeps_its_budget(search, own_folder):
    path = own_folder / "lab.toml"
    path.write_text(LAB, encoding="utf-8")
    open_database("search.db", create=True).close()
    entry = search("submit", path, "--within", "0.001s", "--json").json

    assert entry["within"] == 0.001
    assert search("serve", "--once", "--no-dashboard").status == DONE
    with open_database("search.db", read_only=True) as database:
        (done,) = repository.queue(database)
    assert (done.state, stored(done).within) == ("finished", 0.001)
    assert {answer["skipped"] for answer in done.answers} == {
        "nothing is left of the budget of 0.0 s"
    }


def test_python_has_the_same(own_folder):
    study = Study.search("lambda", hidden=(8,), epochs=2)
    forecast = study.forecast("coarse", trials=4, replicates=3)

    assert repr(forecast).startswith("coarse: 4 values × 3 seeds × 2 epochs, ")
    assert (forecast.n_runs, forecast.to_dict()["seeds"]) == (12, [3, 3])
    assert list(own_folder.iterdir()) == []
    cut = study.coarse(trials=4, replicates=3, within=0.001)
    assert cut.best is None
    assert study.forecast("coarse").n_runs == 12
    assert study.coarse().best.replicates == 3
    with pytest.raises(StudyError, match=r"within= must be a time such as"):
        study.coarse(within="soon")
