"""Databases on servers that are started for the tests, and skipped where there are none."""

from collections.abc import Callable, Generator, Iterator
from itertools import count

import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel

from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.tables import Base
from tests.db.conftest import Planned, add_stage, add_study, plan_trials
from tests.db.test_merging import other  # noqa: F401
from tests.search.conftest import own_cache, own_folder, search  # noqa: F401

from .processes import Server, mariadb, postgresql

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Server:
    """Each kind of server."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def new_url(server: Server) -> Callable[..., str]:
    """How to make an empty database."""

    def make(options: str | None = None) -> str:
        name = f"search{next(_NUMBERS)}"
        if options is None:
            options = "COLLATE utf8mb4_bin" if server.is_mysql else ""
        server.execute(f"CREATE DATABASE {name} {options}")
        return server.url.set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture
def url(new_url: Callable[..., str]) -> str:
    """An empty database."""
    return new_url()


@pytest.fixture(scope="session")
def made() -> dict[int, str]:
    """A database with tables of each server, once there is one."""
    return {}


@pytest.fixture
def db(server: Server, new_url: Callable[..., str], made: dict[int, str]) -> Generator[Database]:
    """An open database without any rows: to make the tables each time would take most of a test."""
    known = made.get(id(server))
    made[id(server)] = known or new_url()
    with open_database(made[id(server)], create=True) as database:
        if known is not None:
            with database.write() as session:
                there = set(sa.inspect(session.connection()).get_table_names())
                for metadata in (Base.metadata, BaseModel.metadata):
                    for table in reversed(metadata.sorted_tables):
                        if table.name in there - {"version_info"}:
                            session.execute(table.delete())
        yield database


@pytest.fixture
def outside(db: Database) -> Generator[Callable[[], RDBStorage]]:
    """Opens the database as Optuna's users do."""
    storages: list[RDBStorage] = []

    def read() -> RDBStorage:
        storages.append(RDBStorage(db.url))
        return storages[-1]

    yield read
    for storage in storages:
        storage.remove_session()
        storage.engine.dispose()


@pytest.fixture
def disconnect(server: Server, db: Database) -> Callable[[], None]:
    """How to end all connections to ``db``, as a server does that is started again."""
    name = db.engine.url.database

    def end_all() -> None:
        if server.is_mysql:
            ids = f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
            for (number,) in server.execute(ids):
                server.execute(f"KILL {number}")
        else:
            server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                f" WHERE datname = '{name}'"
            )

    return end_all


@pytest.fixture
def planned(db: Database) -> Planned:
    study = add_study(db)
    stage = add_stage(db, study)
    return Planned(db, study, stage, plan_trials(db, stage))
