"""Many studies kept in order, on the command line and from Python."""

import optuna
import pytest

import coarsefine
from coarsefine import Study, StudyError, list_studies, purge_studies
from coarsefine import remove_studies as remove
from coarsefine import restore_studies as restore
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database


def names(search, *words):
    return [each["study"] for each in search("list", *words, "--json").json["studies"]]


def optunas(path):
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    found = sorted(each.study_name for each in storage.get_all_studies())
    storage.remove_session()
    storage.engine.dispose()
    return found


def test_studies_are_copied_chosen_and_tidied_up(search, study, monkeypatch):
    assert search("cp", "digits/lambda", "draft/a").out == "digits/lambda -> draft/a\n"
    copies = search("cp", "digits/lambda", "draft/a", "old/", "--json").json["studies"]
    assert copies == [
        {"from": "draft/a", "to": "old/draft/a"},
        {"from": "digits/lambda", "to": "old/digits/lambda"},
    ]
    assert search("check").status == 0
    # A copy carries on as its original would.
    ranked = [
        search("rank", name, "--json").json["trials"] for name in ("digits/lambda", "old/draft/a")
    ]
    assert ranked[0] == ranked[1]
    more = ("lambda", "--fine", "--trials", "4", "--hidden", "8", "--epochs", "2", "-q")
    assert search(*more, "--study", "draft/a").status == 0

    assert search("tag", "old/*", "--add", "keep", "--add", "β").out == (
        "old/draft/a: keep, β\nold/digits/lambda: keep, β\n"
    )
    assert search("tag", "old/draft/a", "--remove", "keep", "--json").json["studies"] == [
        {"study": "old/draft/a", "tags": ["β"]}
    ]
    assert search("note", "draft/a", "--text", "with\n[red]markup").status == 0
    assert search("note", "draft/a").out == "draft/a: with\n[red]markup\n"
    assert names(search, "--tag", "keep", "--tag", "β") == ["old/digits/lambda"]
    assert names(search, "draft*", "old/d[ir]*", "--search", "lambda") == [
        "draft/a",
        "old/draft/a",
        "old/digits/lambda",
    ]
    assert names(search, "--search", "eta") == names(search, "--data", "mn*") == []
    assert names(search, "--since", "2999-01-01") == []
    assert len(names(search, "--since", "1h", "--data", "dig*")) == 4
    assert "with [red]markup" in search("list").out
    shown = search("show", "draft/a")
    assert "[red]markup" in shown.out
    # The opening that all of them share is one.
    assert "opened 1 time\n" in shown.out

    refused = search("rm", "draft/a", "old/*")
    assert refused.status == 2
    assert refused.err.endswith(
        "error: 3 studies with 22 trials go to the trash; add --yes if that is meant\n"
    )
    assert len(names(search)) == 4
    with monkeypatch.context() as terminal:
        terminal.setattr("sys.stdin.isatty", lambda: True)
        terminal.setattr("typer.confirm", lambda *_, **__: False)
        assert search("rm", "old/*").status == 130
    assert search("rm", "draft/a", "old/*", "--yes", "--json").json["trials"] == 22
    assert names(search) == ["digits/lambda"]
    assert names(search, "--trash") == ["old/draft/a", "old/digits/lambda", "draft/a"]
    assert search("rank", "draft/a").status == 1
    assert search("restore", "old/*").status == 0
    undone = search("rm", "old/*", "--yes").out
    assert undone.endswith("to undo: python -m search restore 'old/*'\n")
    assert search("restore", "draft/a").status == 0
    assert search("mv", "draft/a", "digits/lambda").err.startswith(
        "error: study 'digits/lambda' is in search.db already"
    )
    assert search("mv", "draft/a", "final").out == "draft/a -> final\n"
    assert optunas(study)[:4] == [
        "digits/lambda/coarse",
        "digits/lambda/fine",
        "final/coarse",
        "final/fine",
    ]
    purged = search("purge", "--yes", "--json").json
    assert purged["studies"] == ["old/draft/a", "old/digits/lambda"]
    assert purged["test_openings"] == 2
    assert search("purge").out == "the trash is empty\n"
    assert search("check").status == 0
    assert len(optunas(study)) == 4


def test_the_test_set_of_a_study_that_was_deleted_stays_opened(search, study):
    begun = ("lambda", "--coarse", "--epochs", "2", "--hidden", "8", "--trials", "2", "-q")
    search("rm", "digits/lambda")
    assert search(*begun).status == 0

    shown = search("show", "digits/lambda")
    assert "never opened for this study\n" in shown.out
    assert "opened 1 time for digits/lambda (in the trash)" in shown.out
    search("purge", "--yes")
    elsewhere = search("show", "--json").json["openings_elsewhere"]
    assert elsewhere == [{"study": "digits/lambda (deleted)", "openings": 1}]
    tested = search("test", "--top", "1", "-q")
    assert "digits/lambda (deleted)" in tested.out + tested.err


def test_what_was_deleted_or_renamed_in_optuna_is_said_and_put_right(search, study):
    storage = f"sqlite:///{study}"
    optuna.delete_study(study_name="digits/lambda/coarse", storage=storage)
    optuna.copy_study(
        from_study_name="digits/lambda/fine",
        from_storage=storage,
        to_storage=storage,
        to_study_name="mine",
    )
    optuna.delete_study(study_name="digits/lambda/fine", storage=storage)

    for command in ("list", "show"):
        said = search(command).err
        assert "note: Optuna has lost digits/lambda: deleted or renamed there" in said
        assert "`python -m search check --repair` writes it again" in said
    elsewhere = search("list", "--storage", "search.db").err
    assert "`python -m search check --repair --storage search.db` writes it again" in elsewhere
    assert "`python -m search rm digits/lambda --storage search.db` deletes it here" in elsewhere
    mended = search("check", "--repair")

    assert mended.status == 0, mended.out
    assert "digits/lambda/coarse: written to Optuna again, 4 trials" in mended.out
    assert "digits/lambda/fine: Optuna's study has its name again" in mended.out
    assert optunas(study) == ["digits/lambda/coarse", "digits/lambda/fine"]
    assert "note: Optuna has lost" not in search("list").err
    # What was deleted there on purpose goes here too.
    optuna.delete_study(study_name="digits/lambda/coarse", storage=storage)
    assert search("rm", "digits/lambda").status == 0
    assert "note: Optuna has lost" not in search("list").err
    assert search("check").status == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("rm", "digits"), 1, "has no study 'digits'; did you mean digits/lambda?"),
        (("restore", "*"), 1, "the trash of search.db has no study '*'"),
        (("mv", "digits/lambda"), 2, "name the study, and the new name after it"),
        (("mv", "digits/lambda", "a\tb"), 2, "all printable, got 'a\\tb'"),
        (("cp", "digits/lambda", "x" * 256), 2, "must be 1 … 255 characters"),
        (("tag", "digits/lambda", "--add", "a,b"), 2, "without a comma, got 'a,b'"),
        (("note", "digits/lambda", "--text", "x" * 10_001), 2, "at most 10,000 characters"),
        (("list", "--since", "yesterday"), 2, "--since must be a date such as 2026-03-02"),
        (("list", "--tag"), 2, "requires an argument"),
    ],
)
def test_what_cannot_be_meant_is_one_line(search, study, words, status, said):
    answer = search(*words)

    assert (answer.status, answer.out) == (status, "")
    assert said in answer.err.splitlines()[0]
    assert names(search) == ["digits/lambda"]


def test_python_tidies_up_as_well(study):
    found = Study("digits/lambda")
    assert found.copy("other") == "other"
    found.rename("first")
    assert (found.name, found.ranking.study) == ("first", "first")
    assert found.tag("a", "b", remove=["a"]) == found.tags == ("b",)
    found.annotate("mine")
    assert found.note == "mine"
    listed = list_studies(tags=["b"], since="1d", search="lambda", data="digits")
    assert listed[["study", "tags", "note"]].to_numpy().tolist() == [["first", "b", "mine"]]
    found.remove()
    assert list(list_studies(trash=True)["study"]) == ["first"]
    assert restore("fi*") == ["first"]
    assert remove("first", "other") == ["other", "first"]
    assert purge_studies() == ["other", "first"]
    assert list_studies().empty
    with open_database(str(study)) as database:
        assert len(repository.openings(database)) == 2
    with pytest.raises(StudyError, match='name the studies, as in "mnist/lambda"'):
        coarsefine.remove_studies()
