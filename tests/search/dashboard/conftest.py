"""The dashboard as an application, asked without a network."""

import hashlib
import io
import json
import sqlite3
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from coarsefine.search.dashboard.serving import make_app


@dataclass
class Reply:
    """What an application answers."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Asks an application as a server would."""

    def __init__(self, app):
        self._app = app

    def ask(self, method, url, headers=(), body=b""):
        parts = urlsplit(url)
        given = {"Host": "127.0.0.1:8080"} | dict(headers)
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.0",
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/json",
            "HTTP_ACCEPT_ENCODING": "",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": v for name, v in given.items()}
        # Headers that are not sent are not there.
        environ = {name: value for name, value in environ.items() if value is not None}
        heard = {}

        def start_response(status, headers, exc_info=None):
            heard.update(status=int(status.split()[0]), headers=headers)

        answered = self._app(environ, start_response)
        body = b"".join(answered)
        if hasattr(answered, "close"):
            answered.close()
        return Reply(heard["status"], {k.lower(): v for k, v in heard["headers"]}, body)

    def get(self, url, **headers):
        return self.ask("GET", url, {k.replace("_", "-"): v for k, v in headers.items()})

    def studies(self):
        """The ids of the studies by name."""
        found = self.get("/api/studies").json["study_summaries"]
        return {study["study_name"]: study["study_id"] for study in found}

    def detail(self, name):
        return self.get(f"/api/studies/{self.studies()[name]}").json


@contextmanager
def client_of(path, **options):
    """A client of the dashboard of a file."""
    with make_app(str(path), **options) as app:
        yield Client(app)


def contents(path):
    """All that a database holds."""
    with sqlite3.connect(path) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


@pytest.fixture
def client(finished):
    """A client of the dashboard of a study that was searched and tested."""
    with client_of(finished) as client:
        yield client
