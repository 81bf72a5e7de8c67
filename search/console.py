"""Where lines go: answers to stdout, all else to stderr, neither ever cut nor broken when piped."""

import json
import re
import shutil
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Wide enough for any table of ours: what is piped is read by programs and pagers.
PIPED_WIDTH = 240
# Control characters but line ends and tabs, halves of letters, and what turns the direction of
# writing around, so that something else is read than is there.
COMMANDS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


_LOGIN: Final = re.compile(r"([\w.+-]+):[^\s/@]+@(?=[\w\[])")


def without_secrets(text: str) -> str:
    """Return a message without the passwords of addresses in it.

    >>> without_secrets("found no https:/ann:PW@host/d.csv")
    'found no https:/ann:***@host/d.csv'
    """
    return _LOGIN.sub(r"\1:***@", text)


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


def print_table(console: "Console", table: "Table") -> None:
    """Print a table, without blanks at the ends of lines where it is piped."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        say(line.rstrip())


def say(line: str) -> None:
    """Print a line on stdout as it is: something to be copied, or to be read by programs."""
    print(written(line), file=sys.stdout)  # noqa: T201


def tell(line: str) -> None:
    """Print words on stdout; a terminal gets them broken between words."""
    say(_folded(line, sys.stdout))


def note(line: str, *, quiet: bool = False) -> None:
    """Print words on stderr, unless quiet."""
    if not quiet:
        print(written(_folded(line, sys.stderr), sys.stderr), file=sys.stderr, flush=True)  # noqa: T201


def _folded(line: str, stream: TextIO) -> str:
    width = shutil.get_terminal_size().columns
    # More lines than one are laid out already: they show commands to be copied.
    if len(line) < width or "\n" in line or not stream.isatty():
        return line
    return textwrap.fill(
        line, width - 1, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def say_json(value: Any) -> None:
    """Print one JSON object on stdout: strict, so that any program can read it."""
    text = json_text(value, ensure_ascii=False)
    # Other words would be other data: escapes are read by every program.
    if written(text) != text:
        text = json_text(value, ensure_ascii=True)
    print(text, file=sys.stdout)  # noqa: T201


def json_text(value: Any, *, ensure_ascii: bool) -> str:
    """Return an object as strict JSON, a key a line and each object of a list on one.

    Python's encoder is in C only without ``indent``: a ranking of thousands of trials is written
    ten times as fast this way, and is easier to read.
    """
    if not isinstance(value, dict):
        return json.dumps(value, allow_nan=False, ensure_ascii=ensure_ascii, indent=2)
    encode = json.JSONEncoder(allow_nan=False, ensure_ascii=ensure_ascii).encode
    lines = []
    for key, item in value.items():
        if isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            inner = ",\n    ".join(map(encode, item))
            lines.append(f"{encode(key)}: [\n    {inner}\n  ]")
        else:
            lines.append(f"{encode(key)}: {encode(item)}")
    return "{\n  " + ",\n  ".join(lines) + "\n}"


def written(text: str, stream: TextIO | None = None) -> str:
    """Return a text with other words for what a stream (stdout) cannot encode, such as λ.

    What would command a terminal is shown as an escape: names and messages come from files that
    anybody may have written.
    """
    text = COMMANDS.sub(_escape, text)
    try:
        text.encode((stream or sys.stdout).encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        for letter, words in _PLAIN.items():
            text = text.replace(letter, words)
    return text


def _escape(found: re.Match[str]) -> str:
    """Return a character as an escape; of a path that is no text, the byte that it stands for."""
    if "\udc80" <= found[0] <= "\udcff":
        return f"\\x{ord(found[0]) - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()


_PLAIN: Final = {
    "λ": "lambda",
    "η": "eta",
    "Σ": "sum",
    "²": "^2",
    "½": "1/2",
    "±": "+-",
    "×": "x",
    "…": "...",
    "–": "-",
}
