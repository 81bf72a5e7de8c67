"""What commands say of studies whose replicates are splits."""

import pytest

QUICK = ("--epochs", "2", "--hidden", "4", "--quiet")
VALUES = ("--values", "0.001,0.1")


@pytest.fixture
def begin(search, samples):
    """Begin a study over two values on a file of 90 samples."""
    path = samples()

    def call(name, *words):
        return search(
            "lambda", "--coarse", "--data", path, *VALUES, *QUICK, "--study", name, *words
        )

    return call


def test_the_legend_says_what_intervals_are_for_and_what_splits_and_seeds_do(begin, search):
    assert begin("one", "--folds", "4").status == 0
    assert begin("several", "--folds", "4", "--replicates", "2").status == 0
    assert begin("redrawn", "--redraw", "--replicates", "3").status == 0

    one, several, redrawn = (
        " ".join(search("rank", name).out.split()) for name in ("one", "several", "redrawn")
    )

    assert "with 4 folds of 22 or 23 validation samples, a difference" in one
    assert "by the corrected variance (Nadeau and Bengio 2003)" in one
    assert "vary from fold to fold by" in one
    assert "use --replicates 3 to measure how much of that seeds do" in one
    assert "22 or 23 validation samples and 2 seeds on each" in several
    assert "from seed to seed on the same fold by" in several
    assert "with 3 splits of 22 validation samples" in redrawn
    assert "each split has one seed, so what seeds do is part of that" in redrawn
    varied = search("rank", "several", "--json").json["comparison"]["varied"]
    assert (varied["n_splits"], varied["n_seeds"]) == (4, [2, 2])
    assert min(varied["splits"], varied["seeds"]) >= 0


def test_two_studies_are_compared_by_fold_and_not_where_their_splits_differ(begin, search):
    for name, *words in (
        ("a", "--folds", "4"),
        ("b", "--folds", "4", "--activation", "tanh"),
        ("c", "--folds", "3"),
        ("d",),
    ):
        assert begin(name, *words).status == 0

    same, other, plain = (
        " ".join(search("compare", "a", name).out.split()) for name in ("b", "c", "d")
    )

    assert "paired by fold: accuracies on the same 4 folds" in same
    assert "95 % interval" in same
    for refused in (other, plain):
        assert "no test, replicates are splits of the data" in refused


def test_a_study_on_folds_is_audited_replayed_packed_reported_and_tested(begin, search):
    assert begin("lambda", "--folds", "3").status == 0
    lines = {}
    for words in (
        ("audit", "lambda", "--runs", "2"),
        ("replay", "lambda"),
        ("pack", "lambda", "all.cfs"),
        ("test", "lambda", "--top", "1"),
        ("save", "lambda", "best.npz"),
        ("report", "lambda", "--out", "r.md", "--no-figures"),
    ):
        answer = search(*words)
        assert answer.status == 0, answer.err
        lines[words[0]] = " ".join(answer.out.split())

    assert "the same to the last bit" in lines["audit"]
    assert "because replicates have validation samples of their own" in lines["replay"]
    assert "refit train+validation" in lines["test"]
    assert search("rank", "lambda", "--storage", "all.cfs").status == 0
