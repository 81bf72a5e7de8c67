"""Killed (SIGKILL) at any moment, a command on many studies has done all of it, or nothing.

Ours and Optuna's tables change in one transaction. A few moments, and each one when slow.
"""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.faults.hooks import Plan

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

COMMANDS = {
    "rm": "rm * --yes",
    "restore": "restore trashed",
    "purge": "purge --yes",
    "mv": "mv one two old/",
    "cp": "cp one two copy/",
    "tag": "tag * --add x",
    "unpack": "unpack hand-in.cfs --prefix new/",
    "renew": "merge further.db",
    "merge": "merge other.db",
    "repair": "check --repair",
}
# Moments (SQL statements) that are tried without `slow`.
FEW = 3


@pytest.fixture(scope="module")
def begun(line, tmp_path_factory):
    """A file with two studies, and one in the trash, of which Optuna has lost a stage."""
    folder = tmp_path_factory.mktemp("many")
    small = "--hidden 4 --epochs 1 --trials 3 --jobs 1 --quiet"
    for words in (
        f"lambda --coarse {small} --study one",
        "test one --top 1 --quiet",
        *("cp one two", "cp one trashed", "rm trashed"),
        f"eta --coarse {small} --schedule constant --study own --storage other.db",
        f"lambda --coarse {small} --study another --storage other.db",
        "pack own hand-in.cfs --storage other.db",
    ):
        answer = line.run(folder, words)
        assert answer.status == 0, answer.err
    shutil.copy(folder / "search.db", folder / "further.db")
    more = f"lambda --fine {small} --study one --storage further.db"
    assert line.run(folder, more).status == 0
    return folder


def shape(path):
    """Return what studies there are, on both sides, with how many rows."""
    with closing(sqlite3.connect(path)) as connection:
        ours = connection.execute(
            "SELECT s.name NOT LIKE 'trash/%', coalesce(s.trashed_name, s.name), s.tags,"
            " (SELECT count(*) FROM training_stages g JOIN training_trials t ON t.stage_id = g.id"
            "   JOIN training_runs r ON r.trial_id = t.id JOIN training_epochs e ON"
            "   e.run_id = r.id WHERE g.study_id = s.id), (SELECT count(*) FROM"
            "   training_test_openings o WHERE o.study_id = s.id) FROM training_studies s"
        ).fetchall()
        theirs = connection.execute(
            "SELECT CASE WHEN s.study_name LIKE 'trash/%' THEN 'trash' ELSE s.study_name END,"
            " (SELECT a.value_json FROM study_user_attributes a WHERE a.study_id = s.study_id"
            "   AND a.key = 'study'), count(*) FROM studies s JOIN trials t ON"
            " t.study_id = s.study_id GROUP BY s.study_id"
        ).fetchall()
        (n_openings,) = connection.execute("SELECT count(*) FROM training_test_openings").fetchone()
    return sorted(ours), sorted(theirs), n_openings


def in_folder(begun, tmp_path, name):
    here = shutil.copytree(begun, tmp_path / name)
    return here, here / "search.db"


def lose_a_stage(path):
    """Delete Optuna's study of a stage as Optuna does."""
    import optuna

    optuna.delete_study(study_name="one/coarse", storage=f"sqlite:///{path}")


def moments(line, begun, tmp_path, name, every):
    """Carry out a command undisturbed; return the ends it has, and when it is to be killed."""
    here, path = in_folder(begun, tmp_path, "whole")
    if name == "repair":
        lose_a_stage(path)
    before = shape(path)
    ended = line.run_words(here, COMMANDS[name].split(), plan=Plan())
    assert ended.status == 0, ended.err
    after = shape(path)
    assert after != before
    numbers = range(1, ended.statements + 1)
    chosen = (
        numbers if every else [max(1, ended.statements * i // FEW - 1) for i in range(1, FEW + 1)]
    )
    plans = [Plan(statement=number) for number in chosen]
    delays = [0.0, 2e-4, 1e-3] if every else [0.0]
    plans += [Plan(commit=n + 1, delay=d) for n in range(ended.commits) for d in delays]
    return before, after, plans


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("rm", False),
        pytest.param("cp", False, marks=pytest.mark.slow),
        *(pytest.param(name, True, marks=pytest.mark.slow) for name in COMMANDS),
    ],
)
def test_all_of_it_has_happened_or_nothing(line, begun, tmp_path, name, every):
    before, after, plans = moments(line, begun, tmp_path, name, every)
    n_killed = 0
    for i, plan in enumerate(plans):
        here, path = in_folder(begun, tmp_path, str(i))
        if name == "repair":
            lose_a_stage(path)
        ended = line.run_words(here, COMMANDS[name].split(), plan=plan)
        n_killed += ended.killed
        found = shape(path)

        # Optuna makes a study by itself, trial by trial: repeated, the repair ends.
        if name != "repair":
            assert found in (before, after), plan
        if ended.killed and found != after:
            again = line.run_words(here, COMMANDS[name].split())
            assert again.status == 0, (plan, again.err)
            assert shape(path) == after, plan
        if not every or i % 10 == 0:
            checked = line.run(here, "check")
            assert checked.status == 0, (plan, checked.out)
        shutil.rmtree(here)
    assert n_killed > len(plans) / 2
