"""Where lines go: answers to stdout, all else to stderr, neither ever cut nor broken when piped."""

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Wide enough for any table of ours: what is piped is read by programs and pagers.
PIPED_WIDTH = 240
# No terminal has fewer columns: COLUMNS=1 is a mistake.
NARROWEST: Final = 20
_LAST_STREAM: Final = 2
_FEWEST_FILES: Final = 64
# Of words on stderr: names and values in them come from files of anybody's.
LONGEST: Final = 2000
# Control characters but line ends and tabs, halves of letters, and what turns the direction of
# writing around, so that something else is read than is there.
COMMANDS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


# Only from where a word begins, and no further than names and passwords go: the time that a text of
# a million letters takes would grow with its square.
_LOGIN: Final = re.compile(r"(?<![\w.+-])([\w.+-]{1,256}):[^\s/@]{1,256}@(?=[\w\[])")


def without_secrets(text: str) -> str:
    """Return a message without the passwords of addresses in it.

    >>> without_secrets("found no https:/ann:PW@host/d.csv")
    'found no https:/ann:***@host/d.csv'
    """
    return _LOGIN.sub(r"\1:***@", text)


def prepare_streams() -> None:
    """Have streams that take whatever is written to them.

    What was closed by whoever started this program is thrown away from now on: the next file that
    is opened would have the number of the stream, and notes would be written into a database.
    Characters that a stream cannot encode are shown as ``?`` rather than end the program.
    """
    with suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
            os.set_inheritable(number, True)
        os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere())
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def reader_gone() -> None:
    """Have nothing said when whoever read stdout has had enough."""
    # Python would complain about it once more when it flushes at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def few_files() -> str | None:
    """Return what to say where a process may have too few files open; ``None`` if it may.

    The libraries that this program uses do not all say so: a folder that cannot be listed is an
    empty one to some.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not 0 < most < _FEWEST_FILES:
        return None
    return (
        f"a process may have only {most} files open here, and this program needs {_FEWEST_FILES}; "
        "allow more with `ulimit -n 256`"
    )


@cache
def _nowhere() -> TextIO:
    """Return a stream that throws away what is written to it."""
    return Path(os.devnull).open("w", encoding="utf-8")


def stdout() -> "Console":
    """Return a console for answers."""
    from rich.console import Console

    return Console(file=sys.stdout, width=_width(sys.stdout), highlight=False)


def stderr() -> "Console":
    """Return a console for all that is no answer."""
    from rich.console import Console

    return Console(file=sys.stderr, width=_width(sys.stderr), highlight=False)


def _width(stream: TextIO | None) -> int | None:
    """Return how wide lines may be; ``None`` is as wide as the terminal."""
    if stream is None or not stream.isatty():
        return PIPED_WIDTH
    return None if shutil.get_terminal_size().columns >= NARROWEST else NARROWEST


def print_table(console: "Console", table: "Table") -> None:
    """Print a table, without blanks at the ends of lines where it is piped."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        say(line.rstrip())


def say(line: str, *, at_once: bool = False) -> None:
    """Print a line on stdout as it is: something to be copied, or to be read by programs.

    ``at_once`` is for programs that go on for long: a pipe or a file gets it before they end.
    """
    if sys.stdout is not None:  # as in a program without a terminal
        print(written(line), file=sys.stdout, flush=at_once)  # noqa: T201


def tell(line: str) -> None:
    """Print words on stdout; a terminal gets them broken between words."""
    say(_folded(line, sys.stdout))


def note(line: str, *, quiet: bool = False) -> None:
    """Print words on stderr, unless quiet; what is in them may be of any length."""
    if not quiet and sys.stderr is not None:
        line = "\n".join(map(_cut, line.split("\n")))
        print(written(_folded(line, sys.stderr), sys.stderr), file=sys.stderr, flush=True)  # noqa: T201


def _cut(line: str) -> str:
    """Return a line of usual length: its beginning and its end."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 300]} … {line[-300:]}"


def _folded(line: str, stream: TextIO | None) -> str:
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    # More lines than one are laid out already: they show commands to be copied.
    if len(line) < width or "\n" in line or stream is None or not stream.isatty():
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
    if sys.stdout is not None:
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
            lines.append(f"{encode(key)}: [\n    {_lines(item, encode)}\n  ]")
        else:
            lines.append(f"{encode(key)}: {encode(item)}")
    return "{\n  " + ",\n  ".join(lines) + "\n}"


def _lines(items: list[dict[str, Any]], encode: Callable[[Any], str]) -> str:
    """Return objects as JSON, one a line.

    All at once, which takes half as long, where nothing but the places between them looks like one.
    """
    text = encode(items)
    if text.count("}, {") == len(items) - 1:
        return text[1:-1].replace("}, {", "},\n    {")
    return ",\n    ".join(map(encode, items))


def written(text: str, stream: TextIO | None = None) -> str:
    """Return a text with other words for what a stream (stdout) cannot encode, such as λ.

    What would command a terminal is shown as an escape: names and messages come from files that
    anybody may have written.
    """
    # Python quotes a byte of a path that is no text as half of a pair of UTF-16.
    text = _QUOTED_BYTE.sub(r"\\x\1", COMMANDS.sub(_escape, text))
    try:
        text.encode(getattr(stream or sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        for letter, words in _PLAIN.items():
            text = text.replace(letter, words)
    return text


def _escape(found: re.Match[str]) -> str:
    """Return a character as an escape; of a path that is no text, the byte that it stands for."""
    if "\udc80" <= found[0] <= "\udcff":
        return f"\\x{ord(found[0]) - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()


_QUOTED_BYTE: Final = re.compile(r"\\udc([89a-f][0-9a-f])")
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
