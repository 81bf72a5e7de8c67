"""``coarsefine.toml``: what holds for a folder or a person."""

import json
import os
import sys
from pathlib import Path

import pytest

from coarsefine.configuration import ConfigurationError, setting
from coarsefine.search.library import Study
from coarsefine.studies.errors import StudyError
from tests.search.conftest import QUICK

TOLD = f"{sys.executable} -c \"import sys; open('end.json', 'w').write(sys.stdin.read())\""


@pytest.fixture
def users(own_folder, tmp_path, monkeypatch):
    """The user's file, which is not there yet; no environment variable is set."""
    for name in ("SEARCH_STORAGE", "SEARCH_DATA_DIR", "SEARCH_ON_END"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "home" / "coarsefine.toml"
    place.parent.mkdir()
    monkeypatch.setattr("coarsefine.configuration._users", lambda: place)
    return place


def test_a_variable_comes_before_the_folder_and_that_before_the_user(
    users, own_folder, monkeypatch
):
    assert setting("storage") is None
    users.write_text('storage = "runs.db"\ndata_dir = "~/data"\non_end = "tell"\n')
    assert setting("storage") == str(users.parent / "runs.db")
    assert setting("data_dir") == str(Path("~/data").expanduser())
    assert (setting("on_end"), setting("on_end", service=True)) == ("tell", "tell")

    (own_folder / "coarsefine.toml").write_text('storage = "postgresql://here/search"\n')
    assert setting("storage") == "postgresql://here/search"
    assert setting("on_end") == "tell"
    monkeypatch.setenv("SEARCH_STORAGE", "other.db")
    assert setting("storage") == "other.db"


def test_studies_are_kept_and_users_told_as_files_say(search, users, own_folder):
    (own_folder / "coarsefine.toml").write_text('storage = "kept.db"\n')
    users.write_text(f"on_end = {json.dumps(TOLD)}\n")

    assert search("lambda", "--coarse", *QUICK, "--trials", "2", "-q").status == 0

    assert (own_folder / "kept.db").exists()
    assert not (own_folder / "search.db").exists()
    assert json.loads((own_folder / "end.json").read_text())["state"] == "finished"
    assert Study().name == "digits/lambda"


def test_a_folder_runs_a_command_for_its_service_alone(users, own_folder):
    place = own_folder / "coarsefine.toml"
    place.write_text('[service]\non_end = "tell"\n')
    assert (setting("on_end"), setting("on_end", service=True)) == (None, "tell")

    place.write_text('on_end = "tell"\n')
    with pytest.raises(ConfigurationError, match="of all commands belongs in"):
        setting("on_end")
    assert setting("storage") is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner here")
def test_a_command_that_others_may_have_written_is_not_run(users, own_folder):
    place = own_folder / "coarsefine.toml"
    place.write_text('storage = "a.db"\n[service]\non_end = "tell"\n')
    place.chmod(0o664)

    with pytest.raises(ConfigurationError, match="nobody else may write it: chmod go-w"):
        setting("on_end", service=True)
    assert setting("storage") == str(own_folder / "a.db")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("storage = ", "is not valid TOML"),
        ("storge = 'a.db'", "keys are storage, data_dir, on_end and [service], got 'storge'"),
        ("storage = 3", "storage must be a text, got '3'"),
        ("service = 3", "service must be a table, [service]"),
        ("[service]\nstorage = 'a.db'", "keys are on_end under [service], got 'storage'"),
    ],
)
def test_a_file_that_cannot_be_meant_is_one_line(search, users, own_folder, text, line):
    (own_folder / "coarsefine.toml").write_text(text)

    refused = search("list")

    assert refused.status == 2
    assert line in refused.err
    assert refused.err.count("\n") <= 2
    with pytest.raises(StudyError, match=r"coarsefine\.toml"):
        Study()


def test_files_that_cannot_be_looked_for_are_not_there(users, own_folder, tmp_path, monkeypatch):
    closed = users.parent / "file" / "coarsefine.toml"  # below a file: may not be looked into
    closed.parent.write_text("")
    monkeypatch.setattr("coarsefine.configuration._users", lambda: closed)
    assert setting("storage") is None

    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert setting("storage") is None
