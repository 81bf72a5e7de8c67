"""URLs that are no storage: one line each, and no password in it."""

import pytest

from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.urls import masked, storage_url
from coarsefine.db.errors import StorageError, StorageUrlError

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///x.db?timeout=abc",
        "sqlite:///x.db?mode=ro&uri=true",
        "sqlite+aiosqlite:///x.db",
        "sqlite+pysqlcipher://:hunter2@/x.db",
        "ann:hunter2@host/db",
        "postgresql:ann:hunter2@host/db",
        "postgresql:/ann:hunter2@host/db",
        "//ann:hunter2@host/db",
        "postgresql://ann:hunter2",
        "postgresql://ann:hunter2/db",
        "postgresql://ann:hunter2@host:port/db",
        "postgresql://ann:hun@ter2hunter2@host/db",
        "postgresql+asyncpg://ann:hunter2@host/db",
        "oracle://ann:hunter2@host/db",
        "nonsense://ann:hunter2@host/db",
        "postgresql://ann:hunter2@host",
        "postgresql://host?password=hunter2",
        "http://ann:hunter2@host/db",
        "://ann:hunter2@host/db",
    ],
)
def test_a_url_that_is_no_storage_is_refused_without_its_password(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StorageUrlError) as failure:
        storage_url(text)

    line = str(failure.value)
    assert line.startswith("storage ")
    assert "\n" not in line
    assert SECRET not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
@pytest.mark.parametrize(
    "query",
    ["", "?no_such_option=1", "?connect_timeout=abc", "?port=abc", "?sslmode=abc"],
)
def test_a_server_that_is_not_reached_is_named_without_its_password(kind, query):
    url = storage_url(f"{kind}://ann:hunter2@127.0.0.1:1/search{query}")

    with pytest.raises(StorageError) as failure, open_database(url):
        pass

    assert SECRET not in str(failure.value)
    assert "\n" not in str(failure.value)


def test_files_that_look_like_a_login_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b@c.db").touch()

    assert storage_url("a:b@c.db") == "sqlite:///a%3Ab%40c.db"
    assert storage_url("mail@home.db") == "sqlite:///mail%40home.db"


def test_a_port_is_shown_and_what_stands_for_one_is_not():
    assert masked("postgresql://here:5432/search") == "postgresql://here:5432/search"
    assert masked("postgresql://ann:secret") == "postgresql://ann:***"
