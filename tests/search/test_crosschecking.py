"""``crosscheck`` on the command line."""

import sys

import pytest

from coarsefine.studies.checks import crosscheck
from tests.search.conftest import QUICK

SKLEARN = ("crosscheck", "--against", "sklearn", *QUICK)


def test_both_curves_are_shown_side_by_side_with_a_verdict(search):
    answer = search(*SKLEARN, "--steps", "2")

    assert answer.status == 0
    assert "after each of the first updates" in answer.out
    assert answer.out.count(" ok\n") == 2 + 3
    assert "agrees with scikit-learn " in answer.out
    assert "note: J = mean loss + λ Σ W² is alpha = 2 λ B" in answer.out


def test_weights_of_0_are_the_same_on_both_sides(search):
    found = search(*SKLEARN, "--hidden", "none", "--initialisation", "zero", "--json").json

    assert [epoch["agrees"] for epoch in found["epochs"]] == 3 * [True]


def test_json_has_every_step_and_epoch(search):
    found = search(*SKLEARN, "--precision", "float64", "--json").json

    assert (found["against"], found["agrees"], found["differs_at"]) == ("sklearn", True, None)
    assert [step["update"] for step in found["steps"]] == list(range(1, 11))
    assert [epoch["epoch"] for epoch in found["epochs"]] == [0, 1, 2]
    for epoch in found["epochs"]:
        assert epoch["difference"] <= epoch["allowed"]
        assert set(epoch["ours"]) == set(epoch["theirs"])


def test_long_trainings_are_thinned_out_for_people_only(search):
    line = (*SKLEARN, "--epochs", "30", "--batch-size", "1000")

    assert "after 24 of 31 epochs (--json has all)" in search(*line).out
    assert len(search(*line, "--json").json["epochs"]) == 31


def test_a_difference_ends_with_status_1(search, monkeypatch):
    monkeypatch.setattr(crosscheck, "SLACK", 0.0)
    answer = search(*SKLEARN)

    assert answer.status == 1
    assert "differs from scikit-learn" in answer.out.splitlines()[-2]


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("--against", "tensorflow"), 2, "must be against torch or sklearn, got tensorflow"),
        (("--against", "sklearn", "--steps", "-1"), 2, "--steps must be >= 0, got -1"),
        (("--against", "sklearn", "--no-bias"), 1, "Check against torch, which can"),
    ],
)
def test_what_cannot_be_compared_is_one_line(search, words, status, line):
    answer = search("crosscheck", *QUICK, *words)

    assert (answer.status, answer.out) == (status, "")
    assert line in answer.err
    assert answer.err.count("\n") == 1


def test_without_pytorch_it_says_how_to_get_it(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = search("crosscheck", *QUICK)

    assert (answer.status, answer.out) == (1, "")
    assert answer.err.endswith("get it with: pip install torch\n")


def test_the_curves_of_both_sides_are_drawn_one_over_the_other(search, own_folder):
    pytest.importorskip("sklearn")
    words = ("crosscheck", "--against", "sklearn", "--hidden", "8", "--epochs", "2", "--quiet")

    answer = search(*words, "--schedule", "constant", "--figure", "both.svg")

    assert answer.status == 0
    assert (own_folder / "both.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_a_figure_that_cannot_be_written_is_refused_before_training(search, own_folder):
    assert search("crosscheck", "--figure", "both.gif").status == 2
    assert search("crosscheck", "--figure", "nowhere/both.png").status == 1
