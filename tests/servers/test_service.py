"""A service on a server of databases: what is submitted and enqueued is carried out, once."""

import subprocess
import sys

import optuna
import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database

LAB = """
[network]
hidden = [8]
[training]
schedule = "constant"
eta = 0.1
epochs = 2
[search]
vary.eta = { low = 0.01, high = 1 }
trials = 3
stages = 1
"""
ONCE = ("serve", "--once", "--quiet", "--jobs", "1")


@pytest.fixture
def lab(own_folder):
    path = own_folder / "lab.toml"
    path.write_text(LAB)
    return path


def states(url):
    with open_database(url, read_only=True) as database:
        return [entry.state for entry in repository.queue(database)]


def test_what_is_submitted_and_enqueued_is_trained(search, lab, url):
    storage = ("--storage", url)
    assert search("submit", lab, *storage).status == 0
    assert search(*ONCE, *storage).status == 0
    of_optuna = optuna.storages.RDBStorage(url)
    study = optuna.load_study(study_name="lab/coarse", storage=of_optuna)
    study.enqueue_trial({"eta": 0.05})
    study.enqueue_trial({"eta": 5000.0})

    assert search(*ONCE, *storage).status == 0

    told = study.get_trials()
    of_optuna.remove_session()
    of_optuna.engine.dispose()
    assert states(url) == ["finished"]
    assert [trial.state.name for trial in told] == ["COMPLETE"] * 4 + ["FAIL"]
    assert told[3].params == {"eta": 0.05}
    assert "must lie in" in told[4].user_attrs["reason"]
    with open_database(url, read_only=True) as database:
        assert repository.stages_with_enqueued(database) == []


@pytest.mark.slow
def test_two_services_share_the_entries(search, lab, url, own_folder):
    for i in range(4):
        search("submit", lab, "--study", f"lab-{i}", "--storage", url)
    command = [sys.executable, "-m", "search", *ONCE, "--storage", url]

    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    logs = [process.communicate()[1] for process in started]

    assert [process.returncode for process in started] == [0, 0]
    assert states(url) == ["finished"] * 4
    for number in range(1, 5):
        assert sum(log.count(f"entry {number} (lab-{number - 1}, ") for log in logs) == 1
