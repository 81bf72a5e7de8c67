"""The queue in order: priorities, entries that pause and go on, and who is told of their end."""

import json
import sys

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.search.dashboard.serving import make_app
from tests.search.test_service import (
    LAB,
    ONCE,
    after_segment,
    entries,
    ranking,
    restless,
    states,
    written,
)

__all__ = ["restless"]


COUNTED = '[network]\nhidden = [4]\n[[part]]\nname = "count"\ndoes = "params"\n'


@pytest.fixture(autouse=True)
def lab(own_folder):
    open_database("search.db", create=True).close()
    return written(own_folder, "lab.toml", LAB)


def test_entries_are_taken_by_priority_and_paused_ones_are_left(search, lab, own_folder):
    written(own_folder, "lab.toml", COUNTED)  # nothing to be trained
    for name, priority in (("low", "-5"), ("usual", "0"), ("paused", "9"), ("high", "7")):
        said = search("submit", lab, "--study", name, "--priority", priority)
    assert said.out.startswith("entry 4: high, 1 before it\n")
    assert search("pause", "3").out == (
        "entry 3 (paused) is paused\n\nto go on: python -m search resume 3\n"
    )

    listed = entries(search)
    assert [(e["place"], e["priority"], e["waits_for"]) for e in listed] == [
        (3, -5, "entry 2 (waiting) and 1 more before it"),
        (2, 0, "entry 4 (waiting)"),
        (None, 9, "somebody to resume it"),
        (1, 7, "a service that takes it"),
    ]
    shown = search("queue").out
    assert "waiting (3)" in shown
    assert "somebody to resume it" in shown

    told = own_folder / "told"
    command = (
        f"{sys.executable} -c \"import sys; open('told', 'a').write(sys.stdin.read() + chr(10))\""
    )
    assert search(*ONCE, "--on-end", command).status == 0

    ends = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    assert [end["line"] for end in ends] == [
        f"entry {n} ({name}) finished" for n, name in ((4, "high"), (2, "usual"), (1, "low"))
    ]
    assert [answer["does"] for answer in ends[0]["answers"]] == ["params"]
    assert states(search) == ["finished", "finished", "paused", "finished"]
    assert search("resume", "3", "--priority", "2").out == "entry 3 (paused) waits for its turn\n"
    assert entries(search)[2]["priority"] == 2
    assert search("cancel", "3").status == 0


def test_a_running_entry_that_is_paused_goes_on_to_the_same_end(search, lab, monkeypatch, restless):
    search("run", lab, "--quiet", "--storage", "plain.db", "--jobs", "1")

    def pause():
        with open_database("search.db") as database:
            repository.pause_entry(database, repository.find_entry(database, 1))

    after_segment(monkeypatch, 1, pause)
    search("submit", lab)

    assert search(*ONCE).status == 0
    assert states(search) == ["paused"]
    assert search(*ONCE).status == 0
    assert states(search) == ["paused"]

    assert search("resume", "1").status == 0
    assert search(*ONCE).status == 0

    assert states(search) == ["finished"]
    same = search("merge", "plain.db", "--prefix", "plain/", "--json").json
    assert (same["unequal_runs"], same["equal_runs"]) == ([], 5)
    assert len(ranking(search, "lab/eta")) == 5


def test_a_running_entry_whose_server_is_gone_is_paused_at_once(search, lab):
    search("submit", lab)
    with open_database("search.db") as database:
        repository.take_entry(database, repository.find_entry(database, 1), host="gone", pid=1)

    assert search("pause", "1").out.startswith("entry 1 (lab) is paused\n")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("pause", "7"), 1, "has no entry 7"),
        (("pause", "1"), 1, "entry 1 has ended (cancelled); there is nothing to pause"),
        (("resume", "1"), 1, "entry 1 is not paused (cancelled)"),
        (("resume", "1", "--priority", "3"), 1, "entry 1 is not paused (cancelled)"),
        (("submit", "lab.toml", "--priority", "1001"), 2, "--priority must be -1000 to 1000"),
    ],
)
def test_what_cannot_be_done_is_one_line(search, lab, words, status, said):
    search("submit", lab)
    search("cancel", "1")

    answer = search(*words)

    assert (answer.status, answer.out) == (status, "")
    assert said in answer.err


def test_the_page_of_the_queue_says_what_each_waits_for(search, lab):
    search("submit", lab, "--study", "<script>alert(1)</script>")
    search("submit", lab, "--study", "second", "--quick", "--priority", "5")
    search("submit", lab, "--study", "third")
    search("pause", "3")
    with open_database("search.db") as database:
        entry = repository.take_entry(
            database, repository.find_entry(database, 2), host="here", pid=1
        )
        repository.note_progress(database, entry, "part 1 of 2: eta coarse")
        repository.end_entry(
            database, repository.cancel_entry(database, entry), "failed", error="no"
        )
    search("submit", lab, "--study", "fourth")

    with make_app("search.db") as app:
        status, headers, body = asked(app, "/queue")
        note = asked(app, "/queue/")[2]

    assert status == "200 OK"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "0 running, 2 waiting, 1 paused" in body
    assert "<script>" not in body
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td><td>waiting (1)</td>" in body
    assert "<td>a service that takes it</td>" in body
    assert "<td>entry 1 (waiting)</td>" in body
    assert "<td>somebody to resume it</td>" in body
    assert "<td>failed</td><td>no</td>" in body
    assert note.split("as of")[0] == body.split("as of")[0]


def asked(app, path):
    heard = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "localhost"}
    body = app(environ, lambda status, headers, _=None: heard.append((status, dict(headers))))
    return *heard[0], b"".join(body).decode()


def test_whoever_searches_is_told_of_the_end(search, own_folder, monkeypatch):
    command = f"{sys.executable} -c \"import sys; open('end.json', 'w').write(sys.stdin.read())\""
    quick = ("--epochs", "1", "--hidden", "4", "--trials", "2", "-q", "--jobs", "1")

    def told():
        return json.loads((own_folder / "end.json").read_text(encoding="utf-8"))

    monkeypatch.setenv("SEARCH_ON_END", command)
    assert search("lambda", "--coarse", *quick, "--bell").status == 0
    assert told()["state"] == "finished"
    assert told()["study"] == "digits/lambda"
    assert set(told()["best_params"]) == {"lambda"}
    assert told()["line"].startswith("lambda finished after ")
    assert search("test", "--top", "1", "-q", "--jobs", "1").status == 0
    assert len(told()["test_accuracies"]) == 1
    refused = search("lambda", "--coarse", *quick, "--seed", "7")
    assert (refused.status, told()["state"], told()["exit_status"]) == (1, "failed", 1)
    assert told()["error"].startswith("study digits/lambda was begun with another recipe")
    failing = search("test", "-q", "--jobs", "1", "--on-end", "exit 3")
    assert failing.status == 0
    assert "note: the command of --on-end ended with status 3\n" in failing.err
    # An empty one is none.
    assert "note" not in search("test", "-q", "--jobs", "1", "--on-end", "").err.replace(
        "not opened again", ""
    )


def test_every_command_that_trains_tells_of_its_end():
    from coarsefine.search import cli
    from coarsefine.search.commands import searches
    from coarsefine.search.options import JobsOptions
    from coarsefine.search.options.searches import Options

    functions = {
        **{name: cli._function(each.module, each.function) for name, each in cli.COMMANDS.items()},
        **{name: searches.search_command(kind) for name, kind in cli.SEARCHES.items()},
    }
    trains = {
        name
        for name, function in functions.items()
        if {JobsOptions, Options} & {*function.__annotations__.values()}
    }

    # A service tells of each of its entries.
    silent = {name for name in trains & cli.COMMANDS.keys() if not cli.COMMANDS[name].announced}
    assert silent == {"serve"}
    assert {"test", "run", "space", "lambda"} <= trains
