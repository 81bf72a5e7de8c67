"""Who trains: what the options refuse, and that what they ask for is used."""

import json
import os
import subprocess
import sys

import pytest

from coarsefine.search import processes
from coarsefine.search.cli import main

FEW = ("--values", "1e-3,1e-1", "--epochs", "2")


@pytest.fixture(autouse=True)
def without_a_cluster(monkeypatch, tmp_path):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--executor", "spark"), 2, "--executor must be inline, processes or dask, got 'spark'"),
        (("--executor", "dask"), 2, "--executor dask needs --scheduler"),
        (("--executor", "inline", "--jobs", "2"), 2, "inline trains in one process"),
        (("--executor", "processes", "--scheduler", "tcp://a:1"), 2, "is for --executor dask"),
        (("--executor", "inline", "--scheduler-ca", "ca.pem"), 2, "is for --executor dask"),
        (("--scheduler", "http://a:1"), 2, "must be tcp://HOST:PORT, tls://HOST:PORT"),
        (("--scheduler", "tcp://a:b"), 2, "must be tcp://HOST:PORT, tls://HOST:PORT"),
        (("--scheduler", "gone.json"), 2, "as `dask scheduler` writes it"),
        (
            ("--scheduler", "tcp://127.0.0.1:1", "--scheduler-cert", "cert.pem"),
            *(2, "--scheduler-cert is for a scheduler at tls://HOST:PORT"),
        ),
        (
            ("--scheduler", "tls://127.0.0.1:1", "--scheduler-ca", "gone.pem"),
            *(2, "--scheduler-ca must be a file, found no gone.pem"),
        ),
    ],
)
def test_workers_that_cannot_be_meant_are_refused_in_a_line(words, status, said, capsys, tmp_path):
    assert main(["lambda", "--coarse", *FEW, *words]) == status

    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert said in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["inline", "processes"])
def test_a_search_runs_where_it_is_asked_to(kind, monkeypatch, capsys):
    from coarsefine.studies.running import executors

    ran = []
    for name in ("InlineExecutor", "ProcessExecutor"):
        executor = getattr(executors, name)

        def noting(self, segment, name=name, submit=executor.submit):
            ran.append(name)
            submit(self, segment)

        monkeypatch.setattr(executor, "submit", noting)

    assert main(["lambda", "--coarse", *FEW, "--executor", kind, "--quiet", "--json"]) == 0

    assert set(ran) == {{"inline": "InlineExecutor", "processes": "ProcessExecutor"}[kind]}


@pytest.mark.parametrize("users", [None, "3"])
def test_blas_begins_with_one_thread_and_the_users_commands_with_what_they_had(monkeypatch, users):
    monkeypatch.setattr(processes, "_set_here", set())
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", users or "")
    if users is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")

    processes.begin_with_one_thread()

    assert os.environ["OPENBLAS_NUM_THREADS"] == (users or "1")
    assert processes.of_users().get("OPENBLAS_NUM_THREADS") == users


COPIED = """
import sys
from coarsefine.search.cli import main
from coarsefine.studies.running import executors, resources

resources._COPIED_SECONDS = float(sys.argv[1])
started = []
start = executors.ProcessExecutor._start

def noting(self):
    started.append(self._context.get_start_method())
    return start(self)

executors.ProcessExecutor._start = noting
status = main(sys.argv[2:])
print(*started, file=sys.stderr)
raise SystemExit(status)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")
def test_a_short_search_is_trained_by_copies_of_its_process_to_the_same_bits(tmp_path):
    seeds = ("--replicates", "2", "--jobs", "2")
    words = ("lambda", "--coarse", *FEW, *seeds, "--quiet", "--json")
    said = {}
    # The first one prepares the data: what reads them may start threads of its own.
    for least in ("inf", "0"):
        folder = tmp_path / least
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", COPIED, least, *words],
            cwd=folder,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        trials = json.loads(done.stdout)["trials"]
        said[least] = [{**trial, "seconds": None, "uuid": None} for trial in trials]
        assert done.stderr.split() == (["fork"] * 2 if least == "0" else [])

    assert said["0"] == said["inf"]
