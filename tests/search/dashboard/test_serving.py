"""The dashboard over a network: ports, ends, and the command."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from coarsefine.search.commands import dashboarding
from coarsefine.search.dashboard import server as serving
from coarsefine.search.dashboard.server import LIMITS, Server
from coarsefine.search.dashboard.serving import make_app
from coarsefine.search.errors import ServingError, Stopped
from tests.search.dashboard.conftest import client_of, contents

ROOT = Path(__file__).parents[3]


def fetch(url):
    with urllib.request.urlopen(url, timeout=60) as reply:
        return reply.read()


def answers(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]


def test_a_program_serves_it_from_a_thread(finished):
    with make_app(str(finished)) as app, Server(app, port=0) as server:
        assert server.local
        assert b"Optuna Dashboard" in fetch(server.url)
        studies = json.loads(fetch(server.url.replace("dashboard", "api/studies")))

    names = [study["study_name"] for study in studies["study_summaries"]]
    assert names == ["digits/lambda/coarse", "digits/lambda/fine"]


def test_a_server_gives_its_port_back():
    with Server(answers, port=0) as server:
        assert fetch(server.url) == b"here"

    with Server(answers, port=server.port) as again:
        assert fetch(again.url) == b"here"


def test_it_answers_several_at_once():
    both = threading.Barrier(2, timeout=60)

    def app(environ, start_response):
        both.wait()
        return answers(environ, start_response)

    with Server(app, port=0) as server:
        threads = [threading.Thread(target=fetch, args=(server.url,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

    assert not both.broken


def test_idle_connections_shut_nobody_out():
    with Server(answers, port=0) as server, ExitStack() as idle:
        for _ in range(300):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            idle.enter_context(closing(connection))

        assert fetch(server.url) == b"here"


def test_a_request_that_never_ends_is_ended(monkeypatch):
    monkeypatch.setitem(LIMITS, "channel_timeout", 0)
    monkeypatch.setitem(LIMITS, "cleanup_interval", 0)
    with (
        Server(answers, port=0) as server,
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")

        # Reset where something had not been read yet.
        with suppress(ConnectionResetError):
            assert slow.recv(1) == b""


def test_a_client_that_reads_nothing_keeps_no_thread_from_others(monkeypatch):
    monkeypatch.setitem(LIMITS, "channel_timeout", 1)
    monkeypatch.setitem(LIMITS, "threads", 1)
    monkeypatch.setitem(LIMITS, "outbuf_high_watermark", 100_000)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"much" * 2_000_000] if environ["PATH_INFO"] == "/much" else [b"here"]

    with (
        Server(app, port=0) as server,
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as deaf,
    ):
        deaf.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)

        assert fetch(server.url) == b"here"


class Waiting:
    """A connection with an answer that its client has not read."""

    def __init__(self, asked):
        self.total_outbufs_len, self.last_activity, self.closed = 4, asked, False

    def handle_close(self):
        self.closed = True


def test_a_client_is_waited_for_from_when_its_answer_is_there(monkeypatch):
    clock = [1_000.0]
    monkeypatch.setattr(serving.time, "time", lambda: clock[0])
    connection, waiting = Waiting(asked=0.0), WeakKeyDictionary()

    def closed():
        serving._close_stalled({1: connection}, waiting)
        return connection.closed

    assert not closed()
    clock[0] += LIMITS["channel_timeout"] - 1
    assert not closed()
    connection.last_activity = clock[0]
    clock[0] += LIMITS["channel_timeout"] - 1
    assert not closed()
    clock[0] += 2
    assert closed()


def test_a_head_of_a_request_has_a_size():
    with (
        Server(answers, port=0) as server,
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as greedy,
    ):
        greedy.sendall(b"GET / HTTP/1.1\r\nA: " + b"a" * 100_000 + b"\r\n\r\n")

        assert b" 431 " in greedy.recv(100)


def test_it_takes_the_next_port_only_where_none_was_named():
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = other.getsockname()[1]
        server = Server(answers, port=taken, or_next=True)
        server.stop()

        assert server.port > taken
        with pytest.raises(ServingError, match=f"port {taken} of 127.0.0.1 is taken"):
            Server(answers, port=taken)


def test_a_database_is_shown_before_optuna_has_its_tables_there(tmp_path):
    from coarsefine.db.connections.engine import open_database

    path = tmp_path / "begun.db"
    open_database(str(path), create=True).close()

    with client_of(path) as client:
        assert client.studies() == {}


def test_what_was_added_meanwhile_is_shown(study, search):
    with client_of(study) as client:
        before = set(client.studies())
        assert search("batch-size", "--values", "50,100", "--epochs", "1", "--quiet").status == 0

        assert set(client.studies()) - before == {"digits/batch-size/grid"}
        detail = client.detail("digits/batch-size/grid")
        assert {trial["state"] for trial in detail["trials"]} == {"Complete"}


def test_a_file_put_in_its_place_is_shown_once_it_is_whole(study, search, own_folder):
    with client_of(study) as client:
        assert len(client.studies()) == 2
        study.unlink()
        assert len(client.studies()) == 2
        study.write_bytes(b"")
        assert len(client.studies()) == 2
        study.unlink()
        assert search("batch-size", "--values", "50,100", "--epochs", "1", "--quiet").status == 0

        assert list(client.studies()) == ["digits/batch-size/grid"]
        assert "## Result" in client.detail("digits/batch-size/grid")["note"]["body"]


@pytest.fixture
def ended(monkeypatch):
    """Let the command end at once, and keep what it opened browsers at."""
    opened = []

    def stopped():
        raise Stopped

    monkeypatch.setattr(dashboarding, "_wait", stopped)
    monkeypatch.setattr(dashboarding, "_open_browser", opened.append)
    for name in ("SSH_CONNECTION", "SSH_TTY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    return opened


def test_a_browser_is_opened_at_the_address_that_is_said(study, search, ended):
    answer = search("dashboard", "--port", "0")

    assert answer.status == 130
    assert answer.out.startswith("search.db: http://127.0.0.1:")
    assert ended == [answer.out.split()[-1]]


def test_no_browser_is_opened_where_nobody_sees_it(study, search, ended, monkeypatch):
    search("dashboard", "--port", "0", "--no-browser")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 50000 10.0.0.2 22")
    answer = search("dashboard", "--port", "0")

    assert ended == []
    port = answer.out.rpartition(":")[2].partition("/")[0]
    assert f"ssh -L {port}:127.0.0.1:{port} " in answer.err


def test_what_others_can_see_or_change_is_said(study, search, ended):
    answer = search("dashboard", "--port", "0", "--host", "0.0.0.0", "--writable")

    assert "everybody who reaches this machine can see it" in answer.err
    assert "what is deleted there is gone" in answer.err
    assert "http://localhost:" in answer.out


def test_this_machine_is_known_by_its_name_where_others_reach_it():
    assert dashboarding.own_names("127.0.0.1") == ["127.0.0.1"]
    assert socket.gethostname() in dashboarding.own_names("0.0.0.0")
    assert "lab.example" in dashboarding.own_names("lab.example")


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--storage", "none.db"), 1, "no studies in none.db"),
        (("--storage", "text.db"), 1, "not an SQLite database"),
        (("--port", "70000"), 2, "--port must be 0 to 65535, got 70000"),
        (("--port", "many"), 2, "must be a whole number"),
        (("--host", "no.such.host.invalid"), 1, "cannot be used"),
        (("--artifacts", "nowhere"), 1, "--artifacts must be a folder"),
    ],
)
def test_what_cannot_be_served_is_one_line(study, search, own_folder, options, status, said):
    (own_folder / "text.db").write_text("not a database, but long enough to look like one")

    answer = search("dashboard", "--no-browser", *options)

    assert answer.status == status
    assert said in answer.err
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) == (2 if status == 2 and "many" in options else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_the_command_says_where_it_is_and_ends_cleanly(study, number, status):
    command = [sys.executable, "-m", "search", "dashboard", "--port", "0", "--storage", str(study)]
    # Some environments have Python pass each line on; others do not.
    usual = {**os.environ, "PYTHONUNBUFFERED": ""}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=ROOT, env=usual) as process:
        try:
            address = process.stdout.readline().split()[-1]
            assert b"Optuna Dashboard" in fetch(address)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()  # or one that did not end would be waited for

    assert process.returncode == status
    assert "Traceback" not in err
    assert sorted(each.name for each in study.parent.glob("search.db*")) == ["search.db"]


def test_the_command_of_optuna_s_own_reads_the_file_and_cannot_change_it(study):
    before = contents(study)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    url = f"sqlite:///file:{study}?mode=ro&uri=true"
    program = [sys.executable, "-c", "from optuna_dashboard._cli import main; main()"]
    place = f"http://127.0.0.1:{port}/api/studies"
    command = [*program, url, "--host", "127.0.0.1", "--port", str(port), "--server", "wsgiref"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            found = json.loads(patiently(place))["study_summaries"]
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(urllib.request.Request(f"{place}/1", method="DELETE"))
        finally:
            process.terminate()

    assert len(found) == 2
    assert contents(study) == before


def patiently(url):
    """Fetch from a server that is about to start."""
    for _ in range(1200):
        try:
            return fetch(url)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answers at {url}")


@pytest.mark.parametrize("path", ["/favicon.ico", "/static/bundle.js", "/dashboard"])
@pytest.mark.parametrize("accepted", [None, "", "identity"], ids=["unsaid", "empty", "identity"])
def test_clients_that_take_no_packed_answers_get_plain_ones(client, path, accepted):
    answer = client.get(path, Accept_Encoding=accepted)

    assert answer.status == 200
    assert "content-encoding" not in answer.headers
    assert answer.body
