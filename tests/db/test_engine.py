"""Opening a database: good places open fast, bad ones are refused untouched, in one line."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from coarsefine.db import repository, schema
from coarsefine.db.connections import engine as engine_module
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.urls import storage_url
from coarsefine.db.errors import StorageError
from coarsefine.db.tables import Study

from .conftest import add_study


def state(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def foreign(path: Path, *, mode: str = "DELETE") -> None:
    with sqlite3.connect(path) as outside:
        outside.execute(f"PRAGMA journal_mode = {mode}")
        outside.execute("CREATE TABLE invoices (total)")
        outside.execute("INSERT INTO invoices VALUES (1)")
    outside.close()


def newer(path: Path) -> None:
    open_database(str(path), create=True).close()
    with sqlite3.connect(path) as outside:
        outside.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    outside.close()


def damaged(path: Path) -> None:
    open_database(str(path), create=True).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * (4096 - 100)
    path.write_bytes(content)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "must be a file, got the folder"),
        (lambda path: path.write_text("Dear diary, today"), "is not an SQLite database"),
        (lambda path: path.write_bytes(b"SQLite"), "is not an SQLite database"),
        (foreign, "belongs to another program .*'invoices'"),
        (lambda path: foreign(path, mode="WAL"), "belongs to another program"),
        (newer, "newer version of this program"),
        (damaged, "malformed|damaged"),
        (os.mkfifo if hasattr(os, "mkfifo") else None, "must be a regular file"),
    ],
    ids=["folder", "text", "short", "foreign", "foreign-wal", "newer", "damaged", "pipe"],
)
def test_a_bad_place_is_refused_in_one_line_and_left_as_it_is(
    path: Path, make, message: str, create: bool, read_only: bool
) -> None:
    if make is None:
        pytest.skip("this system has no named pipes")
    make(path)
    before = state(path.parent)

    with pytest.raises(StorageError, match=message) as error:
        open_database(str(path), create=create, read_only=read_only)

    assert "\n" not in str(error.value)
    assert state(path.parent) == before


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("missing/search.db", "folder missing of search.db does not exist"),
        ("sqlite://", "must be a file that stays"),
        ("sqlite:///:memory:", "must be a file that stays"),
        ("oracle7://here/there", "begins with sqlite, postgresql or mysql, got oracle7://"),
        ("postgresql+psycopg2://me:secret@host/db", r"begins with postgresql://…, got .*psycopg2"),
        ("postgresql://me:secret@host", r"must name a database.* got postgresql://me:\*\*\*@host"),
        ("mysql://me:sec@ret/secret@host:port/db", r"%40.* got mysql://me:\*\*\*@…"),
        ("mysql://me:sec@ret@host:port/db", r"%40.* got mysql://me:\*\*\*@…"),
        ("mysql://me:sec:ret@host:port/db", r"SQLAlchemy URL.* got 'mysql://me:\*\*\*@host"),
        ("://", "file or a SQLAlchemy URL"),
        ("postgresql://host:port:1/x", "file or a SQLAlchemy URL"),
        ("  ", "empty text"),
        ("a\0b", "cannot be a file here"),
        ("x" * 5000, "cannot be a file here: File name too long"),
    ],
)
def test_a_bad_url_is_refused_in_one_line(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StorageError, match=message) as error:
        open_database(url, create=True)

    assert "\n" not in str(error.value)
    assert "sec" not in str(error.value)
    assert state(tmp_path) == {}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_missing_file_names_the_first_command(path: Path, read_only: bool) -> None:
    with pytest.raises(StorageError, match=r"no studies in .*search lambda coarse"):
        open_database(str(path), read_only=read_only)

    assert not path.exists()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_without_studies_of_ours_is_no_study(path: Path, read_only: bool) -> None:
    path.touch()

    with pytest.raises(StorageError, match="no studies in"):
        open_database(str(path), create=False, read_only=read_only)

    assert path.read_bytes() == b""


def test_an_empty_file_is_filled(path: Path) -> None:
    path.touch()  # what a process leaves that is killed between making and filling it

    with open_database(str(path), create=True) as database:
        assert repository.list_studies(database) == []


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_read_only_place_is_refused_for_writing_and_read_without_leftovers(
    path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_database(str(path), create=True) as database:
        add_study(database)
    shut = path if place == "file" else path.parent
    # Permissions do not bind the super-user, who may be running this.
    monkeypatch.setattr(
        engine_module.os, "access", lambda p, mode: not (mode == os.W_OK and Path(p) == shut)
    )

    with pytest.raises(StorageError, match=f"{shut.name} is read-only"):
        open_database(str(path), create=True)
    with open_database(str(path), read_only=True) as database:
        assert len(repository.list_studies(database)) == 1

    assert names(path.parent) == [path.name]


def test_the_default_is_a_file_in_this_folder_or_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SEARCH_STORAGE", raising=False)
    assert storage_url(None) == "sqlite:///search.db"

    monkeypatch.setenv("SEARCH_STORAGE", "elsewhere.db")
    assert storage_url(None) == "sqlite:///elsewhere.db"
    assert storage_url("here.db") == "sqlite:///here.db"
    assert storage_url("sqlite:////abs/x.db") == "sqlite:////abs/x.db"


@pytest.mark.parametrize("name", ["with space.db", "100%20.db", "what?.db", "a#b&c=d.db", "λ.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and "?" in name:
        pytest.skip("no such names here")
    with open_database(str(tmp_path / name), create=True) as database:
        add_study(database)
        assert database.path == tmp_path / name

    assert names(tmp_path) == [name]


def test_the_settings_hold_in_each_connection(path: Path) -> None:
    with open_database(str(path), create=True) as database, database.session() as session:
        pragmas = {
            name: session.execute(sa.text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 60_000,
    }


def test_a_reader_works_beside_a_writer_and_leaves_nothing(path: Path) -> None:
    with open_database(str(path), create=True) as writer:
        add_study(writer, "first")
        with writer.write() as session:
            session.execute(sa.update(Study).values(search="eta"))
            with open_database(str(path), read_only=True) as reader:
                (study,) = repository.list_studies(reader)
                assert study.search == "lambda"  # what is not committed is not there
        with open_database(str(path), read_only=True) as reader:
            (study,) = repository.list_studies(reader)
            assert study.search == "eta"

    assert names(path.parent) == [path.name]


def test_a_reader_cannot_write(path: Path) -> None:
    open_database(str(path), create=True).close()

    with open_database(str(path), read_only=True) as reader:
        with pytest.raises(StorageError, match="reading only"), reader.write():
            pass
        with pytest.raises(StorageError, match="readonly"), reader.session() as session:
            session.execute(sa.update(Study).values(search="eta"))


def test_what_a_killed_writer_committed_is_read(path: Path) -> None:
    code = (
        "import os, sys, coarsefine.db.connections.engine as e, coarsefine.db.repository as r\n"
        "database = e.open_database(sys.argv[1], create=True)\n"
        "r.set_measurement(database, 'width', 8)\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == 9
    assert path.with_name("search.db-wal").exists()

    with open_database(str(path), read_only=True) as reader:
        assert repository.get_measurement(reader, "width") == 8

    assert names(path.parent) == [path.name]


def _write_and_fail(database: Database) -> None:
    with database.write() as session:
        session.execute(sa.update(Study).values(search="eta"))
        raise ZeroDivisionError


def test_a_block_that_raises_leaves_nothing_behind(path: Path) -> None:
    with open_database(str(path), create=True) as database:
        add_study(database)
        with pytest.raises(ZeroDivisionError):
            _write_and_fail(database)

        (study,) = repository.list_studies(database)

    assert study.search == "lambda"


def test_a_file_removed_or_replaced_while_in_use_is_noticed(path: Path) -> None:
    with open_database(str(path), create=True) as database:
        add_study(database)
        aside = path.rename(path.with_name("aside.db"))

        with pytest.raises(StorageError, match="removed or replaced"):
            add_study(database, "second")
        path.write_bytes(b"")
        with pytest.raises(StorageError, match="removed or replaced"):
            add_study(database, "second")

        path.unlink()
        aside.rename(path)
        add_study(database, "second")
        assert len(repository.list_studies(database)) == 2


def test_opening_a_current_database_imports_neither_alembic_nor_optuna(path: Path) -> None:
    open_database(str(path), create=True).close()
    code = (
        "import sys, coarsefine.db.connections.engine as e, coarsefine.db.repository as r\n"
        "with e.open_database(sys.argv[1], read_only=True) as database:\n"
        "    r.list_studies(database)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} &"
        " {'alembic', 'optuna', 'numpy', 'pandas', 'scipy'}))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]"
