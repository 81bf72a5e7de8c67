"""Backups: whole, made by SQLite while others write, and never in the place of something else."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from coarsefine.db import repository
from coarsefine.db.copying import copy_database
from coarsefine.studies.running import loop

from .conftest import QUICK


def ranked(search, storage):
    return search("rank", "--json", "--storage", storage).json["trials"]


def sound(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_holds_what_the_database_holds(search, study, own_folder):
    made = search("backup", "copy.db")

    assert made.status == 0
    assert re.fullmatch(r"wrote copy.db, [\d.]+ kB\n\nnext: (.+)\n", made.out)
    assert search("check", "--storage", "copy.db").status == 0
    assert sound("copy.db")
    assert ranked(search, "copy.db") == ranked(search, "search.db")
    # One file, which stands by itself.
    assert {path.name for path in own_folder.glob("*copy*")} == {"copy.db"}
    assert not list(own_folder.glob(".coarsefine-*"))


def test_a_backup_made_while_a_search_writes_carries_on_to_the_same_table(
    search, own_folder, monkeypatch
):
    monkeypatch.setattr(loop, "FIRST_SECONDS", 1e-9)
    monkeypatch.setattr(loop, "SEGMENT_SECONDS", 1e-9)
    store, copies = repository.store_segment, []

    def stored(*arguments):
        store(*arguments)
        copies.append(f"copy-{len(copies)}.db")
        copy_database("search.db", Path(copies[-1]))

    command = ("lambda", "--coarse", *QUICK, "--trials", "2", "--jobs", "1", "--quiet")
    with monkeypatch.context() as during:
        during.setattr(repository, "store_segment", stored)
        assert search(*command).status == 0

    assert len(copies) > 1
    assert sound(copies[0])
    assert search("check", "--storage", copies[0]).status == 0
    assert search(*command, "--storage", copies[0]).status == 0
    without = [
        [{k: v for k, v in t.items() if k != "seconds"} for t in ranked(search, storage)]
        for storage in (copies[0], "search.db")
    ]
    assert without[0] == without[1]


def test_a_file_that_is_there_is_replaced_only_if_that_is_said(search, study, own_folder):
    (own_folder / "kept.txt").write_text("mine")

    refused = search("backup", "kept.txt")

    assert (refused.status, refused.err) == (
        1,
        "error: kept.txt is there already; replace it with --force\n",
    )
    assert (own_folder / "kept.txt").read_text() == "mine"
    assert search("backup", "kept.txt", "--force").status == 0
    assert sound("kept.txt")


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("search.db", "must be another file than the database"),
        ("link.db", "must be another file than the database"),
        ("in-use.db", "is a database in use, or one whose program was interrupted (in-use.db-wal"),
        (".", "must be a file, got the folder"),
        ("/dev/null", "must be a file, got the pipe or device"),
        ("missing/copy.db", "does not exist; create it"),
        ("x" * 300, "cannot be written"),
    ],
)
def test_a_place_where_a_copy_would_do_harm_is_refused(search, study, own_folder, target, line):
    (own_folder / "link.db").symlink_to("search.db")
    (own_folder / "in-use.db-wal").write_bytes(b"of another")
    before = {path.name: path.lstat().st_size for path in own_folder.iterdir()}

    refused = search("backup", target, "--force")

    assert refused.status == 1
    assert line in refused.err
    assert refused.err.count("\n") == 1
    after = {path.name: path.lstat().st_size for path in own_folder.iterdir()}
    assert after == before


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            "postgresql://ann:secret@here:5433/search",
            "pg_dump --format=custom --file=copy.db --username ann --host here --port 5433",
        ),
        (
            "mysql://a:secret@b/search",
            "mariadb-dump --single-transaction --result-file=copy.db --password --user a --host b",
        ),
    ],
)
def test_a_server_is_copied_by_its_own_program(search, own_folder, url, line):
    answer = search("backup", "copy.db", "--storage", url)

    assert answer.status == 1
    assert answer.err == (
        f"error: a server's database is copied by the server's own program: {line} search\n"
    )
