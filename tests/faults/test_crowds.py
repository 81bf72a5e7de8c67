"""Several drivers on one file, two on one study, one that died, and one that is told to stop."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from tests.faults import dashboards
from tests.faults.crowd import crowd
from tests.faults.scenarios import (
    DATABASE,
    INTERRUPT,
    INTERRUPT_TWICE,
    SCENARIOS,
    TERMINATE,
    attempt,
    moments,
    reference,
)
from tests.faults.tables import rows
from tests.faults.zygote import ROOT, Blow

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

LONG = "lambda --coarse --hidden 50 --epochs 2000 --trials 4 --jobs 1 --quiet"


@pytest.fixture(scope="module")
def quick(line, tmp_path_factory):
    return reference(line, SCENARIOS["tpe, then more"], tmp_path_factory.mktemp("ref"))


def nothing_amiss(made):
    return (made.lost, made.duplicated, made.differing, made.running, made.wrong) == (
        0,
        0,
        0,
        0,
        (),
    )


def test_two_drivers_on_one_file_end_as_one_after_the_other(zygote, tmp_path):
    made = crowd(zygote, tmp_path, 2, 6, dashboard=False)

    assert nothing_amiss(made), made


@pytest.mark.slow
def test_four_drivers_readers_and_a_dashboard_do_not_mind_each_other(zygote, tmp_path):
    made = crowd(zygote, tmp_path, 4, 500)

    assert nothing_amiss(made), made
    assert made.reads > 0
    assert made.polls > 3 or not dashboards.INSTALLED


def driver_of(path, *, but=None):
    """Return the process that drives the study, once there is one (other than ``but``)."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(sqlite3.OperationalError):  # not there yet, or not yet filled
            found = rows(path, "SELECT driver_pid FROM training_studies")
            if found and found[0][0] not in {None, but}:
                return found[0][0]
        time.sleep(0.02)
    raise AssertionError("nobody drives it")


def test_a_second_driver_is_refused_and_a_dead_one_is_not_waited_for(zygote, line, tmp_path):
    path = tmp_path / DATABASE
    ended = []

    def drive():
        with zygote.line() as other:
            ended.append(other.run(tmp_path, LONG))

    first = threading.Thread(target=drive)
    first.start()
    pid = driver_of(path)
    refused = line.run(tmp_path, LONG)
    os.kill(pid, signal.SIGKILL)
    first.join()
    # The dead one's lock is gone, its row is not.
    second = threading.Thread(target=drive)
    second.start()
    os.kill(driver_of(path, but=pid), signal.SIGINT)
    second.join()

    assert refused.status == 1
    assert f"is being driven by process {pid}" in refused.err
    assert refused.err.count("\n") == 1
    assert ended[0].killed
    assert ended[1].status == 130
    assert "run the same command to carry on" in ended[1].err


@pytest.mark.parametrize(
    "kind",
    [*(pytest.param(k, marks=pytest.mark.slow) for k in (INTERRUPT, INTERRUPT_TWICE)), TERMINATE],
)
def test_a_search_that_was_told_to_stop_ends_with_the_same_table(line, quick, tmp_path, kind):
    (moment,) = moments(quick, kind, 1)

    outcome = attempt(line, quick, moment, tmp_path, to_the_end=False)

    assert outcome.passed, outcome


@pytest.mark.slow
def test_workers_do_not_outlive_a_driver_that_was_killed_nor_keep_its_lock(line, tmp_path):
    command = [sys.executable, "-m", "search", *LONG.replace("--jobs 1", "--jobs 2").split()]
    # The program that is tested, wherever another version of it is installed.
    ours = os.environ | {"PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(command, cwd=tmp_path, env=ours, stderr=subprocess.PIPE)
    children = f"/proc/{driver.pid}/task/{driver.pid}/children"
    deadline = time.monotonic() + 120
    workers = []
    while len(workers) < 3 and time.monotonic() < deadline:  # two, and who looks after resources
        with open(children) as file:  # noqa: PTH123
            workers = file.read().split()
        time.sleep(0.05)
    time.sleep(2)
    driver.kill()
    driver.communicate()

    again = line.run(tmp_path, LONG, blows=[Blow(2.0, signal=signal.SIGINT)])

    assert again.status == 130, again.err
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):  # noqa: PTH110
        assert time.monotonic() < deadline + 600
        time.sleep(0.1)
