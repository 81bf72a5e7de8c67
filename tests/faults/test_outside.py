"""What the world does to a file: one line, nothing changed, and all goes on when it is over."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pytest

from coarsefine.db import repository, schema
from coarsefine.db.connections import engine
from tests.search.conftest import COARSE
from tests.studies.conftest import comparable

from .facts import stated
from .tables import rows, tamper

MORE = (*COARSE[:-1], "6", "--quiet", "--jobs", "1")
READING = (("rank",), ("list",), ("show",), ("export", "out.csv"), ("check",))


def contents(folder):
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.endswith(".npz")
    }


def refused(answer, line, status=1):
    """Check that an answer is one line on stderr that says what is wrong."""
    assert answer.status == status, answer.err
    assert line in answer.err
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
    assert answer.out == ""


@pytest.fixture(scope="module")
def unharmed(finished, tmp_path_factory, request):
    """What six trials come to where nothing happens."""
    from coarsefine.search.cli import main

    folder = tmp_path_factory.mktemp("unharmed")
    path = shutil.copy(finished, folder / "search.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*MORE]) == 0
    return told(path)


def told(path):
    with engine.open_database(str(path), read_only=True) as database:
        from coarsefine.studies.results.reading import read_ranking

        return comparable(read_ranking(database, repository.find_study(database, "digits/lambda")))


@pytest.fixture
def carries_on(search, study, unharmed):
    """Check that the command that was refused goes on to what it should come to."""

    def check(*command):
        answer = search(*(command or MORE))
        assert answer.status == 0, answer.err
        assert told(study) == unharmed
        assert search("check", "--quiet").status == 0

    return check


# ------------------------------------------------------------------------------ another file there


def text(path):
    path.write_text("Dear diary, today")


def folder(path):
    path.mkdir()


def invoices(path):
    tamper(path, "CREATE TABLE invoices (total)")


def newer(path):
    tamper(path, f"UPDATE {schema.VERSION_TABLE} SET version_num = '0042'")


def first_page(path):
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xff" * 3900
    path.write_bytes(content)


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# A query that never ends.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def view(path):
    tamper(path, "ALTER TABLE training_runs RENAME TO kept")
    tamper(path, f"CREATE VIEW training_runs AS {ENDLESS} SELECT kept.* FROM kept, n")


def view_of_versions(path):
    tamper(path, f"ALTER TABLE {schema.VERSION_TABLE} RENAME TO kept")
    tamper(path, f"CREATE VIEW {schema.VERSION_TABLE} AS {ENDLESS} SELECT kept.* FROM kept, n")


def trigger(path):
    inserted = f"INSERT INTO training_measurements {ENDLESS} SELECT i, i, i FROM n"
    tamper(path, f"CREATE TRIGGER t AFTER UPDATE ON training_studies BEGIN {inserted}; END")


def endless_name(path):
    tamper(path, "UPDATE training_stages SET name = printf('%.*c', 50000000, 'x') WHERE id = 1")


def deep_json(path):
    deep = "[" * 5000 + "]" * 5000
    tamper(path, f"UPDATE training_stages SET options = '{deep}'")
    tamper(path, f"UPDATE training_studies SET recipe = '{deep}'")


def long_seed(path):
    tamper(path, f"""UPDATE training_studies SET recipe = '{{"seed": {"1" * 5000}}}'""")


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (view, "holds the view 'training_runs', which this program did not make"),
        (view_of_versions, "holds the view 'training_alembic_version'"),
        (trigger, "holds the trigger 't', which this program did not make"),
        pytest.param(
            *(endless_name, "a name in training_stages has 50,000,000 characters"),
            marks=pytest.mark.slow,
        ),
        (deep_json, "holds no JSON of this program's"),
        (long_seed, "holds no JSON of this program's"),
    ],
)
def test_a_row_or_a_view_that_would_cost_much_is_one_line(search, study, make, line):
    make(study)
    started = time.process_time()

    answers = [search(*command) for command in (("rank",), ("export", "x.csv"), MORE)]

    assert time.process_time() - started < 5
    for answer in answers:
        assert answer.status == 1
        assert line in answer.err
        assert "Traceback" not in answer.err
        assert len(answer.err) < 400


def test_a_view_of_ones_own_beside_the_tables_is_left_in_peace(search, study):
    tamper(study, "CREATE VIEW best AS SELECT max(validation_accuracy) FROM training_trials")

    assert search("rank").status == 0
    assert search("check").status == 0


ELSE = {
    "a text": (text, "is not an SQLite database", True),
    "a folder": (folder, "must be a file, got the folder", True),
    "another program's database": (invoices, "belongs to another program", True),
    "a newer version": (newer, "newer version of this program", False),
    "a damaged first page": (first_page, "damaged", False),
    "half of a file": (cut_in_half, "damaged", False),
}


@pytest.mark.parametrize("what", ELSE)
def test_something_else_in_its_place_is_one_line_and_left_alone(search, study, carries_on, what):
    make, line, in_its_place = ELSE[what]
    aside = shutil.copy(study, study.with_name("aside.kept"))
    if in_its_place:
        study.unlink()
    make(study)
    before = contents(study.parent)

    for command in (*READING, MORE, ("test", "--quiet")):
        refused(search(*command), line)
        assert contents(study.parent) == before

    shutil.rmtree(study) if study.is_dir() else study.unlink()
    Path(aside).rename(study)
    carries_on()


def test_no_command_breaks_over_a_damaged_page_anywhere(search, study):
    whole = study.read_bytes()
    size = 4096
    for page in range(1, len(whole) // size, 29):
        damaged = bytearray(whole)
        damaged[page * size : (page + 1) * size] = b"\x5a" * size
        study.write_bytes(damaged)

        for command in READING:
            answer = search(*command)

            assert answer.status in {0, 1}
            errors = answer.err.count("error: ")
            assert errors == answer.status or (command == ("check",) and errors == 0)
        assert study.read_bytes() == damaged
        assert search("check", "--quiet").status == 1


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_read_only_place_is_one_line(search, study, carries_on, monkeypatch, place):
    shut = {"file": study.name, "folder": str(study.parent)}[place]
    access = engine.os.access
    # Permissions do not bind the super-user, who may be running this.
    with monkeypatch.context() as patch:
        patch.setattr(
            engine.os,
            "access",
            lambda path, mode: (
                access(path, mode)
                and not (mode == engine.os.W_OK and Path(path).resolve() == Path(shut).resolve())
            ),
        )
        before = contents(study.parent)

        refused(search(*MORE), "is read-only; make it writable")
        assert contents(study.parent) == before

    carries_on()


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("database or disk is full", "free some space and run the same command again"),
        ("disk I/O error", "check the disk and its quota, and run the same command again"),
        ("database is locked", "another program keeps it busy: close that and run the same"),
        ("attempt to write a readonly database", "make the file and its folder writable"),
        ("unable to open database file", "look at the permissions"),
        ("database disk image is malformed", "the file is damaged: restore a copy of it"),
    ],
)
def test_what_sqlite_reports_is_one_line_that_says_what_to_do(
    search, study, monkeypatch, carries_on, message, advice
):
    def failing(*_, **__):
        with engine.explained("search.db"):
            raise sqlite3.OperationalError(message)

    with monkeypatch.context() as patch:
        patch.setattr(repository, "store_segment", failing)
        refused(search(*MORE), f"error: search.db: {message}; {advice}")

    carries_on()


# ------------------------------------------------------------------------------------ while it runs


@pytest.fixture
def after_a_segment(monkeypatch):
    """Let something happen once, after the first segment was stored."""

    def arrange(happen):
        store = repository.store_segment
        happened = []

        def storing(*args, **kwargs):
            stored = store(*args, **kwargs)
            if not happened:
                happened.append(happen())
            return stored

        monkeypatch.setattr(repository, "store_segment", storing)

    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 1e-9)
    # Optuna hears of it from the beginning, as of what takes longer.
    monkeypatch.setattr("coarsefine.studies.running.loop.SMALL_SECONDS", 0)
    monkeypatch.setattr("coarsefine.studies.running.loop.FIRST_SECONDS", 1e-9)
    return arrange


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_file_that_goes_while_it_is_used_is_one_line(
    search, study, after_a_segment, carries_on, replaced
):
    aside = study.with_name("aside.kept")

    def go():
        study.rename(aside)
        if replaced:
            study.write_bytes(b"")

    after_a_segment(go)
    refused(search(*MORE), "was removed or replaced while in use")

    assert not study.exists() or study.read_bytes() == b""
    for leftover in study.parent.glob("search.db*"):
        leftover.unlink()
    aside.rename(study)
    carries_on()


def test_a_study_deleted_in_optuna_while_it_runs_is_one_line_and_made_anew(
    search, study, after_a_segment, carries_on
):
    after_a_segment(lambda: delete_in_optuna(study))

    refused(search(*MORE), "was renamed or deleted from outside")

    carries_on()


# ----------------------------------------------------------------------------------- Optuna's side


def delete_in_optuna(path, name="digits/lambda/coarse"):
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    optuna.delete_study(study_name=name, storage=storage)
    storage.remove_session()
    storage.engine.dispose()


def rename_in_optuna(path, old, new):
    assert tamper(path, f"UPDATE studies SET study_name = '{new}' WHERE study_name = '{old}'") == 1


def test_a_study_renamed_in_optuna_is_one_line_until_it_has_its_name_back(
    search, study, carries_on
):
    rename_in_optuna(study, "digits/lambda/coarse", "mine")

    refused(search(*MORE), "was renamed to 'mine'; give it its name back")

    rename_in_optuna(study, "mine", "digits/lambda/coarse")
    carries_on()


def test_a_study_deleted_in_optuna_is_made_anew_with_all_that_it_was_told(
    search, study, carries_on
):
    told_before = "SELECT position, state, validation_accuracy FROM training_trials WHERE told"
    before = rows(study, told_before)
    delete_in_optuna(study)
    assert search("check", "--quiet").status == 1

    carries_on()

    assert set(before) <= set(rows(study, told_before))


def test_a_ranking_needs_nothing_of_optunas(search, study):
    before = stated(search("rank", "--json").out)
    delete_in_optuna(study)
    delete_in_optuna(study, "digits/lambda/fine")

    assert stated(search("rank", "--json").out) == before
    assert search("lambda", "--coarse", "--study", "digits/lambda", "--quiet").status == 0
    assert stated(search("rank", "--json").out) == before


def test_anothers_study_of_the_same_name_is_left_alone(search, own_folder):
    storage = optuna.storages.RDBStorage(f"sqlite:///{own_folder / 'search.db'}")
    theirs = optuna.create_study(
        study_name="digits/lambda/coarse", storage=storage, direction="maximize"
    )
    theirs.ask()

    refused(search(*COARSE, "--quiet"), "was not made by this stage")

    (trial,) = theirs.get_trials()
    assert trial.state.name == "RUNNING"
    storage.remove_session()
    storage.engine.dispose()
    assert search(*COARSE, "--quiet", "--study", "other").status == 0


# -------------------------------------------------------------------------------- data and recipes


def test_data_that_changed_are_one_line_until_the_old_are_back(search, samples):
    mine = samples()
    command = ("lambda", "--coarse", "--data", "mine.npz", "--epochs", "2", "--quiet", "--trials")
    assert search(*command, "3").status == 0
    aside = mine.rename(mine.with_name("aside.kept"))
    before = contents(mine.parent)

    refused(search(*command, "5"), "mine.npz")
    samples(x_train=np.ones((90, 4), np.float32))
    refused(search(*command, "5"), "was begun with other data")
    refused(search("test", "--quiet"), "was begun with other data")
    assert {name: text for name, text in contents(mine.parent).items() if "lock" not in name} == {
        name: text for name, text in before.items() if "lock" not in name
    }

    shutil.copy(aside, mine)
    answer = search(*command, "5", "--json")
    assert answer.status == 0
    assert len(answer.json["trials"]) == 5


def test_another_recipe_under_the_same_name_is_refused_and_changes_nothing(
    search, study, carries_on
):
    before = contents(study.parent)

    refused(search(*MORE, "--hidden", "9"), "was begun with another recipe")

    assert contents(study.parent) == before
    carries_on()


def test_a_checkpoint_that_is_damaged_keeps_the_test_set_shut(search, study):
    with closing(sqlite3.connect(study)) as connection, connection:
        kept = connection.execute("SELECT * FROM training_checkpoints").fetchall()
        connection.execute("UPDATE training_checkpoints SET payload = x'5a'")
    openings = rows(study, "SELECT * FROM training_test_openings")

    refused(search("test", "--refit", "none", "--quiet"), "is damaged")

    assert rows(study, "SELECT * FROM training_test_openings") == openings
    with closing(sqlite3.connect(study)) as connection, connection:
        connection.execute("DELETE FROM training_checkpoints")
        connection.executemany("INSERT INTO training_checkpoints VALUES (?, ?, ?, ?)", kept)
    assert search("test", "--refit", "none", "--quiet").status == 0
