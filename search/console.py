"""Where lines go: answers to stdout, all else to stderr, neither ever cut nor broken when piped."""

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Wide enough for any table of ours: what is piped is read by programs and pagers.
PIPED_WIDTH = 240


def prepare_streams() -> None:
    """Let characters that a stream cannot encode be shown as ``?`` rather than end the program."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def stdout() -> "Console":
    """Return a console for answers."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False)


def stderr() -> "Console":
    """Return a console for all that is no answer."""
    from rich.console import Console

    width = None if sys.stderr.isatty() else PIPED_WIDTH
    return Console(file=sys.stderr, width=width, highlight=False)


def say(line: str) -> None:
    """Print a line on stdout."""
    print(line, file=sys.stdout)  # noqa: T201


def note(line: str, *, quiet: bool = False) -> None:
    """Print a line on stderr, unless quiet."""
    if not quiet:
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def say_json(value: Any) -> None:
    """Print one JSON object on stdout: strict, so that any program can read it."""
    say(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def symbol(letter: str, name: str) -> str:
    """Return a Greek letter, or its name where stdout cannot encode it."""
    try:
        letter.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return name
    return letter
