"""No command opens a database's file but through SQLite, nor takes a lock that is held in it."""

import threading
import urllib.request
from pathlib import Path

import pytest

from coarsefine.db.connections.engine import open_database
from coarsefine.search import cli
from coarsefine.search.dashboard.server import Server
from coarsefine.search.dashboard.serving import make_app
from coarsefine.search.library import Study
from tests.opened import locks_of, opens_of

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fdinfo").exists(), reason="needs the list of a process's locks"
)

SMALL = "--hidden 4 --epochs 1 --batch-size 100 --quiet --jobs 1"
LAB = """
[network]
hidden = [4]
[training]
schedule = "constant"
eta = 0.1
epochs = 1
[[part]]
name = "eta"
search = { vary.eta = { low = 0.01, high = 1 }, trials = 2, fine_trials = 2 }
"""
# In this order, on a study that was searched and tested before.
LINES = (
    f"lambda --coarse {SMALL} --trials 5 --study own",
    f"lambda --fine {SMALL} --trials 2 --study own",
    f"eta --coarse {SMALL} --trials 2 --schedule constant",
    f"lambda-eta --coarse {SMALL} --trials 2",
    f"batch-size {SMALL.replace('--batch-size 100', '')} --values 50,100",
    f"dataset-size {SMALL} --values 100,200",
    f"hidden {SMALL.replace('--hidden 4', '')} --values 4,5",
    f"tricks {SMALL}",
    "run lab.toml --quiet --jobs 1",
    "test digits/eta --top 1 --quiet",
    "rank digits/lambda",
    "rank digits/lambda --json",
    "compare digits/lambda digits/eta",
    "replay digits/lambda",
    "diagnose digits/lambda",
    "plan digits/lambda",
    f"space --coarse --vary eta=0.1..0.2 --study spaced --trials 2 {SMALL}",
    "audit digits/lambda --runs 2",
    "list",
    "show digits/lambda",
    "export digits/lambda --format csv",
    "export digits/lambda curves.csv --what curves",
    "export digits/lambda --what test --format md",
    "plot digits/lambda values -o values.svg",
    "report digits/lambda -o report.html --no-figures --no-gradcheck",
    "save digits/lambda model.npz",
    "cp digits/lambda copied",
    "mv copied renamed",
    "tag renamed --add x",
    "note renamed --text y",
    "rm renamed",
    "restore renamed",
    "rm renamed",
    "purge --yes",
    "pack digits/lambda hand-in.cfs",
    "unpack hand-in.cfs",
    "merge hand-in.cfs",
    "check",
    "backup copy.db",
    "submit lab.toml --study queued",
    "queue",
    "queue --json --all",
    "submit lab.toml --study another",
    "pause 2",
    "resume 2",
    "cancel 2",
    "serve --once --quiet --jobs 1",
    "presets",
    "gradcheck",
    "params",
    "data list",
)
# What needs another framework, reads no studies, or waits for a browser: that is tested below.
LEFT_OUT = {"crosscheck", "predict", "dashboard"}


def kept(path):
    """Return the locks of an idle connection, which must stay whatever else happens."""
    log = path.with_name(f"{path.name}-shm")
    return {("db", *lock) for lock in locks_of(path)} | {("shm", *lock) for lock in locks_of(log)}


@pytest.fixture
def watched(study, own_folder):
    """A database that this process has open, and who opens it."""
    (own_folder / "lab.toml").write_text(LAB)
    with open_database(str(study)) as database, opens_of(study) as opened:
        with database.session():
            pass
        yield study, opened


def test_no_command_opens_the_file_or_drops_a_lock(watched, search):
    path, opened = watched
    locked = kept(path)
    assert {kind for kind, *_ in locked} == {"db", "shm"}

    for line in LINES:
        answer = search(*line.split())
        assert answer.status == 0, (line, answer.err)
        assert opened == [], line
        assert locked <= kept(path), line

    assert {line.split()[0] for line in LINES} == (
        {*cli.SEARCHES, *cli.COMMANDS, "data"} - LEFT_OUT
    )


@pytest.mark.parametrize(
    "line",
    [
        f"lambda --coarse {SMALL} --data ./search.db",
        f"lambda --coarse {SMALL} --data link.csv",
        f"lambda --coarse {SMALL} --data log.npz",
        "export digits/lambda search.db",
        "plot values -o search.db",
        "report -o search.db",
        "backup search.db --force",
        "backup search.db-wal --force",
        "run search.db",
        "submit search.db",
        "lambda --coarse --recipe search.db",
        "rank --storage lab.toml",
        "check --storage other.db",
    ],
)
def test_a_command_that_is_refused_does_not_either(watched, search, own_folder, line):
    path, opened = watched
    (own_folder / "link.csv").symlink_to(path)
    (own_folder / "log.npz").symlink_to(path.with_name("search.db-wal"))
    (own_folder / "other.db").symlink_to(path.with_name("search.db-shm"))
    locked = kept(path)

    answer = search(*line.split())

    assert answer.status in {1, 2}, answer.out
    assert opened == []
    assert locked <= kept(path)


@pytest.mark.parametrize("writable", [False, True])
def test_the_dashboard_does_not_either(watched, writable):
    path, opened = watched
    locked = kept(path)

    with make_app(str(path), writable=writable) as app, Server(app, port=0) as server:
        base = server.url.removesuffix("/dashboard")
        for page in ("/dashboard", "/api/meta", "/api/studies", "/api/studies/1", "/favicon.ico"):
            request = urllib.request.Request(base + page, headers={"Accept-Encoding": "gzip"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 200
            assert locked <= kept(path), page

    assert opened == []
    assert locked <= kept(path)


def test_the_library_does_not_from_two_threads(watched):
    path, opened = watched
    locked = kept(path)
    trained = threading.Event()
    readings, failures = [], []

    def read():
        try:
            other = Study("digits/lambda", storage=path)
            while not trained.is_set():
                readings.append(len(other.ranking))
                assert locked <= kept(path)
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        study = Study.search("lambda", storage=path, name="threads", hidden=4, epochs=2)
        study.coarse(trials=4)
    finally:
        trained.set()
        reader.join()

    assert failures == []
    assert len(readings) > 0
    assert opened == []
    assert locked <= kept(path)
