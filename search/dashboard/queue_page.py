"""The page of the queue, beside Optuna's dashboard: entries, progress, and what each waits for."""

from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from coarsefine.db import repository
from coarsefine.db.errors import StorageError
from coarsefine.search.commands.queueing import state_in_words, what
from coarsefine.search.service_log import one_line
from coarsefine.studies.labs.line import UNFINISHED, in_line, places, state_of, waits_for
from coarsefine.studies.results.notes.note import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from coarsefine.db.connections.engine import Database
    from coarsefine.db.queue_records import QueueRecord

PATH: Final = "/queue"
_SECONDS: Final = 5
_ENDED: Final = 50
# Nothing but its own style: no script, and nothing from elsewhere.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"


def queue_answer(
    database: "Database", environ: "WSGIEnvironment", start_response: "StartResponse"
) -> "Iterable[bytes]":
    """Answer with the page."""
    try:
        entries = repository.queue(database)
        body, status = page(database.label, entries, datetime.now(UTC)), HTTPStatus.OK
    except StorageError as error:
        # It loads itself anew all the same: what keeps it from being read may soon be over.
        body = _html(database.label, f"<p>{escape(one_line(str(error)))}</p>")
        status = HTTPStatus.SERVICE_UNAVAILABLE
    shown = body.encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(shown))),
        ("Content-Security-Policy", _POLICY),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{status.value} {status.phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [shown]


def page(label: str, entries: "Sequence[QueueRecord]", now: datetime) -> str:
    """Return the page as HTML; it loads itself anew every few seconds.

    Args:
        label: What the database is called.
        entries: All of them, the oldest first.
        now: This moment.
    """
    open_ones = [*in_line(entries), *(e for e in entries if e.state == "paused")]
    ended = [entry for entry in reversed(entries) if entry.state not in UNFINISHED]
    place, waits = places(entries), waits_for(entries)
    rows = [
        _open_row(entry, place.get(entry.id), waits.get(entry.id, ""), now) for entry in open_ones
    ]
    states = [state_of(entry) for entry in open_ones]
    counts = ", ".join(
        f"{states.count(state)} {state}"
        for state in ("running", "interrupted", "waiting", "paused")
        if state != "interrupted" or state in states
    )
    head = _row("th", "entry", "lab", "state", "progress", "waits for", "priority", "submitted")
    before = _row("th", "entry", "lab", "state", "what came of it", "took", "submitted", "ended")
    ended_rows = [_ended_row(entry) for entry in ended[:_ENDED]]
    more = f"<p>and {len(ended) - _ENDED:,} more</p>" if len(ended) > _ENDED else ""
    return _html(
        label,
        f"""<p>{counts}; as of {now:%Y-%m-%d %H:%M:%S} UTC</p>
{_table(head, rows) if rows else "<p>Nothing runs and nothing waits.</p>"}
<h2>Ended</h2>
{_table(before, ended_rows) if ended_rows else "<p>Nothing has ended yet.</p>"}
{more}""",
    )


def _html(label: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{_SECONDS}">
<title>Queue: {escape(one_line(label))}</title>
<style>{_STYLE}</style>
</head>
<body>
<nav><a href="/dashboard">Studies</a> <b>Queue</b></nav>
<h1>{escape(one_line(label))}</h1>
{body}
</body>
</html>
"""


def _open_row(entry: "QueueRecord", place: int | None, waits: str, now: datetime) -> str:
    state = state_in_words(entry, place)
    running = state_of(entry) == "running"
    if running and entry.started_at:
        state += f" for {duration((now - entry.started_at).total_seconds())}"
    # A paused or waiting entry says where it was when it last ran.
    progress = "" if waits == entry.progress else entry.progress
    cells = (str(entry.id), what(entry), state, progress, waits, str(entry.priority), _by(entry))
    return _row("td", *cells, kind=state_of(entry))


def _ended_row(entry: "QueueRecord") -> str:
    took = ""
    if entry.started_at and entry.ended_at:
        took = duration((entry.ended_at - entry.started_at).total_seconds())
    studies = [str(a["study"]) for a in entry.answers if isinstance(a, dict) and "study" in a]
    came = entry.error or ", ".join(studies)
    when = "" if entry.ended_at is None else f"{entry.ended_at:%Y-%m-%d %H:%M}"
    cells = (str(entry.id), what(entry), entry.state, came, took, _by(entry), when)
    return _row("td", *cells, kind=entry.state)


def _by(entry: "QueueRecord") -> str:
    return f"{entry.submitted_at:%Y-%m-%d %H:%M} by {entry.submitted_by}"


def _row(cell: str, *texts: str, kind: str = "") -> str:
    cells = "".join(f"<{cell}>{escape(one_line(text))}</{cell}>" for text in texts)
    return f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>"


def _table(head: str, rows: "Sequence[str]") -> str:
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 80rem; padding: 0 1rem;
  color: #222; background: #fff }
nav { margin-bottom: 1rem } nav a, nav b { margin-right: 1rem } a { color: #1565c0 }
h1 { font-size: 1.3rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600; border-bottom-color: #888 }
tr.running td:nth-child(3) { color: #1b5e20; font-weight: 600 }
tr.failed td:nth-child(3) { color: #b71c1c; font-weight: 600 }
tr.paused td { color: #666 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #121212 }
  th, td { border-bottom-color: #444 } a { color: #90caf9 } tr.paused td { color: #999 }
  tr.running td:nth-child(3) { color: #81c784 } tr.failed td:nth-child(3) { color: #ef9a9a } }
"""
