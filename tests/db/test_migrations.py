"""Tables, migrations and the list of revisions say the same, with Optuna's tables or without."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna.storages import RDBStorage

from coarsefine.db import schema
from coarsefine.db.connections.engine import open_database
from coarsefine.db.migrations.env_filter import include_object
from coarsefine.db.schema import HEAD, REVISIONS, VERSION_TABLE
from coarsefine.db.tables import Base

Step = Callable[[Path], None]


def ours(path: Path) -> None:
    open_database(str(path), create=True).close()


def migrated(path: Path) -> None:
    """Make our tables by all migrations, as the first version's database would get them."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        schema._upgrade(connection)
    engine.dispose()


def optunas(path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{path}")
    storage.remove_session()
    storage.engine.dispose()


def table_names(path: Path) -> set[str]:
    engine = sa.create_engine(f"sqlite:///{path}")
    names = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return names


def differences(path: Path) -> list[Any]:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "include_object": include_object,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        found = compare_metadata(context, Base.metadata)
    engine.dispose()
    return found


@pytest.mark.parametrize(
    "steps",
    [(ours,), (migrated,), (ours, optunas), (optunas, ours), (optunas, migrated)],
    ids=["ours", "migrated", "ours-optuna", "optuna-ours", "optuna-migrated"],
)
def test_a_new_database_and_migrations_have_exactly_the_tables(
    path: Path, steps: tuple[Step, ...]
) -> None:
    for step in steps:
        step(path)

    assert differences(path) == []
    theirs = {name for name in table_names(path) if not name.startswith("training_")}
    if optunas in steps:
        assert {"studies", "trials", "alembic_version"} <= theirs
    else:
        assert theirs == set()


@pytest.mark.parametrize("make", [ours, migrated])
def test_checks_and_storage_are_as_the_tables_say(path: Path, make: Step) -> None:
    make(path)
    assert revision(path) == HEAD
    made = sa.create_engine(f"sqlite:///{path}")
    wanted = sa.create_engine(f"sqlite:///{path.with_name('wanted.db')}")
    Base.metadata.create_all(wanted)

    # The table of the version is Alembic's.
    assert version_table(path) == version_table(migrated_beside(path))
    # What autogenerate does not compare: checks, cascades, tables without row ids.
    assert layout(made) == layout(wanted)


def migrated_beside(path: Path) -> Path:
    other = path.with_name("migrated.db")
    migrated(other)
    return other


def revision(path: Path) -> str | None:
    engine = sa.create_engine(f"sqlite:///{path}")
    found = schema.read_revision(engine)
    engine.dispose()
    return found


def version_table(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT sql FROM sqlite_master WHERE name = ?"
        (sql,) = connection.execute(query, [VERSION_TABLE]).fetchone()
    return " ".join(sql.split())


def layout(engine: sa.Engine) -> dict[str, Any]:
    inspector = sa.inspect(engine)
    found = {
        name: (
            sorted(
                (str(check["name"]), check["sqltext"])
                for check in inspector.get_check_constraints(name)
            ),
            sorted(
                (str(key["name"]), str(key["options"].get("ondelete")))
                for key in inspector.get_foreign_keys(name)
            ),
            inspector.get_table_options(name),
        )
        for name in inspector.get_table_names()
        if name != VERSION_TABLE
    }
    engine.dispose()
    return found


def test_the_list_of_revisions_is_alembics() -> None:
    script = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))

    walked = [revision.revision for revision in script.walk_revisions()]

    assert list(REVISIONS) == walked[::-1]
    assert script.get_heads() == [HEAD]


def test_a_failed_migration_has_never_happened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sa.Connection) -> None:
        raise KeyError

    monkeypatch.setattr(schema, "_check_foreign_keys", fail)
    with pytest.raises(KeyError):
        ours(path)
    assert table_names(path) == set()
    monkeypatch.undo()

    ours(path)

    assert differences(path) == []
