"""What Optuna's dashboard cannot be asked: it would fail at it, or store what breaks its pages."""

import io
import json
import math
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

READING: Final = frozenset({"GET", "HEAD"})

# SQLite's whole numbers have 63 bits. Artifacts are named in hexadecimal digits, twelve at most
# in a row.
_NO_ID: Final = re.compile(r"\d{19,}")
_AFTER: Final = re.compile(r"[0-9]{1,18}")
_STUDY: Final = re.compile(r"/api/studies/\d+")


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: HTTPStatus
    reason: str


def refusal(environ: "WSGIEnvironment") -> Refusal | None:
    """Return why a request cannot be meant; ``None`` if it can.

    A body is put back, to be read again; one of a request that only reads is taken away.
    """
    path = environ.get("PATH_INFO", "").rstrip("/")
    if _NO_ID.search(path):
        return Refusal(HTTPStatus.NOT_FOUND, "there is nothing with so long a number")
    if environ["REQUEST_METHOD"] in READING:
        # Optuna's dashboard reads forms as if they were in the address.
        _put_back(environ, b"", "")
        after = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("after", [])
        if _STUDY.fullmatch(path) and not all(map(_AFTER.fullmatch, after)):
            return Refusal(HTTPStatus.BAD_REQUEST, "after must be a whole number >= 0")
        return None
    return _of_body(environ) if path.startswith("/api/") else None


def _of_body(environ: "WSGIEnvironment") -> Refusal | None:
    """Return why a change cannot be meant by its body: no JSON, or not what its page sends."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    body = environ["wsgi.input"].read(length)
    if not body:
        # Some changes need none; those that do say what is missing.
        _put_back(environ, b"{}", _JSON)
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        return _wrong(f"a body must be of type {_JSON}")
    try:
        told = json.loads(body, parse_constant=_finite, parse_float=_finite)
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return _wrong("a body must be JSON with finite numbers and texts in Unicode")
    if not isinstance(told, dict):
        return _wrong("a body must be a JSON object")
    for name, (fits, kind) in _FIELDS.items():
        if name in told and not fits(told[name]):
            return _wrong(f"{name} must be {kind}")
    _put_back(environ, body, _JSON)
    return None


_JSON: Final = "application/json"


def _wrong(reason: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, reason)


def _put_back(environ: "WSGIEnvironment", body: bytes, kind: str) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["CONTENT_TYPE"] = kind
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _finite(text: str) -> float:
    """Return a number of JSON; Python writes others in a way that no browser reads.

    Raises:
        ValueError: If it is not finite.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not finite")
    return number


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


_FIELDS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "artifact_key": (lambda value: value is None or _text(value), "a text or null"),
    "body": (_text, "a text"),
    "candidates": (_list_of(_whole), "a list of whole numbers"),
    "clicked": (_whole, "a whole number"),
    "directions": (_list_of(_text), "a list of texts"),
    "file": (lambda value: _text(value) and value[:5] == "data:" and "," in value, "a data: URL"),
    "filename": (_text, "a text"),
    "mode": (_text, "a text"),
    "output_type": (_text, "a text"),
    "remove_associated_artifacts": (lambda value: isinstance(value, bool), "true or false"),
    "state": (_text, "a text"),
    "study_name": (_text, "a text"),
    "user_attrs": (lambda value: isinstance(value, dict), "an object"),
    "values": (_list_of(lambda value: type(value) in (int, float)), "a list of numbers"),
    "version": (_whole, "a whole number"),
}
"""What the fields of all bodies are; a name means the same in each."""
