"""A Dask cluster of processes on this machine's loopback, and data that workers can open."""

import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from coarsefine.studies.running.dask.worker import train
from tests.studies.test_executors import Handle

ROOT = Path(__file__).parents[3]
START_SECONDS = 120


class Cluster:
    """A scheduler and its workers, each process of which can be killed."""

    def __init__(self, folder, n_workers, *, environment=None, scheduler=(), workers=(), scheme=""):
        self.folder = folder
        self.cache = folder / "workers-cache"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "SEARCH_CACHE_DIR": str(self.cache),
            "DASK_LOGGING__DISTRIBUTED": "info",
            **(environment or {}),
        }
        self.processes = []
        host = ("--host", f"{scheme}127.0.0.1")
        log = self._start("scheduler", *host, "--port", "0", "--no-dashboard", *scheduler)
        self.address = self._found(log, r"Scheduler at:\s+(\S+)")
        if n_workers:
            self.add_workers(n_workers, *host, *workers)

    def add_workers(self, n, *words):
        words = words or ("--host", "127.0.0.1")
        log = self._start(
            *("worker", self.address, "--nworkers", str(n), "--nthreads", "1"),
            *("--no-dashboard", *words),
        )
        for _ in range(n):
            self._found(log, r"(Registered to)", times=n)

    def _start(self, kind, *words):
        log = self.folder / f"{kind}-{len(self.processes)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words],
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.processes.append(process)
        return log

    def _found(self, log, pattern, times=1):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = re.findall(pattern, log.read_text(errors="replace"))
            if len(found) >= times:
                return found[0]
            time.sleep(0.05)
        raise TimeoutError(log.read_text(errors="replace"))

    def close(self):
        """End all of it, whatever it is doing."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Fatal(Handle):
    """Data that kill whoever opens them, but for the last times."""

    def __init__(self, marks, n_deaths):
        super().__init__()
        self.marks, self.n_deaths = marks, n_deaths

    def open(self):
        if len(list(self.marks.iterdir())) < self.n_deaths:
            (self.marks / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open()


def killed_once(task, sent, marks):
    """Train a segment on a worker, where the third to be trained is cut short by SIGKILL."""
    segment, driver = pickle.loads(task)
    mark = marks / str(len(list(marks.iterdir())))
    mark.touch()
    if mark.name == "2":
        train(replace(segment, n_epochs=1), driver, sent)
        os.kill(os.getpid(), signal.SIGKILL)
    return train(segment, driver, sent)
