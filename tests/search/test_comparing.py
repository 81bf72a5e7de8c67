"""Studies side by side: only what differs, and what each found."""

import pytest

from coarsefine.studies.results.statistics import wilson
from tests.search.conftest import COARSE


@pytest.fixture
def two(search, study):
    """A study that was tested, and one with wider layers and another batch size that was not."""
    wider = ("--hidden", "9", "--batch-size", "30", "--study", "wider", "--quiet")
    assert search(*COARSE, *wider).status == 0


def test_only_the_keys_that_differ_are_shown(search, two):
    found = search("compare", "digits/lambda", "wider", "--json").json

    assert found["differences"] == ["network.hidden", "training.batch_size"]
    assert [side["settings"] for side in found["studies"]] == [
        {"network.hidden": [8], "training.batch_size": 20},
        {"network.hidden": [9], "training.batch_size": 30},
    ]


def test_a_line_says_what_the_ranking_and_the_final_test_say(search, two):
    sides = search("compare", "digits/lambda", "wider", "--json").json["studies"]

    for side in sides:
        best = search("rank", side["study"], "--json").json["trials"][0]
        for key in ("stage", "trial", "params", "validation_accuracy", "interval"):
            assert side["best"][key] == best[key]
    opening = search("show", "digits/lambda", "--json").json["openings"][0]
    tested = opening["trials"][0]["test_accuracy"]
    assert sides[0]["test"]["accuracy"] == tested
    assert sides[0]["test"]["interval"] == list(wilson(tested, opening["test_samples"]))
    assert (sides[1]["test"], sides[1]["test_openings"]) == (None, 0)


def test_the_table_has_a_line_a_study_in_the_order_they_are_named(search, two):
    answer = search("compare", "wider", "digits/lambda")

    rows = [line.split() for line in answer.out.splitlines() if "λ" in line]
    assert answer.status == 0
    assert [row[:3] for row in rows] == [["wider", "9", "30"], ["digits/lambda", "8", "20"]]
    assert "note: same data, split and seed" in answer.out


def test_what_one_study_searches_is_no_setting_of_it(search, two):
    eta = ("eta", "--coarse", "--trials", "2", "--epochs", "1", "--study", "rates", "--quiet")
    assert search(*eta).status == 0

    sides = search("compare", "wider", "rates", "--json").json["studies"]

    assert sides[0]["settings"]["training.lambda"] == "searched"
    assert sides[1]["settings"]["training.eta"] == "searched"
    assert sides[1]["settings"]["training.lambda"] == 0.0


def test_other_seeds_and_data_are_said_to_be_no_like_for_like(search, two, samples):
    assert search(*COARSE, "--seed", "1", "--study", "seeded", "--quiet").status == 0
    assert search(*COARSE, "--data", samples(), "--study", "mine", "--quiet").status == 0

    assert "the splits differ" in search("compare", "wider", "seeded").out
    assert "the data differ" in search("compare", "wider", "mine").out


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("digits/lambda",), "two or more, got 1"),
        (("digits/lambda", "digits/lambda"), "got digits/lambda twice"),
        (("digits/lambda", "digits/lambdb"), "did you mean"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(search, study, names, why):
    answer = search("compare", *names)

    assert answer.status == 1
    assert why in answer.err
    assert len(answer.err.splitlines()) == 1


def test_comparing_changes_nothing(search, two, study):
    before = study.read_bytes()

    assert search("compare", "digits/lambda", "wider").status == 0

    assert study.read_bytes() == before
