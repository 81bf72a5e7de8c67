"""Studies that move: packed, unpacked and merged, on the command line and from Python."""

import shutil
import sqlite3

import pytest

from coarsefine import StudyError, list_studies, merge_studies, pack_studies, unpack_studies
from tests.db.older import put_older


@pytest.fixture(scope="module")
def packed_once(finished, tmp_path_factory):
    """The finished study, packed."""
    file = tmp_path_factory.mktemp("packed") / "hand-in.cfs"
    return pack_studies("digits/lambda", file=file, storage=finished)


@pytest.fixture
def packed(packed_once, study):
    return shutil.copy(packed_once, study.with_name("hand-in.cfs"))


def ranked(search, *words):
    found = search("rank", *words, "--json").json
    return found["trials"], found["notes"]


def test_a_packed_file_is_read_unpacked_and_carried_on_with(search, study, packed):
    answer = search("pack", "digits/*", "all.cfs", "--json").json
    assert answer["studies"] == ["digits/lambda"]
    assert answer["bytes"] == packed.with_name("all.cfs").stat().st_size
    assert ranked(search, "--storage", packed) == ranked(search)
    assert sorted(file.name for file in study.parent.glob("*.cfs*")) == ["all.cfs", "hand-in.cfs"]

    course = ("--storage", "course.db")
    unpacked = search("unpack", packed, "--prefix", "anna/", *course)

    assert (unpacked.status, unpacked.out) == (0, "added digits/lambda as anna/digits/lambda\n")
    assert search("check", *course).status == 0
    assert ranked(search, *course) == ranked(search)
    more = ("--trials", "4", "--hidden", "8", "--epochs", "2", "-q", "--study")
    assert search("lambda", "--fine", *more, "anna/digits/lambda", *course).status == 0
    here, there = search("merge", study, *course), search("merge", "course.db")
    assert here.out == "anna/digits/lambda: is here already\n"
    assert there.out == "digits/lambda: renewed: it has come further there\n"
    assert "were here with equal results" in there.err
    assert search("check").status == 0
    assert ranked(search) == ranked(search, *course)


def test_a_file_that_is_not_as_packed_is_refused(search, packed):
    with sqlite3.connect(packed) as connection:
        connection.execute("UPDATE training_epochs SET train_loss = 0.5 WHERE epoch = 1")
    connection.close()

    refused = search("unpack", packed, "--storage", "new.db")

    assert refused.status == 1
    assert "study 'digits/lambda' is not as packed: the file was damaged or changed" in refused.err
    assert not packed.with_name("new.db").exists()
    assert search("merge", packed, "--storage", "new.db").status == 0


def test_a_packed_file_is_audited_as_it_is(search, packed):
    answer = search("audit", packed, "--runs", "1", "-q")

    assert answer.status == 0, answer.err
    assert search("audit", packed, "--study", "none").status == 1
    with sqlite3.connect(packed) as connection:
        connection.execute("UPDATE training_runs SET validation_loss = 0.5")
    connection.close()
    assert "not as packed" in search("audit", packed).err


def test_results_that_were_invented_are_reported(search, study, own_folder):
    shutil.copy(study, "bob.db")
    with sqlite3.connect("bob.db") as connection:
        connection.execute("UPDATE training_runs SET validation_accuracy = 0.99 WHERE id = 2")
    connection.close()

    answer = search("merge", "bob.db", "--json")

    assert answer.status == 1
    assert answer.json["refused"] == ["digits/lambda"]
    (run,) = answer.json["unequal_runs"]
    assert run["differing"]["validation_accuracy"]["there"] == 0.99
    assert "validation_accuracy 0.99 / 0." in search("merge", "bob.db").out


def test_a_file_of_an_older_version_is_merged_and_stays_as_it_is(search, own_folder):
    older = put_older(own_folder / "older.db", "0004")
    before = older.read_bytes()

    assert search("merge", "older.db", "--only", "half").out == "added half\n"

    assert older.read_bytes() == before
    assert search("check").status == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("pack", "digits/lambda"), 2, "name the studies, and a file that ends with .cfs"),
        (("pack", "digits/lambda", "x.db"), 2, "name the studies, and a file that ends with .cfs"),
        (("pack", "digits/lambda", "hand-in.cfs"), 1, "is there already; replace it with --force"),
        (("pack", "none", "x.cfs"), 1, "has no study 'none'"),
        (("pack", "digits/lambda", "no/x.cfs"), 1, "the folder"),
        (("unpack", "search.db", "--storage", "x.db"), 1, "search.db is not a packed file"),
        (("unpack", "none.cfs"), 1, "there is no none.cfs"),
        (("merge", "search.db"), 1, "from another database than this one"),
        (("merge", "hand-in.cfs", "--prefix", "\t"), 2, "all printable"),
        (("merge", "hand-in.cfs", "--only", "none"), 1, "has no study 'none'"),
    ],
)
def test_what_cannot_be_moved_is_one_line(search, packed, words, status, said):
    answer = search(*words)

    assert (answer.status, answer.out) == (status, "")
    assert said in answer.err.splitlines()[0]
    assert not packed.with_name("x.db").exists()


def test_python_moves_studies_as_well(study):
    file = pack_studies("digits/*", file="all.cfs")
    assert unpack_studies(file, prefix="b/", storage="b.db").added == [
        ("digits/lambda", "b/digits/lambda")
    ]
    assert merge_studies("b.db").kept == ["digits/lambda"]
    assert list(list_studies(storage="b.db")["study"]) == ["b/digits/lambda"]
    with pytest.raises(StudyError, match=r"ends with \.cfs"):
        pack_studies(file="all.db")
    with pytest.raises(StudyError, match="replace it with force=True"):
        pack_studies(file="all.cfs")


def test_what_cannot_be_merged_leaves_no_new_file(search, study):
    with sqlite3.connect(study) as connection:
        connection.execute("UPDATE training_stages SET name = name || char(10)")
    connection.close()

    refused = search("merge", "search.db", "--storage", "new.db")

    assert refused.status == 1
    assert "holds a study that this program did not write" in refused.err
    assert sorted(file.name for file in study.parent.iterdir()) == ["search.db"]


def test_names_that_look_like_options_are_refused_and_old_ones_reached(search, coarse):
    for words in (
        ("mv", "digits/lambda", "--", "--mine"),
        ("lambda", "--coarse", "--study=-x"),
        ("merge", "search.db", "--storage", "other.db", "--prefix=-"),
    ):
        refused = search(*words)
        assert refused.status == 2
        assert "must not begin with a dash, as options do; got '-" in refused.err
    with sqlite3.connect(coarse) as connection:
        connection.execute("UPDATE training_studies SET name = '--mine'")
    connection.close()

    assert "--mine" in search("rank", "--", "--mine").out
    proposed = search("rank").out.strip().splitlines()[-1]
    assert proposed.endswith((" lambda --fine --study=--mine", " test -- --mine"))
    assert search("lambda", "--fine", "--study=--mine", "--trials", "2", "-q").status == 0
    assert search("mv", "--", "--mine", "mine").out == "--mine -> mine\n"
