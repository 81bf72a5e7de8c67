"""Races over seeds from the command line and from Python, asked for or by default."""

import pytest

from coarsefine import Study
from coarsefine.studies.planning import races
from tests.search.conftest import QUICK

FEW = ("lambda", "--coarse", "--values", "1e-4,1e-2,5", *QUICK)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(races, "QUICK_SECONDS", 6.0)


def test_what_takes_seconds_is_raced_and_says_so(search, own_folder, quick):
    answer = search(*FEW)

    assert "this takes seconds, so all values get 3 seeds" in answer.err
    assert "use --replicates 1 for one seed" in answer.err
    *_, verdict, empty, following = answer.out.splitlines()
    assert verdict.startswith("note: race over seeds, coarse: ")
    assert (empty, following) == ("", "next: python -m search lambda --fine")
    race = search("rank", "--json").json["stages"][0]["race"]
    assert (race["least"], race["most"], race["indifference"]) == (3, 20, 0.005)
    assert race["ended"]["end"] in {"best", "close", "samples", "seeds"}
    fine = search("lambda", "--fine", "--trials", "2", "--json").json
    assert fine["stages"][1]["race"]["ended"] is not None
    assert search("check").status == 0


def test_one_seed_or_a_long_training_is_not_raced(search, own_folder, quick):
    one = search(*FEW, "--replicates", "1", "--json").json
    assert one["stages"][0]["race"] is None
    assert {trial["replicates"] for trial in one["trials"]} == {1}
    # A study that was begun with one seed carries on with it.
    assert search(*FEW, "--json").json["trials"] == one["trials"]
    assert races.quick_race(8, 0.3) is not None
    assert races.quick_race(8, 0.31) is None
    assert races.quick_race(races.MOST_RACED + 1, 0.0) is None


def test_a_race_is_asked_for_in_python_as_in_the_terminal(search, own_folder):
    words = ("--replicates", "3..5", "--indifference", "2")
    theirs = search(*FEW, *words, "--json").json
    study = Study.search("lambda", epochs=2, hidden=[8], name="python")

    ours = study.coarse(values=[1e-4, 1e-2, 5], replicates="3..5", indifference=2, fresh=True)

    race = ours.to_dict()["stages"][0]["race"]
    assert race == theirs["stages"][0]["race"]
    assert (race["most"], race["indifference"]) == (5, 0.02)
    assert ours.notes[-1].startswith("race over seeds, coarse: ")


def test_more_seeds_are_asked_for_with_an_option(search, own_folder):
    search(*FEW, "--quiet")
    answer = search(*FEW, "--replicates", "2", "--only", "all")
    assert "3 values with 1 seed get 2" in answer.err
    named = search(*FEW[:3], "5", *QUICK, "--replicates", "3", "--json").json["trials"]
    assert {t["params"]["lambda"]: t["replicates"] for t in named} == {1e-4: 2, 1e-2: 2, 5.0: 3}
