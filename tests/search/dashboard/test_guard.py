"""What the dashboard refuses, and what it lets files do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.search.dashboard.guard import Guard
from tests.search.dashboard.conftest import Client, client_of, contents

WRITES = [
    ("DELETE", "/api/studies/1"),
    ("POST", "/api/studies"),
    ("POST", "/api/studies/1/rename"),
    ("PUT", "/api/studies/1/note"),
    ("PUT", "/api/studies/1/1/note"),
    ("POST", "/api/trials/1/tell"),
    ("POST", "/api/trials/1/user-attrs"),
    ("POST", "/api/artifacts/1"),
    ("POST", "/incompatible-rdb-schema"),
    ("OPTIONS", "/api/studies"),
    ("PATCH", "/api/studies/1"),
]


def guarded(headers=(), **options):
    """A client of a guard before an application that answers anything with these headers."""

    def app(environ, start_response):
        start_response("200 OK", list(headers))
        return [b"let in"]

    return Client(Guard(app, **options))


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_nothing_can_be_changed_unless_it_is_wanted(study, method, path):
    before = contents(study)
    with client_of(study) as client:
        reply = client.ask(method, path, body=b'{"study_name": "mine", "directions": ["maximize"]}')

    assert reply.status == 403
    assert "--writable" in reply.json["reason"]
    assert contents(study) == before


def test_looking_at_everything_changes_nothing(study):
    before = study.read_bytes(), sorted(each.name for each in study.parent.iterdir())
    with client_of(study) as client:
        for number in client.studies().values():
            assert client.get(f"/api/studies/{number}").status == 200
            assert client.get(f"/api/studies/{number}/param_importances").status == 200
            assert client.get(f"/csv/{number}").status == 200

    assert (study.read_bytes(), sorted(each.name for each in study.parent.iterdir())) == before


def test_a_note_is_kept_where_changes_are_wanted(study):
    with client_of(study, writable=True) as client:
        number = client.studies()["digits/lambda/coarse"]
        version = client.get(f"/api/studies/{number}").json["note"]["version"]
        body = f'{{"version": {version + 1}, "body": "mine"}}'.encode()
        reply = client.ask("PUT", f"/api/studies/{number}/note", {"Origin": OWN}, body)

        assert reply.status == 204
        assert client.get(f"/api/studies/{number}").json["note"]["body"] == "mine"


OWN = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": OWN},
    ],
)
def test_changes_come_from_its_own_page_alone(headers):
    assert guarded(writable=True).ask("DELETE", "/api/studies/1", headers).status == 403


@pytest.mark.parametrize("headers", [{}, {"Origin": OWN}, {"Sec-Fetch-Site": "same-origin"}])
def test_its_own_page_and_programs_may_change_things(headers):
    assert guarded(writable=True).ask("DELETE", "/api/studies/1", headers).status == 200


@given(
    name=st.from_regex(r"[a-z0-9-]{1,12}(\.[a-z]{2,6}){0,3}", fullmatch=True), port=st.integers(0)
)
def test_a_name_that_is_not_its_own_is_refused_whatever_it_points_to(name, port):
    known = name == "localhost" or name.endswith(".localhost") or _is_address(name)

    reply = guarded().ask("GET", "/api/studies", {"Host": f"{name}:{port}"})

    assert reply.status == (200 if known else 421)


def _is_address(name):
    return name.replace(".", "").isdigit() and name.count(".") == 3


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:8080",
        "192.168.1.7:80",
        "lab.example",
        "Lab.Example.:9",
    ],
)
def test_its_own_names_and_addresses_are_known(host):
    assert guarded(hosts=["lab.example"]).ask("GET", "/", {"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "[::1]evil",
        "[::1",
        "[[::1]]",
        "localhost:80@evil.example",
        "127.0.0.1:80:80",
        "127.0.0.1:x",
        ":80",
    ],
)
def test_other_names_are_refused_even_for_looking(host):
    # A server on all addresses has no name of its own.
    reply = guarded(hosts=["lab.example", ""]).ask("GET", "/api/studies", {"Host": host})

    assert reply.status == 421
    assert b"let in" not in reply.body


@pytest.mark.parametrize(
    "kind",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/pdf", ""],
)
def test_a_file_that_could_run_as_a_page_is_only_to_be_kept(kind):
    headers = [("Content-Type", kind), ("Access-Control-Allow-Origin", "*")]
    reply = guarded(headers).get("/artifacts/1/0abc")

    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["content-security-policy"].startswith("sandbox")
    assert "access-control-allow-origin" not in reply.headers


def test_a_picture_is_shown_but_never_as_anything_else():
    reply = guarded([("Content-Type", "image/png")]).get("/artifacts/1/2/0abc")

    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in reply.headers


def test_every_answer_says_that_it_is_to_be_taken_as_it_says(client):
    for path in ("/dashboard", "/api/studies", "/static/bundle.js", "/nothing", "/artifacts/1/0"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


def test_a_page_among_the_files_that_users_added_does_not_run(study, tmp_path):
    optuna = pytest.importorskip("optuna")
    folder = tmp_path / "files"
    folder.mkdir()
    page = tmp_path / "page.html"
    page.write_text("<script>alert(1)</script>")
    store = optuna.artifacts.FileSystemArtifactStore(str(folder))
    owner = optuna.load_study(study_name="digits/lambda/fine", storage=f"sqlite:///{study}")
    name = optuna.artifacts.upload_artifact(
        artifact_store=store, file_path=str(page), study_or_trial=owner
    )
    with client_of(study, artifacts=folder) as client:
        number = client.studies()["digits/lambda/fine"]
        reply = client.get(f"/artifacts/{number}/{name}")

    assert reply.status == 200
    assert b"alert" in reply.body
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == "attachment"
    assert "access-control-allow-origin" not in reply.headers


def test_the_page_forbids_scripts_from_elsewhere(client):
    policy = client.get("/dashboard").headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "http" not in policy
