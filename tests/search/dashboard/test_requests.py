"""What cannot be meant, what is not there and what cannot be read: an answer that says so."""

import json
import sqlite3
from contextlib import closing

import pytest

from coarsefine.db.connections import sqlite_files
from coarsefine.search.dashboard import overlay
from tests.search.dashboard.conftest import client_of, contents
from tests.search.dashboard.test_guard import WRITES, guarded

LONG = "9" * 5000
TRIAL_FILE = "c0a45f-0e-0"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, 404) for number in ("99", str(2**63), LONG) for path in (
            f"/api/studies/{number}",
            f"/api/studies/{number}/param_importances",
            f"/csv/{number}",
            f"/artifacts/{number}/c0a45f-00-0",
            f"/artifacts/1/{number}/{TRIAL_FILE}",
            f"/artifacts/{number}/1/{TRIAL_FILE}",
        )),
        *((f"/api/studies/1?after={after}", 400) for after in (
            "", "abc", "nan", "1e400", "-1", "1.5", LONG, "%D9%A3", "1&after=x",
        )),
        ("/csv/1?trial_ids=x", 400),
        (f"/csv/1?trial_ids={LONG}", 400),
        ("/static/../index.html", 403),
        ("/static/%00", 404),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_is_asked_wrongly_or_is_not_there_is_no_mistake_of_the_dashboard(
    client, capsys, path, status
):
    assert client.get(path).status == status
    assert capsys.readouterr() == ("", "")


def test_a_form_is_no_part_of_an_address(client):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert client.ask("GET", "/api/studies/1", form, b"after=x").status == 200


def test_what_a_library_that_is_not_there_draws_is_said(client, monkeypatch):
    def missing(*_):
        raise ImportError("no such library")

    monkeypatch.setattr("optuna.visualization.plot_edf", missing)

    reply = client.get("/api/studies/1/plot/edf")

    assert (reply.status, reply.json) == (501, {"reason": "what draws this is not installed here"})


BODIES = [
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"x"',
    b"\xff\xfe",
    b"[" * 50_000,
    b'{"user_attrs": {"a": NaN}}',
    b'{"values": [1e400], "state": "complete"}',
    b'{"user_attrs": {"\\ud800": 1}}',
    b'{"user_attrs": [1]}',
    b'{"version": 1, "body": {}}',
    b'{"version": "x", "body": "mine"}',
    b'{"version": true, "body": "mine"}',
    b'{"study_name": 1, "directions": ["maximize"]}',
    b'{"study_name": "mine", "directions": [1]}',
    b'{"study_name": "mine", "directions": null}',
    b'{"file": "x"}',
    b'{"file": "data:text/plain;base64,x", "filename": 1}',
    b'{"mode": "ChooseWorst", "candidates": 1, "clicked": 1}',
    b'{"clicked": null}',
    b'{"output_type": []}',
]
CHANGES = [
    *((method, path) for method, path in WRITES if method in {"POST", "PUT"} and "/api/" in path),
    ("POST", "/api/studies/1/preference"),
    ("PUT", "/api/studies/1/preference_feedback_component"),
]


def test_changes_that_cannot_be_meant_are_refused_and_change_nothing(study, tmp_path, capsys):
    (tmp_path / "files").mkdir()
    before = contents(study)
    with client_of(study, writable=True, artifacts=tmp_path / "files") as client:
        for method, path in CHANGES:
            for body in BODIES:
                reply = client.ask(method, path, body=body)
                assert (reply.status, list(reply.json)) == (400, ["reason"]), (path, body[:60])
            # Without a body, what is missing is said.
            assert client.ask(method, path).status == 400
            assert client.ask(method, path, {"Content-Type": "text/plain"}, b"{}").status == 400

    assert contents(study) == before
    assert list((tmp_path / "files").iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_the_reason_names_the_field():
    reply = guarded(writable=True).ask("PUT", "/api/studies/1/note", body=b'{"version": "x"}')

    assert (reply.status, reply.json) == (400, {"reason": "version must be a whole number"})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/api/studies/99/note", {"version": 1, "body": "mine"}, 404),
        ("PUT", "/api/studies/99/1/note", {"version": 1, "body": "mine"}, 404),
        ("POST", "/api/studies/99/rename", {"study_name": "mine"}, 404),
        ("POST", "/api/trials/99/tell", {"state": "fail"}, 404),
        ("POST", "/api/trials/1/tell", {"state": "fail"}, 409),
        ("POST", "/api/trials/1/user-attrs", {"user_attrs": {"a": 1}}, 409),
        ("POST", "/api/artifacts/1/99", {"file": "data:text/plain;base64,bWluZQ=="}, 404),
        ("POST", "/api/artifacts/1", {"file": "data:text/plain;base64,x"}, 400),
        ("DELETE", "/api/artifacts/1/0abc", {}, 404),
        ("DELETE", "/api/studies/99", {}, 404),
    ],
)
def test_changes_of_what_is_not_there_or_has_ended_say_so(
    study, tmp_path, capsys, method, path, body, status
):
    (tmp_path / "files").mkdir()
    before = contents(study)
    with client_of(study, writable=True, artifacts=tmp_path / "files") as client:
        reply = client.ask(method, path, body=json.dumps(body).encode())

    assert reply.status == status
    assert reply.json["reason"]
    assert contents(study) == before
    assert capsys.readouterr() == ("", "")


PAGES = ["/api/studies", "/api/studies/1", "/csv/1", "/artifacts/1/c0a45f-00-0", "/queue"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("harm", ["gone", "text", "locked"])
def test_a_database_that_cannot_be_read_is_a_passing_matter(study, monkeypatch, capsys, path, harm):
    monkeypatch.setattr(sqlite_files, "BUSY_SECONDS", 0.0)
    before = study.read_bytes()
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        with client_of(study) as client:
            if harm == "gone":
                study.unlink()
            elif harm == "text":
                study.write_bytes(b"no database" * 1000)
            else:
                other.execute("BEGIN EXCLUSIVE")
            reply = client.get(path)
            if harm == "locked":
                other.execute("ROLLBACK")
            study.write_bytes(before)
            after = client.get(path)

    assert reply.status == 503
    assert b"search.db: " in reply.body
    assert str(study.parent).encode() not in reply.body
    assert after.status in {200, 404}
    assert capsys.readouterr() == ("", "")
    # The page of the queue looks again by itself.
    assert (b'http-equiv="refresh"' in reply.body) == (path == "/queue")


def test_a_change_that_a_busy_database_does_not_take_says_why(study, monkeypatch):
    monkeypatch.setattr(sqlite_files, "BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with client_of(study, writable=True) as client:
            note = json.dumps({"version": 1, "body": "mine"}).encode()
            reply = client.ask("PUT", "/api/studies/1/note", body=note)

    assert reply.status == 503
    assert "is locked" in reply.json["reason"]


def test_a_mistake_in_a_file_is_told_to_the_terminal_and_no_more(client, monkeypatch, capsys):
    monkeypatch.setattr(overlay.Pictures, "contents", lambda *_: 1 / 0)

    reply = client.get("/artifacts/1/c0a45f-00-0")

    assert (reply.status, reply.json) == (500, {"reason": "a mistake in the dashboard"})
    assert "ZeroDivisionError" in capsys.readouterr().err
