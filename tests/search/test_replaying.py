"""``replay``: the same in the terminal, for programs, in Python, as a figure and in reports."""

import sqlite3

from coarsefine.search.library import Study
from tests.search.conftest import QUICK


def test_a_study_is_replayed_without_changing_it(search, study):
    before = study.read_bytes()

    answer = search("replay", "digits/lambda")
    found = search("replay", "--json").json

    assert answer.status == 0
    assert study.read_bytes() == before
    names = {each["protocol"]: each for each in found["protocols"]}
    assert set(names) == {
        *("best-epoch", "half-samples", "linear-grid", "by-test", "stopped-early")
    }
    assert {each["protocol"] for each in found["left_out"]} == {"one-seed", "another-seed"}
    for each in found["protocols"]:
        assert each["words"] in answer.out
        assert sum(winner["times"] for winner in each["winners"]) == each["cases"]
    assert found["words"] in answer.out
    assert "not replayed: the first seed alone and another seed alone" in answer.out
    best = search("rank", "--json").json["trials"][0]
    assert found["best"]["params"] == best["params"]
    # Two trials were tested; the ranking's first is one of them.
    tested = [t["test_accuracy"] for t in search("rank", "--json").json["trials"][:2]]
    assert names["by-test"]["flattery"] == max(tested) - tested[0]


def test_python_and_reports_say_the_same(search, study, own_folder):
    found = search("replay", "--json").json

    replay = Study("digits/lambda").replay()
    frame = replay.to_pandas()

    assert replay.to_dict() == found
    assert replay.conclusion == found["words"]
    assert len(frame) == sum(each["cases"] for each in found["protocols"])
    assert (frame["flattery"] == frame["headline"] - frame["honest"]).all()
    assert search("report", "-o", "r.md", "--no-figures", "--no-gradcheck").status == 0
    report = (own_folder / "r.md").read_text(encoding="utf-8")
    assert f"Ranked again under sloppier protocols: {found['words'][:40]}" in report


def test_folds_are_replayed_as_folds_and_have_no_race(search, samples):
    samples()
    folds = ("lambda", "--coarse", "--data", "mine.npz", "--folds", "3", *QUICK)
    assert search(*folds, "--values", "0.001,0.1").status == 0

    said = search("replay").out
    race = search("plot", "race")

    assert "the first fold alone" in said
    assert "another fold alone" in said
    assert "seed alone" not in said
    assert "-0.00" not in said
    assert race.err.endswith("race needs a search whose replicates are seeds alone, got folds\n")


def test_seeds_on_each_fold_are_replayed_as_runs(search, samples):
    samples()
    folds = ("lambda", "--coarse", "--data", "mine.npz", "--folds", "2", "--replicates", "2")
    assert search(*folds, *QUICK, "--values", "0.001,0.1").status == 0

    assert "the first run alone" in search("replay").out


def test_a_study_without_stored_predictions_leaves_the_halves_out(search, study):
    with sqlite3.connect(study) as database:
        database.execute("DELETE FROM training_outcomes")
    database.close()

    said = search("replay").out

    assert "half of the validation samples, because no predictions of single samples" in said


def test_a_study_without_a_complete_trial_is_refused_in_a_line(search, own_folder):
    lost = ("eta", "--coarse", "--epochs", "2", "--hidden", "8", "--values", "1e9,1e10")
    assert search(*lost, "--study", "lost", "--quiet").status == 0

    answer = search("replay", "lost")

    assert answer.status == 1
    assert answer.err == "error: study lost has no complete trial to be replayed\n"
