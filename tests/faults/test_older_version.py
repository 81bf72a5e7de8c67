"""What an older version began is ranked as it was, carried on, tested and exported."""

import pytest

from tests.db.older import OLDER, older_rankings, put_older

QUIET = ("--quiet", "--jobs", "1")


# Those between are brought up to date by the same steps as the oldest.
@pytest.fixture(
    params=[
        pytest.param(name, marks=() if name in {OLDER[0], OLDER[-1]} else pytest.mark.slow)
        for name in OLDER
    ]
)
def older(own_folder, request):
    put_older(own_folder / "search.db", request.param)
    return request.param


def ranked(answer, names):
    """Return what a ranking says under the names that the older version had."""
    return [{name: trial[name] for name in names} for trial in answer.json["trials"]]


def test_its_ranking_is_what_it_was(search, older):
    wanted = older_rankings()["digits/lambda"]
    # A search that is done has nothing left to do but to bring the tables up to date.
    done = search("lambda", "--fine", "--study", "digits/lambda", *QUIET)
    assert done.status == 0
    assert f"brought up to date (schema {older}" in done.err

    answer = search("rank", "digits/lambda", "--json")

    names = ("rank", "stage", "trial", "state", "params", "replicates", "validation_accuracy")
    losses = ("validation_loss", "train_accuracy", "test_accuracy")
    assert answer.json["study"] == wanted["study"]
    assert ranked(answer, names + losses) == [
        {name: trial[name] for name in names + losses} for trial in wanted["trials"]
    ]


def test_a_search_that_it_was_killed_in_ends_as_if_it_had_not_been(search, older):
    wanted = older_rankings()["half"]["trials"]

    answer = search(
        *("lambda", "--coarse", "--study", "half", "--hidden", "6", "--cycles", "2", "--seed", "1"),
        *("--trials", "3", "--replicates", "2", *QUIET, "--json"),
        *(() if older == "0001" else ("--running",)),
    )

    assert answer.status == 0
    names = ("rank", "stage", "trial", "state", "params", "replicates")
    assert ranked(answer, names) == [{name: trial[name] for name in names} for trial in wanted]
    # Another processor may round otherwise: a sample or two of 360 lie on the edge.
    found = [trial["validation_accuracy"] for trial in answer.json["trials"]]
    assert found == pytest.approx([trial["validation_accuracy"] for trial in wanted], abs=2 / 360)


def test_it_goes_on_to_more_trials_another_test_and_an_export(search, older):
    more = search("lambda", "--fine", "--study", "digits/lambda", "--trials", "6", *QUIET, "--json")
    assert more.status == 0
    assert len(more.json["trials"]) == 4 + 6

    opened = len(search("show", "digits/lambda", "--json").json["openings"])
    assert opened > 0

    tested = search("test", "digits/lambda", "--top", "1", *QUIET, "--json")

    assert tested.status == 0
    assert tested.json["opened"] == opened + 1
    assert search("export", "digits/lambda", "out.csv").status == 0
