"""Paths and names as people have them: a leading ~, bytes that are no text, dots in folders."""

import os
import sys
from pathlib import Path

import pytest

from coarsefine import Study
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.urls import storage_url
from coarsefine.paths import expanded
from coarsefine.search.console import written
from coarsefine.search.files import file_stem
from tests.search.conftest import COARSE

NO_TEXT = os.fsdecode(b"no\xfftext")
needs_bytes = pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


def test_a_leading_tilde_is_the_home_unless_a_file_is_called_so(home, own_folder):
    (own_folder / "~plain.csv").touch()

    assert expanded("~/x.csv") == home / "x.csv"
    assert str(expanded("~plain.csv")) == "~plain.csv"
    assert str(expanded("~nobody-has-this-name/x.csv")) == "~nobody-has-this-name/x.csv"
    assert str(expanded("~" + "x" * 5000)) == "~" + "x" * 5000
    assert str(expanded("~\0")) == "~\0"


@pytest.mark.parametrize(
    "command",
    [
        ["export", "~/out.csv"],
        ["plot", "values", "--out=~/out.svg"],
        ["plot", "values", "--out=~/out.d", "--format", "svg"],
        ["report", "--out=~/out.html", "--no-gradcheck", "--no-figures"],
    ],
)
def test_files_are_written_into_the_home_that_is_meant(search, coarse, home, command):
    (home / "out.d").mkdir()

    assert search(*command).status == 0

    made = [path for path in home.rglob("*") if path.is_file()]
    assert len(made) == 1


def test_storage_and_data_are_found_in_the_home(search, coarse, home, samples, monkeypatch):
    coarse_rows = search("rank", "--json").out
    Path(coarse).rename(home / "kept.db")
    samples(name=home / "mine.npz")

    assert search("rank", "--json", "--storage=~/kept.db").out == coarse_rows
    monkeypatch.setenv("SEARCH_STORAGE", "~/kept.db")
    assert search("rank", "--json").out == coarse_rows
    assert Study("digits/lambda", storage="~/kept.db").name == "digits/lambda"
    for flags in (["--data=~/mine.npz"], ["--data=mine.npz", "--data-dir=~"]):
        result = search("params", *flags)
        assert result.status == 0, result.err
    monkeypatch.setenv("SEARCH_DATA_DIR", "~")
    assert search("params", "--data=mine.npz").status == 0


@pytest.mark.parametrize(
    "command",
    [
        [*COARSE, "--storage", "~nobody-has-this-name/x.db"],
        [*COARSE, "--data", "~nobody-has-this-name/x.csv"],
        [*COARSE, "--data-dir", "~nobody-has-this-name/x"],
        [*COARSE, "--recipe", "~nobody-has-this-name/x.toml"],
        ["run", "~nobody-has-this-name/x.toml"],
        ["export", "~nobody-has-this-name/x.csv"],
        ["plot", "values", "-o", "~nobody-has-this-name/x.svg"],
        ["report", "-o", "~nobody-has-this-name/x.html"],
    ],
)
def test_the_home_of_nobody_is_named_in_one_line(search, coarse, command):
    result = search(*command)

    assert result.status in {1, 2}
    assert len(result.err.splitlines()) <= 2
    assert "~nobody-has-this-name" in result.err.splitlines()[-1]


@needs_bytes
@pytest.mark.parametrize(
    "command",
    [
        [*COARSE, "--storage", f"{NO_TEXT}.db"],
        [*COARSE, "--data", f"{NO_TEXT}.csv"],
        [*COARSE, "--data-dir", NO_TEXT],
        [*COARSE, "--recipe", f"{NO_TEXT}.toml"],
        [*COARSE, "--study", NO_TEXT],
        [*COARSE, "--activation", NO_TEXT],
        [*COARSE, "--values", NO_TEXT],
        ["run", f"{NO_TEXT}.toml"],
        ["submit", f"{NO_TEXT}.toml"],
        ["show", NO_TEXT],
        ["rank", NO_TEXT],
        ["compare", NO_TEXT, NO_TEXT + "2"],
        ["test", NO_TEXT],
        ["export", NO_TEXT, "out.csv"],
        ["export", "out.csv", "--columns", NO_TEXT],
        ["plot", "--study", NO_TEXT],
        ["report", NO_TEXT],
        ["check", "--storage", NO_TEXT],
        ["data", "get", NO_TEXT],
        [NO_TEXT],
    ],
)
def test_bytes_that_are_no_text_are_named_in_one_line(search, coarse, command):
    result = search(*command)

    assert result.status in {1, 2}
    assert "Traceback" not in result.err
    assert r"\xff" in result.err or r"\udcff" in result.err, result.err


@needs_bytes
@pytest.mark.parametrize(
    "command",
    [
        ["export", f"{NO_TEXT}.csv"],
        ["plot", "values", "-o", f"{NO_TEXT}.svg"],
        ["plot", "values", "-o", NO_TEXT],
        ["report", "-o", f"{NO_TEXT}.html", "--no-gradcheck", "--no-figures"],
    ],
)
def test_files_are_written_under_names_that_are_no_text(search, coarse, own_folder, command):
    (own_folder / NO_TEXT).mkdir()

    result = search(*command)

    assert result.status == 0, result.err
    assert any("\udcff" in str(p) for p in own_folder.rglob("*") if p.is_file())


@needs_bytes
def test_a_folder_whose_name_is_no_text_is_named_in_one_line(search, tmp_path, monkeypatch):
    (tmp_path / NO_TEXT).mkdir()
    monkeypatch.chdir(tmp_path / NO_TEXT)

    for command in (COARSE, ["list"], ["rank"], ["export", "out.csv"], ["check"]):
        result = search(*command)
        assert result.status == 1
        assert "storage must have a path in UTF-8, got " in result.err
        assert r"no\xfftext" in result.err


def test_a_byte_that_is_no_text_is_shown_as_the_byte():
    assert written(f"{NO_TEXT}\x07") == r"no\xfftext\x07"


@pytest.mark.slow
def test_several_figures_go_into_a_folder_whose_name_has_a_dot(search, coarse, own_folder):
    assert search("plot", "-o", "figures.v1").status == 0
    assert search("plot", "values", "-o", "figures.v1", "--format", "svg").status == 0
    wrong = search("plot", "-o", "figures.jpg")
    assert search("plot", "values", "-o", "new.folder").status == 0
    meant = [search("plot", "values", "-o", name) for name in ("x.gif", "x.pgn")]

    assert (own_folder / "new.folder" / "values.png").is_file()
    assert [each.status for each in meant] == [2, 2]
    assert "figures must end in .png, .svg, .pdf, got x.pgn" in meant[1].err
    assert (own_folder / "figures.v1" / "values.png").is_file()
    assert (own_folder / "figures.v1" / "values.svg").is_file()
    assert wrong.status == 2
    assert not (own_folder / "figures.jpg").exists()


def test_files_of_two_studies_have_two_names(search, coarse, own_folder):
    long = "digits-lambda-" + "long" * 12
    names = ["digits-lambda", "DIGITS-LAMBDA", f"{long}-1", f"{long}-2"]
    for name in names:
        assert search(*COARSE, "--study", name, "--quiet").status == 0
    with open_database(storage_url(str(coarse)), read_only=True) as database:
        stems = [file_stem(database, name) for name in ("digits/lambda", *names)]

    assert stems[0] == "digits-lambda"  # the first that was begun
    assert len({stem.casefold() for stem in stems}) == len(stems)
    for name in ("digits/lambda", "digits-lambda"):
        assert search("plot", name, "values").status == 0
    assert len(list(own_folder.glob("*-values.png"))) == 2
