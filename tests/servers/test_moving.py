"""Studies that are tidied up on a server, and move from a file to it and back."""

import shutil

from tests.search.conftest import begun, finished

__all__ = ["begun", "finished"]


def test_studies_move_to_a_server_and_back_and_are_tidied_up_there(
    search, url, finished, own_folder
):
    shutil.copy(finished, own_folder / "search.db")
    there = ("--storage", url)

    def ranked(*words):
        return search("rank", *words, "--json").json["trials"]

    assert search("merge", "search.db", "--prefix", "a/", *there).out == (
        "added digits/lambda as a/digits/lambda\n"
    )
    assert search("check", *there).status == 0
    assert ranked(*there) == ranked()
    assert search("cp", "a/digits/lambda", "b", *there).status == 0
    assert search("mv", "*", "c/", *there).status == 0
    assert search("tag", "c/*", "--add", "x", *there).status == 0
    assert search("rm", "c/b", *there).status == 0
    listed = search("list", "--tag", "x", *there, "--json").json["studies"]
    assert [each["study"] for each in listed] == ["c/a/digits/lambda"]
    assert search("restore", "c/*", *there).status == 0
    assert search("rm", "c/b", *there).status == 0
    assert search("purge", "--yes", *there, "--json").json["studies"] == ["c/b"]
    assert search("check", *there).status == 0
    more = ("lambda", "--fine", "--trials", "4", "--hidden", "8", "--epochs", "2", "-q")
    assert search(*more, "--study", "c/a/digits/lambda", *there).status == 0

    assert search("pack", "c/*", "back.cfs", *there).status == 0
    assert search("unpack", "back.cfs").out == (
        "digits/lambda: renewed: it has come further there\n"
    )
    assert search("check").status == 0
    assert ranked() == ranked(*there)
    assert search("merge", url).out == "digits/lambda: is here already\n"
