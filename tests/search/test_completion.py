"""What a shell completes: names of studies, labs and choices, without harm and without noise."""

import os
import shutil
import subprocess
import sys

import pytest

from coarsefine.models.specs import ACTIVATIONS
from coarsefine.search.cli import main
from coarsefine.search.figures.kinds import KINDS
from coarsefine.search.options import completion
from coarsefine.search.tables.exported import TABLES
from coarsefine.studies.labs.files import presets
from tests.commands_built import all_commands


@pytest.fixture
def complete(monkeypatch, capsys):
    """Complete the last word of a line, as a shell has it done."""

    def call(line):
        words = line.split(" ")
        monkeypatch.setattr(sys, "argv", ["coarsefine"])
        monkeypatch.setenv("_COARSEFINE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["coarsefine", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        capsys.readouterr()
        main([])
        answer = capsys.readouterr()
        assert answer.err == ""
        return set(answer.out.split())

    return call


@pytest.mark.parametrize(
    "line", ["rank ", "rank dig", "show --study d", "compare other dig", "lambda --fine --study "]
)
def test_studies_are_completed_by_their_names(complete, study, line):
    assert complete(line) == {"digits/lambda"}


def test_studies_are_those_of_the_storage_that_is_named(complete, study, own_folder):
    shutil.move(study, own_folder / "mine.db")

    assert complete("rank --storage mine.db ") == {"digits/lambda"}
    assert complete("rank ") == set()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ra", {"rank"}),
        ("data", {"data", "dataset-size"}),
        ("data v", {"verify"}),
        ("run cifar", {name for name in presets() if name.startswith("cifar")}),
        ("plot ", set(KINDS)),
        ("plot cu", {"curves"}),
        ("plot --format p", {"png", "pdf"}),
        ("export --format p", {"parquet"}),
        ("export --what ", set(TABLES)),
        ("lambda --activation ", set(ACTIVATIONS)),
        ("lambda --sampler q", {"qmc"}),
        ("lambda --data m", {"mnist"}),
    ],
)
def test_choices_are_completed_without_any_study(complete, own_folder, line, offered):
    assert complete(line) == offered
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "line", "loaded"),
    [
        ("COMP_WORDS", "coarsefine presets --", ["presets"]),
        ("_TYPER_COMPLETE_ARGS", "coarsefine presets --", ["presets"]),
        ("_TYPER_COMPLETE_ARGS", "coarsefine pres", []),
    ],
)
def test_a_shell_waits_for_the_command_of_its_line_alone(place, line, loaded):
    code = (
        "import sys\n"
        "from coarsefine.search.cli import main\n"
        "sys.argv = ['coarsefine']\n"
        "main([])\n"
        "start = 'coarsefine.search.commands.'\n"
        "print([m.removeprefix(start) for m in sys.modules if m.startswith(start)], "
        "file=sys.stderr)"
    )
    shell = {"COMP_WORDS": "bash", "_TYPER_COMPLETE_ARGS": "zsh"}[place]
    asked = {"_COARSEFINE_COMPLETE": f"complete_{shell}", place: line, "COMP_CWORD": "2"}

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "pres" in done.stdout or "--json" in done.stdout
    assert done.stderr == f"{loaded}\n"


def test_a_file_that_is_no_database_is_no_noise(complete, own_folder):
    (own_folder / "search.db").write_bytes(b"no database" * 1000)

    assert complete("rank ") == set()
    assert (own_folder / "search.db").read_bytes() == b"no database" * 1000


def test_all_that_is_completed_is_there_to_be_typed():
    fields = {parameter.name for command in all_commands().values() for parameter in command.params}

    assert set(completion._OFFERS) <= fields


def test_what_a_shell_cannot_complete_is_refused_with_what_it_can(search, monkeypatch):
    answer = search("--install-completion")

    assert answer.status == 2
    assert "run coarsefine --install-completion" in answer.err


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_understands_what_it_is_to_run(own_folder):
    code = (
        "import sys; sys.argv[0] = 'coarsefine';"
        " from coarsefine.search.cli import run; sys.exit(run())"
    )
    asked = [sys.executable, "-c", code, "--show-completion", "bash"]
    # Else Typer looks for the shell that the tests were started from, if it was one.
    named = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = subprocess.run(asked, capture_output=True, text=True, env=named, check=False)
    assert script.returncode == 0, script.stderr

    told = subprocess.run(["bash", "-c", f"{script.stdout}\ncomplete -p coarsefine"], check=False)

    assert told.returncode == 0
