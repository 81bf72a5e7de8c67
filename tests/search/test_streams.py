"""Streams that are closed, missing or odd: answers stay whole, and nothing is written elsewhere."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coarsefine.search import console
from coarsefine.search.cli import main

from .conftest import QUICK

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such shell")


@pytest.fixture(autouse=True, scope="module")
def closed_at_the_end():
    """Close what a program without streams writes to: it keeps it as long as it runs."""
    yield
    console._nowhere().close()
    console._nowhere.cache_clear()


def shell(line, folder):
    """Carry out a line of a shell, in which $RUN is this program."""
    run = f"{sys.executable} -m coarsefine.launcher"
    return subprocess.run(
        ["sh", "-c", line.replace("$RUN", run)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_notes_of_a_closed_stderr_are_not_in_front_of_the_answer(study, own_folder):
    done = shell("$RUN rank --json 2>&-", own_folder)

    assert done.returncode == 0
    assert json.loads(done.stdout)["study"] == "digits/lambda"


def test_a_search_with_all_streams_closed_writes_into_no_file(search, own_folder):
    words = " ".join(("lambda", "--coarse", *QUICK, "--trials", "2", "--jobs", "1"))

    done = shell(f"$RUN {words} <&- >&- 2>&-", own_folder)

    assert done.returncode == 0
    assert search("check").status == 0
    assert len(search("rank", "--json").json["trials"]) == 2


def test_a_dozen_files_are_too_few_and_that_is_said(own_folder):
    words = " ".join(("lambda", "--coarse", *QUICK, "--trials", "2", "--jobs", "1"))

    done = shell(f"ulimit -n 12; $RUN {words} --quiet", own_folder)

    assert done.returncode == 1
    assert "allow more with `ulimit -n 256`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", ["rank", "rank --json", "rank missing", "list", "check"])
def test_a_program_without_streams_has_none(study, own_folder, monkeypatch, line):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    assert main(line.split()) == (1 if "missing" in line else 0)


def test_without_streams_lines_go_nowhere(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    console.say("a")
    console.say_json({"λ": 1})
    console.note("b")
    console.tell("c")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", ["1", "0", "-3", "x", "19"])
def test_words_are_folded_on_a_terminal_of_any_width(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stderr", Terminal())

    console.note("words that are folded between words, and are all there, one after another")

    lines = sys.stderr.getvalue().splitlines()
    assert " ".join(map(str.strip, lines)).startswith("words that are folded between words, and")
    assert max(map(len, lines)) > 10


def test_a_line_of_any_length_is_cut(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    console.note(f"error: {'x' * 10**6} at the end")

    text = sys.stderr.getvalue()
    assert len(text) < 2100
    assert text.endswith("xxx at the end\n")
