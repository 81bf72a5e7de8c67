"""``check`` finds what is missing, changed or left over, and leaves everything as it is."""

import shutil
import sys

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.optuna import storage as optuna_storage
from coarsefine.search.cli import main
from coarsefine.studies.running.mirror import OptunaMirror
from tests.db.older import put_older
from tests.search.conftest import COARSE

from .scenarios import own_trainer
from .tables import rows, tamper


def problems(answer):
    return {
        check["name"]: [problem["what"] for problem in check["problems"]]
        for check in answer.json["checks"]
        if not check["passed"]
    }


def test_a_study_that_is_done_is_in_order(search, study):
    before = study.read_bytes()

    answer = search("check")

    assert answer.status == 0
    assert answer.out.count("in order") == 11
    assert answer.err == ""
    assert study.read_bytes() == before
    assert [path.name for path in study.parent.iterdir()] == [study.name]


def test_the_json_tells_the_same(search, study):
    answer = search("check", "--json")

    assert answer.status == 0
    assert answer.json["passed"] is True
    assert problems(answer) == {}
    looked_at = {check["name"]: check["looked_at"] for check in answer.json["checks"]}
    assert looked_at["Optuna"] == 4 + 3
    assert looked_at["results"] == 4 + 3 + 2


def test_trainings_of_ones_own_that_failed_are_in_order(search, own_folder, monkeypatch):
    own_trainer(own_folder)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    command = ("lambda", "--coarse", "--recipe", "own.toml", "--trials", "5", "--jobs", "1")
    assert {t["state"] for t in search(*command, "--json", "--quiet").json["trials"]} == {
        "complete",
        "failed",
    }

    answer = search("check")

    assert answer.status == 0, answer.out


def test_an_older_database_is_looked_at_as_it_is(search, own_folder):
    older = put_older(own_folder / "search.db")
    before = older.read_bytes()

    answer = search("check")

    assert answer.status == 0
    assert "schema 0001, now" in answer.err
    assert "half/coarse: 3 trials are not finished" in answer.err
    assert older.read_bytes() == before


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda path: None, "no studies in"),
        (lambda path: path.write_text("Dear diary"), "not an SQLite database"),
        (lambda path: tamper(path, "CREATE TABLE invoices (total)"), "another program"),
    ],
    ids=["missing", "text", "foreign"],
)
def test_what_is_no_database_of_ours_is_one_line(search, own_folder, make, line):
    make(own_folder / "search.db")

    answer = search("check")

    assert answer.status == 1
    assert line in answer.err
    assert answer.err.count("\n") == 1


TWICE = """
UPDATE trial_user_attributes SET value_json = (
    SELECT value_json FROM trial_user_attributes WHERE key = 'uuid' AND trial_id = 1
) WHERE key = 'uuid' AND trial_id = 2
"""

# Statement, and the checks that should mind.
TAMPERING = {
    "a trial's accuracy changed": (
        "UPDATE training_trials SET validation_accuracy = 0.5 WHERE number = 1",
        {"results", "Optuna"},
    ),
    "a run's accuracy changed": (
        "UPDATE training_runs SET validation_accuracy = 0.5 WHERE id = 1",
        {"results"},
    ),
    "an epoch gone": ("DELETE FROM training_epochs WHERE run_id = 2 AND epoch = 1", {"curves"}),
    "a first epoch gone": (
        "DELETE FROM training_epochs WHERE run_id = 2 AND epoch = 0",
        {"curves"},
    ),
    "a curve gone": ("DELETE FROM training_epochs WHERE run_id = 2", {"curves", "results"}),
    "a cohort reopened": ("UPDATE training_cohorts SET state = 'planned'", {"results"}),
    "a trial reopened": (
        "UPDATE training_trials SET state = 'running', told = 0 WHERE id = 2",
        {"results"},
    ),
    "a slot gone": (
        "UPDATE training_runs SET slot = 9 WHERE cohort_id = 1 AND slot = 0",
        {"plans"},
    ),
    "a checkpoint changed": (
        "UPDATE training_checkpoints SET payload = x'00' WHERE cohort_id = 1",
        {"checkpoints"},
    ),
    "a checkpoint of another epoch": (
        "UPDATE training_checkpoints SET epoch = 7 WHERE cohort_id = 1",
        {"checkpoints"},
    ),
    "a study gone": ("DELETE FROM training_studies", {"links"}),
    "Optuna's study renamed": (
        "UPDATE studies SET study_name = 'mine' WHERE study_name = 'digits/lambda/coarse'",
        {"Optuna"},
    ),
    "Optuna's study deleted": (
        "DELETE FROM studies WHERE study_name = 'digits/lambda/fine'",
        {"Optuna", "links"},
    ),
    "Optuna's value changed": ("UPDATE trial_values SET value = 0.1", {"Optuna"}),
    "Optuna's parameter changed": (
        "UPDATE trial_params SET param_value = 0.001 WHERE trial_id = 1",
        {"Optuna"},
    ),
    "a trial running again in Optuna": (
        "UPDATE trials SET state = 'RUNNING' WHERE trial_id = 2",
        {"Optuna"},
    ),
    "a stranger running in Optuna": (
        "INSERT INTO trials (number, study_id, state) VALUES (99, 1, 'RUNNING')",
        {"Optuna"},
    ),
    "a trial twice in Optuna": (
        TWICE,
        {"Optuna"},
    ),
}


@pytest.mark.parametrize("fault", TAMPERING)
def test_tampering_is_found_and_said(search, study, fault):
    statement, minding = TAMPERING[fault]
    assert tamper(study, statement) >= 1
    before = study.read_bytes()

    answer = search("check", "--json")

    assert answer.status == 1
    assert answer.json["passed"] is False
    assert minding <= set(problems(answer))
    assert study.read_bytes() == before
    plain = search("check")
    assert plain.status == 1
    assert f"{min(minding)}: " in plain.out


LOSSES = (
    "training_studies",
    "training_stages",
    "training_trials",
    "training_cohorts",
    "training_runs",
    "training_epochs",
    "training_test_openings",
    "studies",
    "trials",
    "trial_values",
    "trial_params",
    "study_user_attributes",
)


@settings(max_examples=12)
@given(data=st.data())
def test_no_row_can_go_unnoticed(finished, tmp_path_factory, data):
    path = shutil.copy(finished, tmp_path_factory.mktemp("tampered") / "search.db")
    table = data.draw(st.sampled_from(LOSSES))
    where = "WHERE key = 'uuid'" if table == "study_user_attributes" else ""
    count = rows(path, f"SELECT count(*) FROM {table} {where}")[0][0]
    skip = data.draw(st.integers(0, count - 1))
    # Tables without row ids have none to delete by: name the row by its key.
    key = "(run_id, epoch)" if table == "training_epochs" else "rowid"
    named = key.strip("()")
    tamper(
        path,
        f"DELETE FROM {table} WHERE {key} IN (SELECT {named} FROM {table} {where}"
        f" ORDER BY {named} LIMIT 1 OFFSET {skip})",
    )

    assert main(["check", "--quiet", "--storage", str(path)]) == 1


def test_a_damaged_page_is_found_or_the_file_refused_in_one_line(search, study):
    content = bytearray(study.read_bytes())
    content[-3000:-2000] = b"\xff" * 1000
    study.write_bytes(content)

    answer = search("check")

    assert answer.status == 1
    assert "damaged" in answer.out + answer.err
    assert "Traceback" not in answer.err
    assert study.read_bytes() == bytes(content)


@pytest.fixture
def theirs(study):
    """Optuna's study of a stage, as anybody has it who has the file."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage("sqlite:///search.db")
    yield optuna.load_study(study_name="digits/lambda/coarse", storage=storage)
    storage.remove_session()
    storage.engine.dispose()


def test_trials_that_somebody_left_running_are_ended_by_repair(search, theirs):
    theirs.ask()
    theirs.ask()
    found = search("check")
    assert found.status == 1
    assert (
        "Optuna's trial 4 is running and is not this program's\n    end it with `python"
        in found.out
    )

    repaired = search("check", "--repair", "--json")

    assert repaired.status == 0
    assert repaired.json["repaired"] == [
        (
            "digits/lambda/coarse: ended Optuna's trials 4–5, which were running and were not this "
            "program's"
        )
    ]
    assert [trial.state.name for trial in theirs.trials[4:]] == ["FAIL", "FAIL"]
    assert search("check", "--repair", "--json").json["repaired"] == []


def test_a_study_that_is_driven_is_left_to_its_driver(search, theirs):
    theirs.ask()
    with open_database("search.db") as database:
        study = repository.find_study(database, "digits/lambda")
        with StudyLock(database, study.uuid):
            answer = search("check", "--repair")

    assert answer.status == 1
    assert "left as it is: study 'digits/lambda' is being driven by process" in answer.out


def test_trials_that_somebody_added_are_named_and_no_problem(search, theirs):
    theirs.optimize(lambda trial: 0.5, n_trials=3)

    answer = search("check")

    assert answer.status == 0
    assert (
        "digits/lambda/coarse: Optuna's trials 4–6 were added by somebody else, by "
        "study.optimize say; the ranking is without them"
    ) in answer.err


@pytest.mark.parametrize("state", ["FAIL", "COMPLETE"])
def test_a_trial_that_somebody_else_ended_is_a_note_for_good(search, study, state):
    """What is finished in Optuna cannot be changed: it lacks what we state at an end."""
    of_first = "WHERE trial_id = 1"
    tamper(
        study,
        f"DELETE FROM trial_user_attributes {of_first} AND key IN ('seconds', 'state')",
        f"UPDATE trials SET state = '{state}' {of_first}",
        f"UPDATE trial_values SET value = 0.25 {of_first}",
    )

    answer = search("check")

    assert answer.status == 0, answer.out
    assert (
        "digits/lambda/coarse: trial 0 is complete, and ranked as that; somebody else ended it in "
        f"Optuna as {state.lower()}"
    ) in answer.err


@pytest.mark.parametrize("table", ["alembic_version", "version_info"])
def test_killed_before_optunas_tables_have_their_versions_it_is_sound(
    search, own_folder, monkeypatch, table
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(OptunaMirror, "start", killed)
        search(*COARSE, "--jobs", "1", "--quiet")
    with open_database("search.db") as database:
        opened = optuna_storage.opened_storage(database)
        optuna_storage.close_storage(opened)
    tamper(own_folder / "search.db", f"DELETE FROM {table}")

    assert search("check").status == 0
    assert search(*COARSE, "--jobs", "1", "--quiet").status == 0
    assert search("check").status == 0
