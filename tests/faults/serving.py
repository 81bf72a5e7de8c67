"""A service as people use it: commands, Optuna and a dashboard beside it, killed and restarted."""

import http.client
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, suppress
from dataclasses import dataclass, field

import optuna

from tests.faults.facts import trials_of
from tests.faults.scenarios import DATABASE
from tests.faults.zygote import ROOT

LAB = """
[network]
hidden = [6]
[training]
schedule = "constant"
eta = 0.1
epochs = {epochs}
batch_size = 100
[[part]]
name = "eta"
search = {{ vary.eta = {{ low = 0.01, high = 1 }}, trials = 3, fine_trials = 2 }}
"""
N_LABS = 5
# What is done beside the service, and how often of so many times.
ACTIONS = {
    "submit": 40,
    "queue": 45,
    "cancel": 15,
    "rank": 30,
    "export": 20,
    "check": 20,
    "report": 10,
    "enqueue": 20,
}
# Of so many starts the service comes to work before it is ended; the others are cut short.
WHOLE_STARTS = 0.8
# A burst is of starts that come to no rest.
STARTS_OF_BURST = 3
PATIENCE = 300.0


@dataclass
class Served:
    """What came of it.

    Attributes:
        actions: How often each was done.
        kills, stops: How often the service was ended by SIGKILL and by SIGTERM.
        polls: How often the dashboard was asked.
        looks: How often the file was looked at after the service had ended: always sound.
        submitted, finished, cancelled, failed, lost: Entries; ``submitted`` were accepted.
        enqueued: Trials that Optuna was asked for.
        running: Trials that are left running or waiting in Optuna, of entries that have finished.
        wrong: What else is not as it should be.
    """

    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    kills: int = 0
    stops: int = 0
    polls: int = 0
    looks: int = 0
    submitted: int = 0
    finished: int = 0
    cancelled: int = 0
    failed: int = 0
    lost: int = 0
    enqueued: int = 0
    running: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self):
        return not (self.failed or self.lost or self.running or self.wrong)


class Service:
    """The service in a process of its own."""

    def __init__(self, folder, served, rng):
        self._folder, self._served, self._rng = folder, served, rng
        self._process = None
        self.log = folder / "serve.log"

    def start(self):
        with self.log.open("a") as log:
            log.write("--- started\n")
            log.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "search", "serve", "--port", "0", "--jobs", "1", "--quiet"],
                cwd=self._folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stderr=log,
            )

    def end(self, number):
        """End it by a signal, and look at the file."""
        if self._process.poll() is not None:
            self._served.wrong.append(f"the service ended by itself: {self._process.returncode}")
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._served.kills += 1
        else:
            self._served.stops += 1
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            self._served.wrong.append(f"the service did not end in {PATIENCE:.0f} s")
            return
        # It may be told to end before it hears signals.
        if number == signal.SIGTERM and status not in {0, -signal.SIGTERM}:
            self._served.wrong.append(f"SIGTERM ended the service with {status}")
        look(self._folder / DATABASE, self._served)

    def wait(self):
        """Wait until it is at work."""
        deadline = time.monotonic() + PATIENCE
        while self.address() is None and self._process.poll() is None:
            if time.monotonic() > deadline:
                self._served.wrong.append(f"the service did not start in {PATIENCE:.0f} s")
                return
            time.sleep(0.2)

    def address(self):
        """Return where its dashboard is, ``None`` before it says so."""
        text = self.log.read_text(errors="replace").rpartition("--- started\n")[2]
        found = re.search(r"dashboard: (http://\S+)/dashboard", text)
        return found and found[1]


def serve(zygote, folder, *, seed, n_actions=200):
    """Use a service in a folder, while it is killed and started again, and count what is lost."""
    rng, served = random.Random(f"a service {seed}"), Served()
    for i in range(N_LABS):
        (folder / f"lab-{i}.toml").write_text(LAB.format(epochs=2 + 3 * i))
    chosen = rng.choices(list(ACTIONS), list(ACTIONS.values()), k=n_actions)
    service, over, accepted = Service(folder, served, rng), threading.Event(), set()
    with zygote.line() as line:
        line.run(folder, "serve --once --no-dashboard --quiet")  # there is a file to look at
        done = line.run(folder, "submit lab-0.toml --study e0")
        served.submitted += 1
        accepted.add("e0")
        if done.status:
            served.wrong.append(f"the first submission: {done.err}")
    service.start()
    service.wait()
    lock, waiting = threading.Lock(), list(enumerate(chosen, 1))
    seeds = {number: rng.random() for number, _ in waiting}

    def act():
        with zygote.line() as line:
            while True:
                with lock:
                    if not waiting:
                        return
                    number, name = waiting.pop(0)
                wrong = _act(line, folder, name, number, random.Random(seeds[number]), served, lock)
                with lock:
                    served.actions[name] += 1
                    if wrong:
                        served.wrong.append(wrong)
                    elif name == "submit":
                        accepted.add(f"e{number}")
                time.sleep(3 * seeds[number])

    people = [threading.Thread(target=act) for _ in range(2)]
    browser = threading.Thread(target=_browse, args=(service, over, served))
    for thread in (*people, browser):
        thread.start()
    while any(thread.is_alive() for thread in people):
        # Now and then it is ended while it is starting; else it comes to work first.
        if rng.random() < WHOLE_STARTS:
            service.wait()
        time.sleep(rng.choice((rng.uniform(0, 3), rng.uniform(5, 25))))
        for _ in range(rng.choice((1, 1, STARTS_OF_BURST))):
            service.end(rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
            service.start()
            time.sleep(rng.uniform(0, 2))
    service.end(signal.SIGTERM)
    over.set()
    browser.join()
    _settle(zygote, folder, served, accepted)
    return served


def _act(line, folder, name, number, rng, served, lock):
    """Do something as people do, and return what is wrong with how it ended."""
    path = folder / DATABASE
    study = rng.choice(_studies(path) or ["none"])
    fine = {0}
    if name == "submit":
        words = f"submit lab-{rng.randrange(N_LABS)}.toml --study e{number} --quiet"
    elif name == "cancel":
        words, fine = f"cancel {rng.randint(1, 30)}", {0, 1}  # it has ended, or is none
    elif name == "enqueue":
        return _enqueue(path, study, rng, served, lock)
    else:
        # There may be no study yet, or no trial that is complete.
        fine = {0} if name in {"queue", "check"} else {0, 1}
        words = {
            "queue": "queue --all --json",
            "check": "check --json",
            "rank": f"rank {study} --json",
            "export": f"export {study} --format csv",
            "report": f"report {study} --no-figures --no-gradcheck --quiet --out report.md",
        }[name]
    done = line.run(folder, words)
    if done.status in fine and "Traceback" not in done.err and not _of_database(done.err):
        with lock:
            served.submitted += name == "submit"
        return None
    return f"{words}: {done.status} {done.out[-500:]} {done.err[-500:]}"


def _of_database(text):
    """Return whether a line says that the file is damaged or not to be had."""
    return any(sign in text for sign in ("I/O", "malformed", "locked", "readonly", "unable"))


def _enqueue(path, study, rng, served, lock):
    """Ask for a trial by Optuna's own means, once it has tables here."""
    if not trials_of(path)[1]:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    try:
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
        with suppress(KeyError):  # its study is not there yet
            optuna.load_study(study_name=f"{study}/coarse", storage=storage).enqueue_trial(
                {"eta": 10 ** rng.uniform(-2, 0)}
            )
            with lock:
                served.enqueued += 1
    except Exception as error:
        return f"Optuna: {error!r} {error.__cause__!r}"
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
    return None


def _studies(path):
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM training_studies")]


def look(path, served):
    """Have SQLite look through the file."""
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    served.looks += 1
    if found != [("ok",)]:
        served.wrong.append(f"integrity: {found[:3]}")


def _browse(service, over, served):
    """Have the dashboard open, whenever there is one."""
    while not over.is_set():
        address = service.address()
        if address is not None:
            try:
                urllib.request.urlopen(f"{address}/api/studies", timeout=60).read()
                served.polls += 1
            except urllib.error.HTTPError as error:
                served.wrong.append(f"the dashboard: {error} {error.read()[:500]!r}")
            except (OSError, http.client.IncompleteRead):
                pass  # it was killed
        over.wait(0.2)


def _settle(zygote, folder, served, accepted):
    """Have all that waits carried out, and count."""
    with zygote.line() as line:
        for _ in range(3):
            # An entry that seems to end services is carried out in a process of its own.
            done = line.run(folder, "serve --once --quiet --jobs 1", timeout=1200)
            if done.status not in {0, 1}:
                served.wrong.append(f"serve --once: {done.status} {done.err[-1000:]}")
        queue = json.loads(line.run(folder, "queue --all --json").out)["queue"]
        checked = line.run(folder, "check")
    if checked.status:
        served.wrong.append(checked.out + checked.err)
    look(folder / DATABASE, served)
    states = {entry["name"]: entry["state"] for entry in queue}
    for state in ("finished", "cancelled", "failed"):
        setattr(served, state, sum(each == state for each in states.values()))
    served.lost = len(accepted - states.keys()) + sum(
        state in {"waiting", "running"} for state in states.values()
    )
    served.wrong += [f"entry {e['entry']}: {e['error']}" for e in queue if e["state"] == "failed"]
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        left = connection.execute(
            "SELECT study_name FROM trials JOIN studies USING (study_id)"
            " WHERE state IN ('RUNNING', 'WAITING')"
        ).fetchall()
    # An entry that was cancelled keeps what it has, for whoever submits it again.
    served.running = sum(states[name.partition("/")[0]] == "finished" for (name,) in left)
