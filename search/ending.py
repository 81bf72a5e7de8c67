"""Tells users that something has ended: by a command of theirs, and the terminal's bell."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.console import note, without_secrets
from coarsefine.search.errors import DONE, FAILED, INTERRUPTED, Stopped, exit_status
from coarsefine.search.processes import of_users
from coarsefine.search.words import percent
from coarsefine.studies.results.notes.note import duration

if TYPE_CHECKING:
    from coarsefine.search.options.ending import EndOptions
    from coarsefine.studies.results.ranking import Ranking

_SECONDS: Final = 60
"""How long the user's command may take: a service and a shell wait for it."""

_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)


def came_of(**facts: Any) -> None:
    """Say what came of a command, for whoever is told when it ends."""
    known = _facts.get()
    if known is not None:
        known.update(facts)


def came_of_search(ranking: "Ranking") -> None:
    """Say what came of a search."""
    best = ranking.best
    came_of(
        study=ranking.study.name,
        best_validation_accuracy=None if best is None else best.validation_accuracy,
        best_params={} if best is None else dict(best.params),
    )


@contextmanager
def announcing(name: str, url: str, end: "EndOptions") -> Iterator[None]:
    """Tell the user when a command has ended, if that is wanted.

    Args:
        name: The command's.
        url: Of its database.
        end: Who is told, and how.
    """
    if end.command is None and not end.bell:
        yield
        return
    from coarsefine.search.hints import spelled, without_password

    begun = time.monotonic()
    storage = without_password(url).removeprefix("sqlite:///")
    facts: dict[str, Any] = {"command": name.replace("_", "-"), "storage": storage}
    before = _facts.set(facts)
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, Stopped | KeyboardInterrupt)
        known = exit_status(error) if isinstance(error, Exception) else None
        facts["exit_status"] = getattr(error, "status", INTERRUPTED) if stopped else known or FAILED
        said = spelled(error) if known is not None else f"{type(error).__name__}: {error}"
        facts["error"] = None if stopped else without_secrets(said).split("\n", 1)[0]
        facts["state"] = "stopped" if stopped else "failed"
        raise
    finally:
        _facts.reset(before)
        status = facts.setdefault("exit_status", FAILED)
        facts.setdefault("state", "finished" if status == DONE else "failed")
        facts.setdefault("error", None)
        facts["seconds"] = round(time.monotonic() - begun, 3)
        facts["line"] = _line(facts)
        tell(end, facts)


def _line(facts: dict[str, Any]) -> str:
    """Return what came of a command in one line: what a message on a phone has room for."""
    best = facts.get("best_validation_accuracy")
    came = [
        f"{facts['command']} {facts['state']} after {duration(facts['seconds'])}",
        *([str(facts["study"])] if facts.get("study") else []),
        *([f"best validation accuracy {percent(best)} %"] if best is not None else []),
        *([str(facts["error"])] if facts["error"] else []),
    ]
    return ": ".join([came[0], ", ".join(came[1:])] if came[1:] else came)


def tell(end: "EndOptions", facts: dict[str, Any], said: Callable[[str], None] = note) -> None:
    """Ring the bell, and run the user's command in a shell with JSON on its stdin.

    Args:
        end: What is wanted. What comes from elsewhere is in the JSON, never in the command.
        facts: What came of it.
        said: Hears if the command fails.
    """
    if end.bell and sys.stderr is not None and sys.stderr.isatty():
        print("\a", end="", file=sys.stderr, flush=True)  # noqa: T201
    if end.command is None:
        return
    try:
        ended = subprocess.run(  # noqa: S602  # it is the user's, who asked for a shell
            end.command,
            shell=True,
            input=json.dumps(facts, ensure_ascii=False, allow_nan=False).encode(),
            stdout=subprocess.DEVNULL,
            env=of_users(),
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        said(f"note: the command of --on-end was ended after {_SECONDS} s")
    except OSError as error:
        said(f"note: the command of --on-end could not be run: {error.strerror or error}")
    else:
        if ended.returncode:
            said(f"note: the command of --on-end ended with status {ended.returncode}")
