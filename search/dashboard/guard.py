"""What stands between a browser and the dashboard, which itself asks nobody anything.

Optuna's dashboard answers under any name, lets any request delete a study, and hands out files as
whatever they say they are. So: only names that are this machine's own, no changes unless they are
wanted and come from the dashboard's own page, and no file that could run as a page.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.dashboard.requests import READING, Refusal, refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHOWN: Final = frozenset(
    {
        "application/json",
        "application/jsonl",
        "audio/mpeg",
        "audio/wav",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/plain",
        "video/mp4",
        "video/webm",
    }
)
"""Files that a browser may show: none of them can hold a script."""

_EVERYWHERE: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FILE: Final = "sandbox; default-src 'none'"


class Guard:
    """A WSGI application that refuses what the one behind it should not be asked."""

    def __init__(
        self, app: "WSGIApplication", *, writable: bool = False, hosts: Collection[str] = ()
    ) -> None:
        """Put the guard before an application.

        Args:
            app: What is guarded.
            writable: Let its own page change things.
            hosts: Names that it may be called by, besides ``localhost`` and addresses.
        """
        self._app = app
        self._writable = writable
        self._hosts = frozenset(map(_plain, hosts)) - {""}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        refused = self._refusal(environ) or refusal(environ)
        if refused is not None:
            return answer(environ, start_response, *refused)
        path = environ.get("PATH_INFO", "")
        # Optuna's dashboard looks it up without asking whether it is there: curl sends none.
        environ.setdefault("HTTP_ACCEPT_ENCODING", "")

        def safely(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            return start_response(status, _safe(path, headers), exc_info)

        return self._app(environ, safely)

    def _refusal(self, environ: "WSGIEnvironment") -> Refusal | None:
        host = environ.get("HTTP_HOST", "")
        if not self._knows(host):
            # A page from elsewhere whose name was made to point here (DNS rebinding).
            return Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"the dashboard is not called {host!r}; start it with --allow-host to call it so",
            )
        if environ["REQUEST_METHOD"] in READING:
            return None
        if not self._writable:
            return Refusal(
                HTTPStatus.FORBIDDEN,
                "the dashboard is read-only; start it with --writable to change things",
            )
        if not _from_own_page(environ):
            return Refusal(HTTPStatus.FORBIDDEN, "changes come from the dashboard's own page alone")
        return None

    def _knows(self, host: str) -> bool:
        name = _plain(_without_port(host))
        if name == "localhost" or name.endswith(".localhost") or name in self._hosts:
            return True
        # Nobody can make an address point elsewhere.
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def answer(
    environ: "WSGIEnvironment", start_response: "StartResponse", status: HTTPStatus, reason: str
) -> Iterable[bytes]:
    """Answer with a reason, in the form in which the page shows it."""
    body = json.dumps({"reason": reason}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", [*headers, *_EVERYWHERE.items()])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _safe(path: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of an answer with which it does no harm."""
    ours = dict(_EVERYWHERE)
    kept = [(name, value) for name, value in headers if name.lower() not in _REPLACED]
    if path.startswith("/artifacts/"):
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        kept = [(name, value) for name, value in kept if name.lower() != "content-type"]
        shown = kind.partition(";")[0].strip().lower()
        ours["Content-Security-Policy"] = _FILE
        if shown in SHOWN:
            ours["Content-Type"] = kind
        else:
            ours["Content-Type"] = "application/octet-stream"
            ours["Content-Disposition"] = "attachment"
    return [*kept, *ours.items()]


_REPLACED: Final = frozenset(
    {"access-control-allow-origin", *(name.lower() for name in _EVERYWHERE)}
)


def _from_own_page(environ: "WSGIEnvironment") -> bool:
    """Return whether a browser says so; who is no browser can be no trap either."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = environ.get("HTTP_ORIGIN")
    return origin is None or origin.partition("://")[2] == environ.get("HTTP_HOST")


def _without_port(host: str) -> str:
    """Return the name in a Host header; nothing if it is none.

    >>> _without_port("localhost:8080"), _without_port("[::1]:80"), _without_port("::1")
    ('localhost', '::1', '::1')
    >>> _without_port("[::1"), _without_port("localhost:1@elsewhere.example")
    ('', '')
    """
    if host.count(":") > 1 and "[" not in host:
        return host
    parts = _HOST.fullmatch(host)
    return "" if parts is None else parts[1] or parts[2]


_HOST: Final = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*))(?::[0-9]*)?")


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
