"""Hints of the floors below as the command line and Python write them."""

import pickle

import pytest

from coarsefine.db.errors import StorageError
from coarsefine.hints import Hint, Message, command, joined, option, search_command
from coarsefine.models.errors import DataError
from coarsefine.search.hints import following
from coarsefine.search.hints import spelled as typed
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.hints import spelled as called
from coarsefine.studies.errors import RecipeError, StudyError


@pytest.mark.parametrize(
    ("hint", "line", "call"),
    [
        (
            search_command("lambda", "coarse"),
            "python -m search lambda --coarse",
            'Study.search("lambda").coarse()',
        ),
        (
            search_command("eta", "fine", study="a b", data="mnist"),
            "python -m search eta --fine --study 'a b' --data mnist",
            'Study.search("eta", name="a b", data="mnist").fine()',
        ),
        (
            search_command("lambda", "coarse", study="a/b", low="1e-7", high=0.1),
            "python -m search lambda --coarse --study a/b --low 1e-7 --high 0.1",
            'Study.search("lambda", name="a/b").coarse(low=1e-7, high=0.1)',
        ),
        (
            search_command("batch-size", study="a"),
            "python -m search batch-size --study a",
            'Study.search("batch-size", name="a").grid()',
        ),
        (
            command("test", "a/b", refit="none"),
            "python -m search test a/b --refit none",
            'Study("a/b").test(refit="none")',
        ),
        (command("test"), "python -m search test", "Study().test()"),
        (command("test", 'a"b'), "python -m search test 'a\"b'", 'Study("a\\"b").test()'),
        (command("rank", "a/b"), "python -m search rank a/b", 'Study("a/b").ranking'),
        (command("list"), "python -m search list", "list_studies()"),
        (command("check"), "python -m search check", "python -m search check"),
        (option("training.batch_size"), "--batch-size", "batch_size="),
        (option("network.bias", False), "--no-bias", "bias=False"),
        (option("fresh", True), "--fresh", "fresh=True"),
        (option("study"), "--study", "name="),
        (option("together", True), "--together", "alone=False"),
        (option("data.name"), "--data", "data="),
        (option("training.lambda"), "--lambda", "lambda_="),
        (option("final.epochs"), "--final-epochs", "final_epochs="),
        (
            option("refit", "train+validation"),
            "--refit train+validation",
            'refit="train+validation"',
        ),
        (option("equal", "updates"), "--equal updates", 'equal="updates"'),
        (
            option("data.missing", ("median", "indicator", "drop")),
            "--missing median, indicator or drop",
            'missing="median", "indicator" or "drop"',
        ),
    ],
)
def test_each_face_writes_hints_in_its_own_words(hint, line, call):
    assert typed(hint) == line
    assert called(hint) == call


@pytest.mark.parametrize(
    "line", ["--storage a.db --storage b.db", "--storage=a.db --storage b.db", "--storage=b.db"]
)
def test_commands_name_the_storage_that_was_stated_last(line):
    with following(["list", *line.split()]):
        assert typed(command("list")).endswith(" list --storage b.db")


def test_text_is_never_taken_for_a_hint():
    text = "a -- b, 1 --2, {x}, --study, python -m search test, %s"

    assert typed(Message(text)) == called(Message(text)) == str(Message(text)) == text


@pytest.mark.parametrize("kind", [StudyError, RecipeError, StorageError, DataError])
def test_errors_keep_their_hints_from_one_process_to_another(kind):
    error = kind("it is taken; choose another name with ", option("study"))

    for each in (error, pickle.loads(pickle.dumps(error))):
        assert str(each) == "it is taken; choose another name with study"
        assert typed(each).endswith("with --study")
        assert called(each).endswith("with name=")


@pytest.mark.parametrize("kind", [StudyError, StorageError, DataError])
def test_hints_survive_in_the_error_that_quotes_another(kind):
    inner = kind("use ", option("training.batch_size"))
    outer = StudyError(joined("; ", ["a.toml: part 1", inner.message]))

    assert typed(outer) == "a.toml: part 1; use --batch-size"
    with pytest.raises(StudyError, match=r"^a\.toml: part 1; use batch_size=$"), as_study_errors():
        raise outer


def test_a_hint_is_a_value():
    assert option("study") == Hint("set", (("study", None),))
    assert len({option("study"), option("study"), option("storage")}) == 2
