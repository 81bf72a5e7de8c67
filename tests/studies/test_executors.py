"""Segments trained here or in processes: the same results, and no segment lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from coarsefine.models.cohort import CohortPlan, state_to_bytes
from coarsefine.models.errors import ModelError
from coarsefine.models.segment import Segment
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.studies.errors import StudyError
from coarsefine.studies.running import executors
from coarsefine.studies.running.executors import (
    MAX_TRIES,
    InlineExecutor,
    ProcessExecutor,
    make_executor,
)
from tests.models.samples import made_up


class Handle:
    """Data that are made where they are opened."""

    def __init__(self, n_train=120):
        self.n_train = n_train

    def open(self):
        return made_up(self.n_train, dtype=np.float32)


class Held(Handle):
    """Data whose opening is noted in a folder and takes until ``go`` is there."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def open(self):
        (self.folder / str(os.getpid())).touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)
        return super().open()

    def wait_for(self, n):
        """Wait until ``n`` processes are opening it."""
        while len(list(self.folder.iterdir())) < n:
            time.sleep(0.01)


class Deadly(Handle):
    """Data that kill whoever opens them, but for the last ``n_spared`` times."""

    def __init__(self, marks, n_deaths):
        super().__init__()
        self.marks, self.n_deaths = marks, n_deaths

    def open(self):
        if len(list(self.marks.iterdir())) < self.n_deaths:
            (self.marks / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return super().open()


def segment(key="a", data=None, **changes):
    plan = CohortPlan(
        NetworkSpec(12, (5,), 4), TrainingSpec(20, 30), (Hyperparameters(l2_strength=0.01),) * 3, 1
    )
    return Segment(
        **{
            "key": key,
            "plan": plan,
            "data": data or Handle(),
            "state": None,
            "n_epochs": 2,
            **changes,
        }
    )


STARTS = [
    "spawn",
    pytest.param("fork", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux alone")),
]


@pytest.mark.parametrize("start", STARTS)
def test_processes_and_this_process_train_the_same_bits(start):
    with InlineExecutor() as inline, ProcessExecutor(2, start) as processes:
        for executor in (inline, processes):
            for key in "abc":
                executor.submit(segment(key))
        here = [inline.next_result() for _ in "abc"]
        there = [processes.next_result() for _ in "abc"]

    assert sorted(result.key for result in there) == ["a", "b", "c"]
    assert {state_to_bytes(result.state) for result in (*here, *there)} == {
        state_to_bytes(here[0].state)
    }


def test_segments_are_carried_on_from_their_state():
    with InlineExecutor() as executor:
        executor.submit(segment(n_epochs=5))
        whole = executor.next_result()
        executor.submit(segment(n_epochs=2))
        part = executor.next_result()
        executor.submit(segment(n_epochs=3, state=part.state))
        rest = executor.next_result()

    assert state_to_bytes(rest.state) == state_to_bytes(whole.state)


def test_a_worker_that_dies_costs_no_segment(tmp_path):
    with ProcessExecutor(1) as executor:
        executor.submit(segment(data=Deadly(tmp_path, n_deaths=MAX_TRIES - 1)))
        executor.submit(segment("next"))
        results = [executor.next_result() for _ in range(2)]

    assert [result.key for result in results] == ["a", "next"]
    assert len(list(tmp_path.iterdir())) == MAX_TRIES - 1


@pytest.mark.parametrize("start", STARTS)
def test_a_worker_killed_from_outside_is_replaced(tmp_path, start):
    held = Held(tmp_path)
    with ProcessExecutor(2, start) as executor:
        for key in "ab":
            executor.submit(segment(key, data=held))
        held.wait_for(2)
        os.kill(executor.worker_pids()[0], signal.SIGKILL)
        (tmp_path / "go").touch()
        results = [executor.next_result() for _ in "ab"]

    assert sorted(result.key for result in results) == ["a", "b"]


def test_a_segment_that_kills_every_worker_is_given_up(tmp_path):
    with ProcessExecutor(1) as executor:
        executor.submit(segment(data=Deadly(tmp_path, n_deaths=99)))

        with pytest.raises(StudyError, match="3 died over the same segment"):
            executor.next_result()


def test_an_error_in_a_worker_is_raised_by_the_driver():
    with ProcessExecutor(1) as executor:
        executor.submit(segment(data=Handle(n_train=10)))

        with pytest.raises(ModelError, match="training set's 10 samples"):
            executor.next_result()
        executor.submit(segment())
        assert executor.next_result().key == "a"


def test_closing_ends_the_workers_whatever_they_are_doing(tmp_path):
    executor, held = ProcessExecutor(1), Held(tmp_path)
    executor.submit(segment(data=held))
    held.wait_for(1)
    (worker,) = executor._workers

    executor.close()

    assert not worker.process.is_alive()


def test_one_worker_needs_no_process():
    assert isinstance(make_executor(1), InlineExecutor)
    with make_executor(2) as executor:
        assert isinstance(executor, ProcessExecutor)


ALONE = """
import threading
from coarsefine.studies.running.executors import may_be_copied

print(may_be_copied(), flush=True)
done = threading.Event()
threading.Thread(target=done.wait).start()
print(may_be_copied(), flush=True)
done.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells")
def test_a_process_is_copied_only_while_it_has_one_thread():
    said = subprocess.run(
        [sys.executable, "-c", ALONE],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.split() == ["True", "False"]


def test_where_threads_cannot_be_counted_none_is_copied(monkeypatch, tmp_path):
    monkeypatch.setattr(executors, "_THREADS", tmp_path / "none")

    assert not executors.may_be_copied()


def test_workers_ignore_interrupts_from_their_first_moment():
    before = signal.getsignal(signal.SIGINT)
    with ProcessExecutor(1) as executor:
        executor.submit(segment())
        os.kill(executor.worker_pids()[0], signal.SIGINT)

        assert executor.next_result().key == "a"
        assert executor._workers[0].tries == 1
    assert signal.getsignal(signal.SIGINT) is before


FAMILY = """
import multiprocessing, os, subprocess, sys, time
from pathlib import Path

def train(params, data, seed, report):
    kept = multiprocessing.Lock()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(params["folder"], str(child.pid)).touch()
    Path(params["folder"], str(os.getpid())).touch()
    time.sleep(600)
"""
DRIVER = """
import sys
from coarsefine.models.plugin import Plugin, source
from coarsefine.studies.running.executors import ProcessExecutor
from tests.studies.test_executors import Handle, segment
import json

name = "family:train"
plugin = Plugin(name, source(name), json.dumps({"folder": sys.argv[1]}))
executor = ProcessExecutor(1)
executor.submit(segment(plugin=plugin))
if sys.argv[2] == "next":
    executor.next_result()
import time
from pathlib import Path
from pathlib import Path
while len(list(Path(sys.argv[1]).iterdir())) < 2:
    time.sleep(0.01)
if sys.argv[2] == "close":
    executor.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no groups of processes")
@pytest.mark.parametrize(
    "end", ["killed", *(pytest.param(end, marks=pytest.mark.slow) for end in ("close", "left"))]
)
def test_a_worker_and_its_children_end_with_their_driver_without_a_word(tmp_path, end):
    marks = tmp_path / "marks"
    marks.mkdir()
    (tmp_path / "family.py").write_text(FAMILY)
    command = [sys.executable, "-c", DRIVER, str(marks), "next" if end == "killed" else end]
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(tmp_path), str(root)])
    environment = {**os.environ, "PYTHONPATH": paths}
    driver = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE)
    while len(list(marks.iterdir())) < 2:
        assert driver.poll() is None or end != "killed"
        time.sleep(0.01)
    if end == "killed":
        driver.kill()

    # Until whoever might write to it has ended.
    assert driver.communicate(timeout=120)[1] == b""

    for mark in marks.iterdir():
        while is_running(int(mark.name)):
            time.sleep(0.01)


def is_running(pid):
    """Return whether a process is there and no zombie, for which nobody may wait any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()
