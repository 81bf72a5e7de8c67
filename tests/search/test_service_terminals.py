"""The service in one terminal and its users in others, as docs/service.md shows it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from coarsefine.search.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/service.md").read_text(encoding="utf-8")
# What is typed beside `serve`, as the page has it.
TYPED = [
    line.partition("#")[0].split()[3:]
    for line in re.findall(r"^    python -m search .*$", PAGE, re.M)
    if " serve" not in line
]
LAB = """
[network]
hidden = [8]
[training]
schedule = "constant"
eta = 0.1
epochs = {epochs}
[[part]]
name = "eta"
search = {{ vary.eta = {{ low = 1e-3, high = 1 }}, trials = 3, fine_trials = 2 }}
"""
RECIPE = "[network]\nhidden = [8]\n[training]\nschedule = 'constant'\neta = 0.1\nepochs = 2\n"
PATIENCE = 180.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")


def until(condition, what):
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def serving(folder, *words):
    """A service in a terminal of its own, and its dashboard in a browser that asks all the time."""
    log = folder / "serve.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "search", "serve", "--port", "0", "--jobs", "1", *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=stderr,
        )
    over, failures = threading.Event(), []
    poller = threading.Thread(target=poll, args=(log, over, failures))
    try:
        until(lambda: "dashboard: " in log.read_text(), "no dashboard")
        poller.start()
        yield process, log, failures
    finally:
        over.set()
        process.kill()
        process.wait()
        if poller.ident is not None:
            poller.join()


def poll(log, over, failures):
    base = re.search(r"dashboard: (http://\S+)/dashboard", log.read_text())[1]
    asked = 0
    while not over.is_set():
        for page in ("/api/studies", "/api/studies/1?after=0"):
            try:
                urllib.request.urlopen(base + page, timeout=60).read()
                asked += 1
            except urllib.error.HTTPError as error:
                if error.code != 404:  # no study yet
                    failures.append(f"{page}: {error} {error.read()!r} {log.read_text()}")
            except OSError:
                pass  # it has ended, or is about to
        over.wait(0.4)
    if not asked:
        failures.append("nothing was shown")


def deleted(process):
    """Return which of its open files have no name any more."""
    links = []
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            links.append(os.readlink(link))  # noqa: PTH115  # the text, not a path
    return [link for link in links if "search.db" in link and link.endswith("(deleted)")]


def sound(folder):
    with closing(sqlite3.connect(folder / "search.db")) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def states(search):
    queue = search("queue", "--all", "--json")
    assert queue.status == 0, queue.err
    return {entry["entry"]: entry["state"] for entry in queue.json["queue"]}


def test_all_that_the_page_types_is_done(search, own_folder):
    typed = ["queue", "pause", "resume", "cancel", "submit"]
    assert [words[0] for words in TYPED] == ["submit"] * 3 + typed
    (own_folder / "my-lab.toml").write_text(LAB.format(epochs=2))
    (own_folder / "my-recipe.toml").write_text(RECIPE)
    # The page has a service that has made the file, and waits.
    assert search("serve", "--once", "--quiet").status == 0

    for words in TYPED:
        answer = search(*words)
        assert answer.status == 0, (words, answer.err)

    assert states(search) == {1: "waiting", 2: "waiting", 3: "cancelled", 4: "waiting"}


# Commands beside a service that trains: test_two_users_of_a_group_share_a_service has some of them.
@pytest.mark.slow
def test_all_that_the_page_types_while_it_is_idle_trains_and_ends(search, own_folder):
    (own_folder / "first.toml").write_text(LAB.format(epochs=2))
    (own_folder / "my-lab.toml").write_text(LAB.format(epochs=100_000))
    (own_folder / "my-recipe.toml").write_text(RECIPE)

    with serving(own_folder) as (service, log, failures):
        # While it is idle.
        for words in ("queue", "check", "queue", "submit first.toml", "queue"):
            assert search(*words.split()).status == 0
            assert deleted(service) == []
        until(lambda: states(search) == {1: "finished"}, "the first entry does not finish")
        for words in ("rank", "check", "list", "export --format csv", "queue"):
            assert search(*words.split()).status == 0
            assert deleted(service) == []
        # While it trains: the page's entries come after the first one.
        assert search("submit", "my-lab.toml").status == 0
        until(lambda: states(search)[2] == "running", "the second entry does not run")
        for words in TYPED:
            # The third entry of the page is the fifth here, and the study of the first has a name.
            numbered = ["5" if word == "3" else word for word in words]
            own = ["--study", "own"] if "my-lab.toml" in words else []
            answer = search(*numbered, *own)
            assert answer.status == 0, answer.err
            assert deleted(service) == []
        there = {1: "finished", 2: "running", 3: "waiting", 4: "waiting", 5: "cancelled"}
        assert states(search) == there | {6: "waiting"}
        for words in ("rank first/eta", "check", "report first/eta --no-figures --no-gradcheck"):
            assert search(*words.split()).status == 0
            assert deleted(service) == []
        # While it ends.
        service.send_signal(signal.SIGTERM)
        while service.poll() is None:
            assert search("queue").status == 0
            assert search("rank", "first/eta").status == 0
            time.sleep(0.2)
        assert service.returncode == 0, log.read_text()
    assert failures == []
    assert sound(own_folder)
    assert states(search) == there | {2: "waiting", 6: "waiting"}
    for number in (2, 3, 4):
        assert search("cancel", number).status == 0
    assert search("serve", "--once", "--quiet", "--jobs", "1").status == 0
    assert states(search) == there | {
        **dict.fromkeys((2, 3, 4), "cancelled"),
        6: "finished",
    }
    assert search("check").status == 0


# ------------------------------------------------------------------------------ two users

GROUP, SERVER, ANN = 54_001, 54_002, 54_003


def as_user(uid, folder, line, out):
    """Begin a command line as a user of the group, and return its process.

    In a fork of this process, which has imported everything: users of a test may not be able to
    read where Python is installed.
    """
    child = os.fork()
    if child:
        return child
    status = 70  # pragma: no cover  # in the child
    try:
        with out.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.setgroups([GROUP])
        os.setgid(uid)
        os.setuid(uid)
        os.umask(0o077)
        os.chdir(folder)
        status = main(line.split())
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def done_by(uid, folder, line, out):
    """Carry out a command line as a user, and return how it ended and what it said."""
    before = out.stat().st_size if out.exists() else 0
    _, status = os.waitpid(as_user(uid, folder, line, out), 0)
    return os.waitstatus_to_exitcode(status), out.read_bytes()[before:].decode()


@pytest.fixture
def shared(own_folder, monkeypatch):
    """A folder of a group, in a place that all can reach."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs the right to be another user")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "shared"
        folder.mkdir()
        Path(place).chmod(0o755)
        os.chown(folder, SERVER, GROUP)
        folder.chmod(0o2770)
        cache = Path(place) / "cache"
        cache.mkdir()
        cache.chmod(0o777)
        monkeypatch.setenv("SEARCH_CACHE_DIR", str(cache))
        (folder / "lab.toml").write_text(LAB.format(epochs=2))
        (folder / "lab.toml").chmod(0o644)
        yield folder


def test_two_users_of_a_group_share_a_service(search, shared, own_folder, monkeypatch):
    # What is imported on the way is imported before anybody is another user.
    (own_folder / "lab.toml").write_text(LAB.format(epochs=2))
    for line in (
        "serve --once",
        "submit lab.toml",
        "queue",
        "cancel 1",
        "submit lab.toml",
        "serve --once --jobs 1",
    ):
        assert search(*line.split()).status == 0
    log, anns = own_folder / "serve.log", own_folder / "ann.log"

    server = as_user(SERVER, shared, "serve --group-writable --no-dashboard --jobs 1", log)
    try:
        until(lambda: log.exists() and "serving" in log.read_text(), "it does not serve")
        for line in ("submit lab.toml", "submit lab.toml --study other", "queue", "check"):
            status, text = done_by(ANN, shared, line, anns)
            assert status == 0, text
        until(
            lambda: done_by(ANN, shared, "queue --all", anns)[1].count("finished") == 2,
            "the entries do not finish",
        )
        for line in ("rank lab/eta", "submit lab.toml --study third", "cancel 3", "queue --all"):
            status, text = done_by(ANN, shared, line, anns)
            assert status == 0 or line == "cancel 3", text
    finally:
        os.kill(server, signal.SIGTERM)
        _, status = os.waitpid(server, 0)
    assert os.waitstatus_to_exitcode(status) == 0, log.read_text()
    for path in (shared / "search.db", *(shared / ".search.db.locks").iterdir()):
        assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (GROUP, 0o660), path
    # Who submits while no service is there leaves nothing that keeps it from starting.
    for uid, line in (
        (ANN, "submit lab.toml --study fourth"),
        (SERVER, "serve --once --group-writable --jobs 1"),
        (ANN, "check"),
    ):
        status, text = done_by(uid, shared, line, anns)
        assert status == 0, text
    assert "failed" not in done_by(ANN, shared, "queue --all", anns)[1]
    assert sound(shared)


def test_a_folder_that_is_not_the_groups_is_refused(search, own_folder):
    own_folder.chmod(0o755)

    answer = search("serve", "--once", "--group-writable")

    assert answer.status == 1
    assert answer.err.endswith(
        "error: the folder of a database that a group shares must be the group's, too; run: chmod "
        f"g+rwxs {own_folder.resolve()}\n"
    )
