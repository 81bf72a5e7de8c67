"""Opening a database on a server: what is wrong is one line, without any password."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from coarsefine.db import repository, schema
from coarsefine.db.connections.engine import Database, is_new, open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.migrations.env_filter import include_object
from coarsefine.db.optuna.listing import read_studies
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.tables import Base, Study
from tests.db.conftest import add_study

from .processes import Server

_NUMBERS = count(1)
PASSWORD = "s3cr3t@/:%?"  # everything that has a meaning in a URL


@pytest.fixture
def stranger(server: Server) -> sa.URL:
    """A user who may connect, and nothing more."""
    name = f"stranger{next(_NUMBERS)}"
    how = "IDENTIFIED BY" if server.is_mysql else "PASSWORD"
    server.execute(f"CREATE USER {name} {how} '{PASSWORD}'".replace("%", "%%"))
    return server.url.set(username=name, password=PASSWORD)


def text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def refusal(url: sa.URL | str, **how: bool) -> str:
    with pytest.raises(StorageError) as error:
        open_database(url if isinstance(url, str) else text(url), **(how or {"create": True}))
    line = str(error.value)
    assert "\n" not in line
    assert PASSWORD not in line
    assert "s3cr3t" not in line
    return line


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"port": 1}, "refused.*; is it running, and are host and port right"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid.*; is the name right"),
        ({"username": "nobody", "password": PASSWORD}, "(password|Access denied).*docs"),
        ({"username": "nobody", "password": None}, "(no password|Access denied).*docs"),
        ({"database": "nothing"}, "(does not exist|Unknown).*; create it first"),
    ],
    ids=["port", "host", "password", "no-password", "database"],
)
def test_who_cannot_connect_is_told_why(server: Server, change, line: str) -> None:
    url = server.url.set(**change)

    found = refusal(url)

    assert found.startswith(f"{url.render_as_string()}: ")
    assert re.search(line, found)
    assert refusal(url, read_only=True) == found
    with pytest.raises(StorageError):
        is_new(text(url))


def test_who_may_not_make_tables_is_told_so(new_url, stranger: sa.URL) -> None:
    url = stranger.set(database=sa.make_url(new_url()).database)

    assert "denied" in refusal(url)


def test_who_may_only_read_can_rank_and_is_refused_to_write(
    server: Server, db: Database, stranger: sa.URL
) -> None:
    add_study(db)
    database = sa.make_url(db.url).database
    if server.is_mysql:
        server.execute(f"GRANT SELECT ON {database}.* TO {stranger.username}")
    else:
        owner = sa.create_engine(db.url, isolation_level="AUTOCOMMIT")
        with owner.connect() as connection:
            connection.exec_driver_sql(
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {stranger.username}"
            )
        owner.dispose()

    with open_database(text(stranger.set(database=database)), read_only=True) as reader:
        assert [study.name for study in repository.list_studies(reader)] == ["digits/lambda"]
    with (
        open_database(text(stranger.set(database=database))) as writer,
        pytest.raises(StorageError, match=r"denied.*have its owner grant"),
    ):
        add_study(writer, "second")


def test_a_database_of_another_program_is_left_alone(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE studies (total INT)")

    assert "belongs to another program (it holds the table 'studies')" in refusal(url)
    assert sa.inspect(engine).get_table_names() == ["studies"]
    engine.dispose()


def test_a_schema_of_its_own_will_do_beside_another_program(postgresql_server: Server) -> None:
    database = f"shared{next(_NUMBERS)}"
    postgresql_server.execute(f"CREATE DATABASE {database}")
    url = postgresql_server.url.set(database=database)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE studies (total INT)")
        connection.exec_driver_sql("CREATE SCHEMA own")

    with open_database(f"{text(url)}?options=-csearch_path%3Down", create=True) as here:
        study = add_study(here)
        OptunaStage.open(here, "digits/lambda/coarse", {"uuid": study.uuid}).close()
        assert [theirs.name for theirs in read_studies(here)] == ["digits/lambda/coarse"]

    assert sa.inspect(engine).get_table_names() == ["studies"]
    engine.dispose()


def test_a_database_that_would_spoil_texts_is_refused(server: Server, new_url) -> None:
    if server.is_mysql:
        bad = new_url("COLLATE utf8mb4_general_ci")
        assert "its collation is utf8mb4_general_ci; run: ALTER DATABASE" in refusal(bad)
    else:
        ((version,),) = server.execute("SHOW server_version_num")
        libc = "LOCALE_PROVIDER libc" if int(version) >= 150_000 else ""
        bad = new_url(f"ENCODING 'LATIN1' {libc} LOCALE 'C' TEMPLATE template0")
        assert "must have the encoding UTF8, has LATIN1" in refusal(bad)


def test_an_empty_database_holds_no_studies_and_stays_empty(url: str) -> None:
    assert "no studies in" in refusal(url, read_only=True)
    assert "no studies in" in refusal(url, create=False)
    assert is_new(url)

    engine = sa.create_engine(url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_what_the_driver_does_not_know_is_one_line(server: Server) -> None:
    assert "flavour" in refusal(server.url.update_query_dict({"flavour": "mint"}))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cr3t@here:port/search",
        "postgresql://ann:s3cr3t@/:%?@here/search",
        "postgresql+asyncpg://ann:s3cr3t@here/search",
        "mssql://ann:s3cr3t@here/search",
        "mysql://ann:s3cr3t@here",
        "mysql://ann@here?password=s3cr3t",
    ],
)
def test_a_url_that_cannot_be_meant_is_wrong_usage(url: str, search, monkeypatch) -> None:
    given = search("list", "--storage", url)
    monkeypatch.setenv("SEARCH_STORAGE", url)

    for answer in (given, search("lambda", "--coarse"), search("check", "--json")):
        assert answer.status == 2
        assert answer.out == ""
        assert answer.err.startswith("error: storage must ")
        assert answer.err.count("\n") == 1
        assert "s3cr3t" not in answer.err


@pytest.mark.parametrize("place", ["postgresql", "mysql"])
def test_a_missing_driver_is_named_with_its_extra(place: str) -> None:
    module = {"postgresql": "psycopg", "mysql": "pymysql"}[place]
    code = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        "from coarsefine.search.cli import main\n"
        f"sys.exit(main(['list', '--storage', '{place}://ann:secret@localhost/search']))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"extra '{place}'" in done.stderr
    assert "secret" not in done.stderr


def test_the_tables_are_those_that_are_declared(server: Server, db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": schema.VERSION_TABLE,
                "include_object": include_object,
                # Alembic takes LONGBLOB for something else than a BLOB that is as long.
                "compare_type": not server.is_mysql,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
        types = {
            f"{table}.{column['name']}": str(column["type"])
            for table in ("training_epochs", "training_checkpoints", "training_studies")
            for column in sa.inspect(connection).get_columns(table)
        }
    wide = ("DOUBLE", "LONGBLOB", "LONGTEXT")
    found = [types[f"training_{name}"] for name in ("epochs.eta", "checkpoints.payload")]
    found.append(types["training_studies.recipe"].split()[0])
    assert found == list(wide if server.is_mysql else ("DOUBLE PRECISION", "BYTEA", "TEXT"))


def test_older_tables_are_brought_up_to_date(url: str) -> None:
    heard: list[str] = []
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with open_database(url, create=True) as database:
        add_study(database)
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0001")

    assert "written by an older version" in refusal(url, read_only=True)
    with open_database(url, said=heard.append) as database:
        assert len(repository.list_studies(database)) == 1

    assert [line.split("(")[1] for line in heard] == [f"schema 0001 to {schema.HEAD})"]


def test_first_starts_at_once_make_the_tables_once(url: str) -> None:
    code = (
        "import sys\n"
        "from coarsefine.db.connections.engine import open_database\n"
        "from coarsefine.db.optuna.studies import OptunaStage\n"
        "sys.stdin.readline()\n"
        "with open_database(sys.argv[1], create=True) as database:\n"
        "    OptunaStage.open(database, 's/' + sys.argv[2], {'uuid': sys.argv[2]}).close()\n"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", code, url, str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()

    assert [start.communicate()[1] for start in starts] == [""] * 2

    with open_database(url, read_only=True) as database:
        assert sorted(study.name for study in read_studies(database)) == ["s/0", "s/1"]


@pytest.mark.parametrize("n_statements", [1, 12, 17, 18, 20])
def test_a_first_start_that_was_interrupted_does_no_harm(url: str, n_statements: int) -> None:
    engine = sa.create_engine(url)
    left = n_statements

    @sa.event.listens_for(engine, "before_cursor_execute")
    def interrupt(connection, cursor, statement, *_: object) -> None:
        nonlocal left
        left -= statement.lstrip().startswith(("CREATE", "ALTER", "INSERT", "UPDATE"))
        if left < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        schema.migrate(engine)
    engine.dispose()

    assert refusal(url, read_only=True)
    with open_database(url, create=True) as database:
        add_study(database)
        assert schema.read_revision(database.engine) == schema.HEAD


def test_a_text_that_is_too_long_is_one_line(db: Database) -> None:
    with pytest.raises(StorageError, match=r"too long.*; choose a shorter one"):
        add_study(db, "x" * 300)


def test_a_text_that_postgresql_does_not_take_is_one_line(postgresql_server: Server) -> None:
    database = f"shared{next(_NUMBERS)}"
    postgresql_server.execute(f"CREATE DATABASE {database}")
    with (
        open_database(text(postgresql_server.url.set(database=database)), create=True) as db,
        pytest.raises(StorageError, match="NUL"),
    ):
        add_study(db, "nul\0")


def test_names_are_told_apart_by_case_and_letters_are_kept(db: Database) -> None:
    for name in ("lambda", "Lambda", "λ/η", "λ/ή", "naïve", "naive", "🙂"):
        add_study(db, name)

    assert {s.name for s in repository.list_studies(db)} >= {"lambda", "Lambda", "λ/η", "🙂"}
    found = repository.find_study(db, "Lambda")
    assert found is not None
    assert found.recipe == {"hidden": [50], "note": "η"}


def test_what_is_not_committed_is_not_there_and_a_reader_sees_one_moment(db: Database) -> None:
    add_study(db)
    with open_database(db.url, read_only=True) as reader, reader.session() as session:
        with db.write() as writer:
            writer.execute(sa.update(Study).values(search="eta"))
            assert session.scalar(sa.select(Study.search)) == "lambda"
        assert session.scalar(sa.select(Study.search)) == "lambda"
        session.rollback()
        assert session.scalar(sa.select(Study.search)) == "eta"


def test_writers_go_one_after_the_other(url: str) -> None:
    code = (
        "import sys\n"
        "from coarsefine.db.connections.engine import open_database\n"
        "from coarsefine.db.repository import get_measurement, set_measurement\n"
        "import sqlalchemy as sa\n"
        "from coarsefine.db.tables import Measurement\n"
        "with open_database(sys.argv[1]) as database:\n"
        "    sys.stdin.readline()\n"
        "    for _ in range(20):\n"
        "        with database.write() as session:\n"
        "            known = session.scalar(sa.select(Measurement.value))\n"
        "            session.execute(sa.update(Measurement).values(value=known + 1))\n"
    )
    with open_database(url, create=True) as database:
        repository.set_measurement(database, "count", 0)
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]

        assert [writer.communicate(b"\n")[1] for writer in writers] == [b"", b""]

        assert repository.get_measurement(database, "count") == 40


def write_and_lose(db: Database, disconnect: Callable[[], None]) -> None:
    with db.write() as session:
        session.execute(sa.update(Study).values(search="eta"))
        disconnect()
        session.execute(sa.update(Study).values(search="eta"))


def test_a_server_that_went_away_is_one_line(db: Database, disconnect) -> None:
    add_study(db)
    with pytest.raises(StorageError) as error:
        write_and_lose(db, disconnect)

    assert "\n" not in str(error.value)
    assert "run the same command again" in str(error.value)
    assert [study.search for study in repository.list_studies(db)] == ["lambda"]


def test_no_output_of_a_command_holds_the_password(
    server: Server, stranger: sa.URL, new_url: Callable[..., str], search
) -> None:
    database = sa.make_url(new_url()).database
    if server.is_mysql:
        server.execute(f"GRANT ALL ON {database}.* TO {stranger.username}")
    else:
        server.execute(f"ALTER DATABASE {database} OWNER TO {stranger.username}")
    at = ("--storage", text(stranger.set(database=database)))

    answers = [
        search("lambda", "--coarse", "--epochs", "1", "--hidden", "4", "--trials", "4", *at),
        *(search(command, *at) for command in ("show", "list", "check", "rank")),
        *(search(command, "--json", *at) for command in ("show", "list", "check", "rank")),
        search("lambda", "--fine", "--storage", text(stranger.set(password="wr0ng"))),
    ]

    assert [answer.status for answer in answers] == [*[0] * 9, 1]
    assert "***" in answers[0].out
    assert not [a for a in answers if "s3cr3t" in a.out + a.err or "wr0ng" in a.out + a.err]
    assert json.loads(answers[7].out)["passed"] is True
