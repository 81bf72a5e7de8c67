"""Service: what is submitted is checked, carried out in order, and survives all that happens."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.errors import StorageError
from coarsefine.search.dashboard import server
from coarsefine.search.dashboard.queue_page import page
from coarsefine.studies.labs import service
from coarsefine.studies.running import loop as running

ROOT = Path(__file__).parents[2]
LAB = """
[network]
hidden = [8]
[training]
schedule = "constant"
eta = 0.1
epochs = 3
[[part]]
name = "eta"
search = { vary.eta = { low = 1e-3, high = 1 }, trials = 3, fine_trials = 2 }
"""
ONCE = ("serve", "--once", "--quiet", "--jobs", "1")


@pytest.fixture(autouse=True)
def served_before(own_folder):
    """A file that a service has made: nothing is submitted to one that is not there."""
    open_database("search.db", create=True).close()


@pytest.fixture
def lab(own_folder):
    return written(own_folder, "lab.toml", LAB)


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def restless(monkeypatch):
    """Segments of an epoch each, and a service that looks after each of them."""
    monkeypatch.setattr(service, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(running, "FIRST_SECONDS", 1e-9)
    monkeypatch.setattr(running, "SEGMENT_SECONDS", 1e-9)


def after_segment(monkeypatch, number, act):
    """Have something happen when so many segments have been stored."""
    store, count = repository.store_segment, iter(range(1, 10_000))
    # Optuna hears of it from the beginning, as of what takes longer.
    monkeypatch.setattr(running, "SMALL_SECONDS", 0)

    def stored(*arguments):
        store(*arguments)
        if next(count) == number:
            act()

    monkeypatch.setattr(repository, "store_segment", stored)


def entries(search, *words):
    return search("queue", "--json", *words).json["queue"]


def states(search):
    return [entry["state"] for entry in entries(search)]


def ranking(search, study):
    """Return a ranking without what may differ: times."""
    answer = search("rank", study, "--json").json
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in answer["trials"]]


# ------------------------------------------------------------------------------------- submitted


def test_what_is_submitted_waits_whole_and_in_order(search, lab):
    first = search("submit", lab)
    search("submit", lab, "--study", "other", "--part", "eta", "--fresh", "--quiet")

    assert first.status == 0
    assert first.out == "entry 1: lab, 0 before it\n\nnext: python -m search queue\n"
    one, other = entries(search)
    assert (one["content"], one["name"], one["place"], one["state"]) == (LAB, "lab", 1, "waiting")
    assert (other["name"], other["parts"], other["fresh"]) == ("other", ["eta"], True)
    assert "@" in one["submitted_by"]
    assert "waiting (2)" in search("queue").out


def test_what_no_service_has_made_is_told_of(search, lab):
    refused = search("submit", lab, "--storage", "elsewhere.db")

    assert refused.status == 1
    assert "a service makes it: python -m search serve --storage elsewhere.db" in refused.err
    assert not Path("elsewhere.db").exists()


def test_a_recipe_without_a_search_is_given_one(search, own_folder):
    recipe = written(own_folder, "mine.toml", "[network]\nhidden = [8]\n[training]\ncycles = 1\n")

    assert search("submit", recipe).status == 2
    assert search("submit", recipe, "--search", "lambda").status == 0
    assert search(*ONCE).status == 0

    (study,) = search("list", "--json").json["studies"]
    assert (study["study"], study["stages"]) == ("mine/lambda", ["coarse", "fine"])


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("missing.toml",), 2, "found no missing.toml"),
        (("cifar-liner",), 2, "did you mean cifar-linear?"),
        (("lab.toml", "--part", "etta"), 2, "did you mean eta?"),
        (("lab.toml", "--search", "lambda"), 2, "leave out --search"),
        (("plain.toml", "--search", "lamda"), 2, "did you mean lambda?"),
        (("plain.toml",), 2, "either one search or several part"),
        (("lab.toml", "--study", "a\x1b[2Jb"), 2, r"printable characters, got 'a\x1b[2Jb'"),
        (("lab.toml", "--study", " "), 2, "printable characters"),
        (("unknown-key.toml",), 2, "did you mean training.epochs?"),
        (("not-varied.toml",), 2, "not a key that can be searched; did you mean eta"),
        (("no-data.toml",), 1, "did you mean mnist?"),
        (("long.toml",), 2, "must have at most 60,000 bytes"),
        (("no-toml.toml",), 2, "must be TOML"),
        ((), 2, "name what to submit"),
        (("lab.toml", "--again", "1"), 2, "submits an entry unchanged; leave out lab.toml"),
        (("--again", "1"), 1, "the queue of search.db has no entry 1"),
        (
            ("no-momentum.toml",),
            2,
            "error: a search over momentum needs --optimizer momentum or nesterov, got sgd\n",
        ),
        (
            ("values.toml",),
            2,
            "error: --momentum must be < 1, got 1.5\n",
        ),
    ],
    ids=lambda each: " ".join(each) or "nothing" if isinstance(each, tuple) else "",
)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_written(
    search, lab, own_folder, words, status, reason
):
    eta = "[search]\nkind = 'eta'\n"
    for name, text in {
        "plain": "[training]\nepochs = 2\n",
        "unknown-key": f"[training]\nepoch = 3\n{eta}",
        "not-varied": "[search]\nvary.etta.values = [0.1]\n",
        "no-data": f"[data]\nname = 'minst'\n{eta}",
        "long": f"{eta}# {'long ' * 12_000}\n",
        "no-toml": "x = [",
        "no-momentum": "[search]\nvary.momentum.values = [0.5, 0.9]\n",
        "values": "[training]\noptimizer = 'momentum'\n"
        "[search]\nvary.momentum.values = [0.5, 1.5]\n",
    }.items():
        written(own_folder, f"{name}.toml", text)

    answer = search("submit", *words)

    assert answer.status == status
    assert answer.err.count("\n") == 1
    assert reason in answer.err
    assert entries(search) == []


def test_a_study_that_was_begun_otherwise_is_not_waited_for(search, lab, own_folder):
    search("submit", lab)
    longer = LAB.replace("epochs = 3", "epochs = 4")
    other = written(own_folder, "x.toml", longer)

    waiting = search("submit", other, "--study", "lab")
    search(*ONCE)
    begun = search("submit", other, "--study", "lab")

    assert (waiting.status, begun.status) == (1, 1)
    assert "entry 1 of the queue asks something else of study lab/eta" in waiting.err
    assert "training.epochs: 3 there, 4 asked for" in begun.err
    assert len(entries(search)) == 1


def test_text_that_would_command_a_terminal_is_shown_as_it_is(search, lab):
    search("submit", lab)
    with open_database("search.db") as database:
        evil = "\x1b[2Jevil\u202e\nentry 9"
        repository.add_entry(
            database, name=evil, content="x = [", options={"parts": [evil]}, submitted_by=evil
        )

    served, shown = search("serve", "--once", "--jobs", "1"), search("queue")

    for text in (served.err, shown.out):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[2Jevil\\u202e\\nentry 9" in text
    assert states(search) == ["finished", "failed"]


@pytest.mark.parametrize(
    "options", [[], 1, {"parts": "eta"}, {"parts": [1, {}], "quick": "x", "fresh": []}], ids=str
)
def test_rows_that_somebody_else_wrote_stop_nobody(search, lab, options):
    with open_database("search.db", create=True) as database:
        repository.add_entry(database, name="x", content="", options={}, submitted_by="?")
        with database.write() as session:
            session.connection().exec_driver_sql(
                "UPDATE training_queue SET options = ?", (json.dumps(options),)
            )
    search("submit", lab)

    assert "waiting (2)" in search("queue").out
    assert search(*ONCE).status == 0

    assert states(search) == ["failed", "finished"]


# ------------------------------------------------------------------------------------- carried out


def test_entries_are_carried_out_in_order_as_run_would(search, lab, own_folder):
    search("run", lab, "--quiet", "--storage", "plain.db")
    search("submit", lab)
    search("submit", lab, "--study", "second")

    served = search("serve", "--once", "--jobs", "1")

    assert served.status == 0
    assert served.err.index("entry 1 has finished") < served.err.index("entry 2 (second")
    assert states(search) == ["finished", "finished"]
    first, second = ranking(search, "lab/eta"), ranking(search, "second/eta")
    plain = search("rank", "--json", "--storage", "plain.db").json["trials"]
    assert [t["validation_accuracy"] for t in first] == [t["validation_accuracy"] for t in plain]
    assert [t["params"] for t in second] == [t["params"] for t in first]
    assert entries(search)[0]["answers"] == [{"part": "eta", "does": "search", "study": "lab/eta"}]


def test_enqueued_trials_and_entries_take_turns(search, lab, monkeypatch):
    left, happened = iter([True] * 4 + [False] * 9), []
    carry_out = service.Service._carry_out

    def train_enqueued(_):
        done = next(left)
        happened.append("trials" if done else "nothing")
        return done

    def carried_out(self, entry):
        happened.append(entry.name)
        carry_out(self, entry)

    monkeypatch.setattr(service.Service, "_train_enqueued", train_enqueued)
    monkeypatch.setattr(service.Service, "_carry_out", carried_out)
    search("submit", lab)
    search("submit", lab, "--study", "second")

    search(*ONCE)

    assert happened == ["trials", "lab", "trials", "second", "trials", "trials", "nothing"]


def test_every_line_of_its_log_has_a_time(search, lab):
    search("submit", lab)

    lines = search("serve", "--once", "--jobs", "1").err.splitlines()

    assert len(lines) > 5
    assert all(line[:2] == "20" and line[19:26] == "+00:00 " for line in lines)


def test_an_entry_that_fails_says_why_and_stops_no_other(search, lab, own_folder):
    named = "[data]\nname = 'missing.csv'\n[search]\nkind = 'eta'\n"
    submitted = search("submit", written(own_folder, "gone.toml", named))
    search("submit", lab)
    assert "missing.csv is for the machine that serves to have" in submitted.err

    assert search(*ONCE).status == 0

    failed, finished = entries(search)
    assert (failed["state"], finished["state"]) == ("failed", "finished")
    assert "missing.csv" in failed["error"]
    assert failed["error"] in search("queue").out


def test_a_check_that_is_not_passed_is_a_failure_with_its_figures(search, lab, monkeypatch):
    class Failed:
        def to_json(self):
            return {"passed": False, "worst": 0.5}

    monkeypatch.setattr(service, "carried_out", lambda *_, **__: Failed())
    search("submit", lab)

    search(*ONCE)

    (entry,) = entries(search)
    assert (entry["state"], entry["error"]) == ("failed", "eta did not pass")
    assert entry["answers"] == [{"part": "eta", "does": "search", "passed": False, "worst": 0.5}]


def test_a_mistake_of_this_program_is_logged_and_stops_nothing(search, lab, monkeypatch):
    monkeypatch.setattr(service, "carried_out", lambda *_, **__: {}["nothing"])
    search("submit", lab)

    served = search("serve", "--once")

    assert served.status == 0
    assert "Traceback" in served.err
    assert [(e["state"], e["error"]) for e in entries(search)] == [
        ("failed", "KeyError: 'nothing'")
    ]


def test_the_dashboard_is_there_while_it_trains(search, lab, monkeypatch):
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    seen = []

    def look():
        base = address["url"].removesuffix("/dashboard")
        with urlopen(f"{base}/api/studies", timeout=60) as answer:
            seen.append(json.load(answer)["study_summaries"][0]["study_name"])
        delete = Request(f"{base}/api/studies/1", method="DELETE")
        with pytest.raises(HTTPError, match="403"):
            urlopen(delete, timeout=60)

    address = {}
    start = server.Server.start
    monkeypatch.setattr(
        server.Server, "start", lambda self: (address.update(url=self.url), start(self))[1]
    )
    after_segment(monkeypatch, 1, look)
    search("submit", lab)

    served = search(*ONCE, "--port", "0")

    assert served.status == 0
    assert f"dashboard: {address['url']}" in served.err
    assert seen == ["lab/eta/coarse"]
    with pytest.raises(OSError, match="refused"):
        urlopen(address["url"], timeout=60)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--no-dashboard", "--port", "80"), "--no-dashboard starts no dashboard"),
        (("--port", "70000"), "--port must be 0 to 65535"),
        (("--jobs", "0"), "--jobs must be >= 1"),
    ],
)
def test_a_service_that_cannot_be_meant_is_refused_before_anything_is_written(
    search, own_folder, words, reason
):
    (own_folder / "search.db").unlink()

    answer = search("serve", *words)

    assert answer.status == 2
    assert reason in answer.err
    assert list(own_folder.iterdir()) == []


# ------------------------------------------------------------------------------- what may be named


TRAINER = "def train(*_):\n    raise SystemExit('it was run')\n"


def test_trainers_of_others_are_not_run_unless_that_is_allowed(search, own_folder):
    written(own_folder, "theirs.py", "open('was-run', 'w').close()\n" + TRAINER)
    for name, text in {
        "plain": "trainer = 'theirs:train'\n[search]\nkind = 'eta'\n",
        "part": "[[part]]\nname = 'a'\nrecipe = { trainer = 'theirs:train' }\n"
        "search = { kind = 'eta' }\n",
        "variant": "[search.variants]\na = { trainer = 'theirs:train' }\nb = { training.eta = 1 }",
    }.items():
        search("submit", written(own_folder, f"{name}.toml", text))

    search(*ONCE)

    assert len(entries(search)) >= 2
    for entry in entries(search):
        assert entry["state"] == "failed"
        assert "not run here, got theirs:train" in entry["error"]
    assert not (own_folder / "was-run").exists()


def test_trainers_are_run_where_that_is_allowed(search, own_folder, monkeypatch):
    monkeypatch.syspath_prepend(own_folder)
    written(
        own_folder,
        "theirs_allowed.py",
        "def train(params, data, seed, report):\n"
        "    return {'validation_accuracy': params['eta']}\n",
    )
    text = "trainer = 'theirs_allowed:train'\n[search]\nvary.eta.values = [0.1, 0.2]\n"
    search("submit", written(own_folder, "mine.toml", text))

    search(*ONCE, "--allow-plugins")

    assert states(search) == ["finished"]
    assert [t["validation_accuracy"] for t in ranking(search, "mine")] == [0.2, 0.1]


def test_files_are_read_in_the_folders_of_the_server_only(search, samples, own_folder, tmp_path):
    samples("mine.npz")
    outside = own_folder / "elsewhere"
    outside.mkdir()
    for name, path in {
        "in": "mine.npz",
        "up": "../mine.npz",
        "abs": own_folder / "mine.npz",
    }.items():
        text = f"[data]\nname = '{path}'\n[training]\nepochs = 1\n[search]\nkind = 'batch-size'\n"
        text += "vary.batch_size.values = [5, 10]\n"
        search("submit", written(own_folder, f"{name}.toml", text))

    search(*ONCE, "--files", outside)
    forbidden = entries(search)
    for entry in forbidden:
        search("submit", own_folder / f"{entry['name']}.toml")
    search(*ONCE)

    assert all("must lie in the server's folders" in entry["error"] for entry in forbidden)
    assert states(search)[3:] == ["finished", "failed", "finished"]


def test_files_are_looked_for_in_the_data_folder_too(search, samples, own_folder, monkeypatch):
    data, work = own_folder / "data", own_folder / "work"
    for folder in (data, work):
        folder.mkdir()
    samples("mine.npz").rename(data / "mine.npz")
    text = "[data]\nname = 'mine.npz'\n[training]\nepochs = 1\n[search]\nkind = 'batch-size'\n"
    text += "vary.batch_size.values = [5, 10]\n"
    monkeypatch.chdir(work)
    open_database("search.db", create=True).close()
    search("submit", written(work, "lab.toml", text))
    monkeypatch.setenv("SEARCH_DATA_DIR", str(data))

    search(*ONCE)

    assert states(search) == ["finished"]


def rewritten(table, column, change):
    """Change a JSON column as whoever can write to the database can."""
    with closing(sqlite3.connect("search.db")) as connection, connection:
        for key, text in connection.execute(f"SELECT id, {column} FROM {table}").fetchall():
            value = json.loads(text)
            change(value)
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE id = ?", (json.dumps(value), key)
            )


VARIANTS = """
[training]
schedule = "constant"
epochs = 2
[search.variants]
a = { training.eta = 0.1 }
b = { training.eta = 0.2 }
"""
ELSEWHERE = "secret-column,label\nhunter2,a\nsesame,b\n"


@pytest.fixture
def elsewhere(own_folder, tmp_path_factory):
    return written(tmp_path_factory.mktemp("elsewhere"), "x.csv", ELSEWHERE)


def told_nothing(served):
    return not any(word in served.err for word in ("secret-column", "hunter2", "sesame"))


def test_a_trial_that_is_enqueued_opens_no_file_elsewhere(search, own_folder, elsewhere):
    import optuna

    search("run", written(own_folder, "lab.toml", VARIANTS), "--quiet")

    def name_it(options):
        (dimension,) = options["dimensions"]
        dimension["values"].append("c")
        dimension["variants"]["c"] = {"data.name": str(elsewhere), "data.label": "label"}

    rewritten("training_stages", "options", name_it)
    storage = optuna.storages.RDBStorage("sqlite:///search.db")
    study = optuna.load_study(study_name="lab/grid", storage=storage)
    study.enqueue_trial({"variant": "c"})

    served = search(*ONCE)

    reason = study.trials[-1].user_attrs["reason"]
    storage.engine.dispose()
    assert reason.startswith("data files of submitted recipes must lie in the server's folders")
    assert told_nothing(served)


@pytest.mark.parametrize("there", [True, False], ids=["there", "missing"])
def test_a_plan_and_a_recipe_in_the_database_open_no_file_elsewhere(
    search, lab, own_folder, elsewhere, restless, monkeypatch, there
):
    search("submit", lab)
    with monkeypatch.context() as during:
        after_segment(during, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        search("serve", "--jobs", "1", "--quiet", "--no-dashboard")
    if not there:
        elsewhere.unlink()
    spec = {"name": str(elsewhere), "label": "label", "split": {}}
    rewritten("training_cohorts", "plan", lambda p: p.update(data={"key": "k", "spec": spec}))

    served = search(*ONCE)

    (entry,) = entries(search)
    assert entry["state"] == "failed"
    # Whether it is there is not told either.
    assert entry["error"] == (
        f"data files of submitted recipes must lie in the server's folders ({own_folder}), got "
        f"{elsewhere}"
    )
    assert told_nothing(served)


# --------------------------------------------------------------------------------- ended, and again


def test_a_waiting_entry_is_cancelled_at_once(search, lab):
    search("submit", lab)

    assert search("cancel", "1").out == "entry 1 (lab) is cancelled\n"

    search(*ONCE)
    assert states(search) == ["cancelled"]
    assert search("list", "--json").json["studies"] == []


@pytest.mark.parametrize(
    ("entry", "status", "reason"),
    [
        ("7", 1, "has no entry 7"),
        ("99999999999999999999", 1, "has no entry 99999999999999999999"),
        ("x", 2, "must be a whole number"),
        ("1", 1, "nothing to cancel"),
    ],
)
def test_what_is_not_in_the_queue_cannot_be_cancelled(search, lab, entry, status, reason):
    search("submit", lab)
    search("cancel", "1")

    answer = search("cancel", entry)

    assert answer.status == status
    assert reason in answer.err


def test_a_running_entry_that_is_cancelled_keeps_what_it_has_and_can_go_on(
    search, lab, monkeypatch, restless
):
    search("run", lab, "--quiet", "--storage", "plain.db", "--jobs", "1")

    def cancel():
        with open_database("search.db") as database:
            repository.cancel_entry(database, repository.find_entry(database, 1))

    after_segment(monkeypatch, 1, cancel)
    search("submit", lab)

    assert search(*ONCE).status == 0

    assert states(search) == ["cancelled"]
    (study,) = search("list", "--json").json["studies"]
    assert "complete" not in study["trials"]
    search("submit", "--again", "1")
    search(*ONCE)
    assert states(search) == ["cancelled", "finished"]
    assert len(ranking(search, "lab/eta")) == 5


def test_a_running_entry_whose_server_is_gone_is_cancelled_at_once(search, lab):
    search("submit", lab)
    with open_database("search.db") as database:
        entry = repository.find_entry(database, 1)
        repository.take_entry(database, entry, host="gone", pid=1)

    assert search("cancel", "1").out == "entry 1 (lab) is cancelled\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell without harm")
def test_an_entry_whose_service_was_killed_is_said_to_be_interrupted(search, lab):
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        killed.wait(timeout=60)
    search("submit", lab)
    search("submit", lab, "--study", "mine")
    with open_database("search.db") as database:
        first = repository.find_entry(database, 1)
        taken = repository.take_entry(database, first, host=socket.gethostname(), pid=killed.pid)
        second = repository.find_entry(database, 2)

    shown = page("search.db", [taken, second], datetime.now(UTC))
    assert "0 running, 1 interrupted, 1 waiting, 0 paused" in shown
    assert "running for" not in shown
    assert search("queue").out.count("interrupted") == 2  # its state, and what the second waits for
    listed = search("queue", "--json").json["queue"]
    assert [(entry["state"], entry["waits_for"]) for entry in listed] == [
        ("running", "a service that carries on with it"),
        ("waiting", "entry 1 (interrupted)"),
    ]
    # A process that is there, and those of which nothing can be told.
    for change in (
        {"driver_pid": os.getpid()},
        {"driver_host": "elsewhere"},
        {"driver_pid": 2**70},
        {"driver_pid": -1},
    ):
        shown = page("search.db", [replace(taken, **change), second], datetime.now(UTC))
        assert "interrupted" not in shown
        assert "running for" in shown


def test_what_is_submitted_again_is_what_was_submitted(search, lab):
    search("submit", lab, "--study", "mine", "--part", "eta", "--fresh")
    lab.unlink()

    search("submit", "--again", "1")
    missing = search("submit", "--again", "7")

    one, other = entries(search)
    same = ("name", "content", "parts", "fresh", "quick")
    assert [one[name] for name in same] == [other[name] for name in same]
    assert "has no entry 7" in missing.err


def test_a_service_that_is_told_to_end_while_it_starts_ends_as_later(search, monkeypatch):
    def told(_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("coarsefine.search.commands.queue_service.checked_data_dir", told)

    answer = search("serve", "--no-dashboard")

    assert answer.status == 0
    assert answer.err.endswith("ended, as requested\n")


LOADING = """
import os, signal, sys

class Told:
    def find_spec(self, name, path=None, target=None):
        if name == "coarsefine.studies.labs.service":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Told())
from coarsefine.search.cli import main

status = main(["serve", "--no-dashboard"])
assert not any(isinstance(each, Told) for each in sys.meta_path)
sys.exit(status)
"""


def test_a_service_that_is_told_to_end_while_it_is_loaded_ends_as_later(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADING], cwd=tmp_path, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("ended, as requested\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_asked_to_end_puts_the_entry_back_and_ends_well(
    search, lab, monkeypatch, restless, number
):
    with monkeypatch.context() as during:
        after_segment(during, 2, lambda: os.kill(os.getpid(), number))
        search("submit", lab)
        search("submit", lab, "--study", "second")

        served = search("serve", "--jobs", "1")

    assert served.status == 0
    assert "ending after the segments under way" in served.err
    assert states(search) == ["waiting", "waiting"]
    assert entries(search)[0]["tries"] == 0
    search(*ONCE)
    assert states(search) == ["finished", "finished"]


KILLED = """
import os, signal, sys
from coarsefine.db import repository
from coarsefine.search.cli import main
from coarsefine.studies.running import loop as running
running.FIRST_SECONDS = running.SEGMENT_SECONDS = 1e-9
store, left = repository.store_segment, int(sys.argv[1])
def stored(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    store(*arguments)
repository.store_segment = stored
sys.exit(main(["serve", "--once", "--quiet", "--jobs", "1"]))
"""


def killed(folder, segments):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(segments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    return done.returncode


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_and_started_again_it_ends_with_the_same_table(search, lab, own_folder):
    search("run", lab, "--quiet", "--storage", "plain.db", "--jobs", "1")
    search("submit", lab)
    search("submit", lab, "--study", "second")

    assert killed(own_folder, 3) == -signal.SIGKILL
    assert states(search) == ["running", "waiting"]
    assert search(*ONCE).status == 0

    assert states(search) == ["finished", "finished"]
    plain = search("rank", "--json", "--storage", "plain.db").json["trials"]
    without = [{k: v for k, v in trial.items() if k != "seconds"} for trial in plain]
    assert ranking(search, "lab/eta") == without
    assert search("check").status == 0


def found_running(n_times):
    """Have the first entry as services leave it that were killed so often before a segment."""
    with open_database("search.db") as database:
        for _ in range(n_times):
            entry = repository.find_entry(database, 1)
            repository.take_entry(database, entry, host="gone", pid=1)
        repository.note_progress(database, entry, "lab/eta coarse")


@pytest.mark.parametrize("n_times", [pytest.param(1, marks=pytest.mark.slow), 15])
def test_quick_restarts_do_not_fail_an_entry(search, lab, n_times):
    search("submit", lab)
    search("submit", lab, "--study", "second")
    found_running(n_times)

    served = search(*ONCE)

    assert served.status == 0
    assert states(search) == ["finished", "finished"]
    assert ("in a process of its own" in served.err) == (n_times > 1)
    search("run", lab, "--quiet", "--storage", "plain.db", "--jobs", "1")
    plain = search("rank", "--json", "--storage", "plain.db").json["trials"]
    without = [{k: v for k, v in trial.items() if k != "seconds"} for trial in plain]
    assert ranking(search, "lab/eta") == without


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        pytest.param("os._exit(0)", marks=pytest.mark.slow),
        pytest.param("os.abort()", marks=pytest.mark.slow),
    ],
    ids=["killed", "ended", "abort"],
)
def test_an_entry_that_ends_its_process_again_and_again_has_failed(
    search, lab, own_folder, monkeypatch, end
):
    monkeypatch.syspath_prepend(own_folder)
    written(
        own_folder,
        "theirs_deadly.py",
        "import os, pathlib\n"
        "def train(params, data, seed, report):\n"
        "    with pathlib.Path('died.txt').open('a') as file:\n"
        "        file.write('x')\n"
        f"    {end}\n",
    )
    text = "trainer = 'theirs_deadly:train'\n[search]\nvary.eta.values = [0.1, 0.2]\n"
    search("submit", written(own_folder, "mine.toml", text))
    search("submit", lab)
    found_running(2)

    served = search(*ONCE, "--allow-plugins")

    assert served.status == 0
    assert (own_folder / "died.txt").read_text() == "xxx"
    failed, finished = entries(search)
    assert (failed["state"], finished["state"]) == ("failed", "finished")
    assert failed["error"] == (
        "it ended the process that it was carried out in 3 times without coming further; "
        "it was at: mine grid"
    )


def test_a_study_that_somebody_else_drives_is_waited_for(search, lab, monkeypatch):
    from coarsefine.db.connections.lock import StudyLock

    monkeypatch.setattr(service, "BUSY_SECONDS", 0.2)
    search("run", lab, "--quiet", "--jobs", "1")
    search("submit", lab, "--fresh")
    with open_database("search.db") as database:
        study = repository.find_study(database, "lab/eta")
        with StudyLock(database, study.uuid):
            assert search(*ONCE).status == 1
            (entry,) = entries(search)

    assert (entry["state"], entry["tries"]) == ("waiting", 0)
    search(*ONCE)
    assert states(search) == ["finished"]


def test_a_database_that_cannot_be_written_to_is_tried_three_times(search, lab, monkeypatch):
    monkeypatch.setattr(service, "BUSY_SECONDS", 0.0)
    search("submit", lab)
    search("submit", lab, "--study", "second")
    fails = iter([True] * 3 + [False] * 1000)
    store = repository.store_segment

    def stored(*arguments):
        if next(fails):
            raise StorageError("the disk is full; free some space")
        store(*arguments)

    monkeypatch.setattr(repository, "store_segment", stored)

    assert search(*ONCE).status == 0

    failed, finished = entries(search)
    assert (failed["state"], failed["error"]) == ("failed", "the disk is full; free some space")
    assert finished["state"] == "finished"


def test_a_database_that_is_not_to_be_had_ends_a_service_that_is_not_to_wait(
    search, lab, monkeypatch
):
    def fail(*_, **__):
        raise StorageError("the disk is full; free some space")

    search("submit", lab)
    monkeypatch.setattr(repository, "take_entry", fail)

    answer = search(*ONCE)

    assert answer.status == 1
    assert answer.err.splitlines()[-1] == "error: the disk is full; free some space"


@pytest.mark.slow
def test_two_servers_of_one_database_share_the_work(search, lab, own_folder):
    n = 6
    for i in range(n):
        search("submit", lab, "--study", f"lab-{i}")
    command = [sys.executable, "-m", "search", "serve", "--once", "--jobs", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    started = [
        subprocess.Popen(
            command, cwd=own_folder, env=environment, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    logs = [process.communicate()[1] for process in started]

    assert [process.returncode for process in started] == [0, 0]
    assert states(search) == ["finished"] * n
    for number in range(1, n + 1):
        assert sum(log.count(f"entry {number} (") for log in logs) == 1
    assert search("check").status == 0
