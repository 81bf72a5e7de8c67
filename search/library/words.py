"""What the floors below say, in the words of whoever writes Python."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_COMMAND: Final = re.compile(r"(?:[^\s`;]+[/\\])?python -m search [^\n`;]+?(?=$|[\n`;]|, with )")
_OPTION: Final = re.compile(r"(?<![\w-])--(no-)?([a-z][a-z-]*[a-z])")
# Words that are the value of the option before them, not part of the sentence.
_VALUED: Final = re.compile(
    r"(?<![\w-])--([a-z][a-z-]*[a-z]) "
    r"(updates|none|train\+validation|grid|xavier|cross-entropy|squared-error)(?![\w+-])"
)
# Options that have another name here.
_NAMES: Final = {"study": "name", "lambda": "lambda_", "trial": "trials", "together": "alone"}
_STAGES: Final = ("coarse", "fine", "finer", "auto")


def in_python(message: str) -> str:
    r"""Return a message with calls in place of commands, and keywords in place of options.

    >>> in_python("use a smaller --batch-size, or choose another name with --study")
    'use a smaller batch_size=, or choose another name with name='
    >>> in_python("is missing; run\n    python -m search lambda --coarse --study a/b")
    'is missing; run\n    Study.search("lambda", name="a/b").coarse()'
    >>> in_python("run\n    python -m search check")
    'run\n    python -m search check'
    """
    parts, end = [], 0
    for found in _COMMAND.finditer(message):
        parts += [_options(message[end : found.start()]), _call(found.group())]
        end = found.end()
    return "".join([*parts, _options(message[end:])])


def _options(text: str) -> str:
    def keyword(found: re.Match[str]) -> str:
        name = _NAMES.get(found[2], found[2].replace("-", "_"))
        return f"{name}=False" if found[1] else f"{name}="

    def stated(found: re.Match[str]) -> str:
        return f'{found[1].replace("-", "_")}="{found[2]}"'

    return _OPTION.sub(keyword, _VALUED.sub(stated, text))


def _call(command: str) -> str:
    """Return the call that does what a command does; the command where there is none."""
    try:
        words = shlex.split(command)[3:]
    except ValueError:
        return command
    name, *others = words
    if words == ["list"]:
        return "list_studies()"
    if name == "test":
        return _test(others) or command
    stages = [word.removeprefix("--") for word in others if word.removeprefix("--") in _STAGES]
    rest = [word for word in others if word.removeprefix("--") not in _STAGES]
    keywords = _keywords(rest)
    if keywords is None or len(stages) > 1:
        return command
    from coarsefine.studies.spaces.searches.registry import SEARCHES

    kind = SEARCHES.get(name)
    if kind is None or (kind.refines and not stages):
        return command
    ends = {key: keywords.pop(key) for key in ("low", "high") if key in keywords}
    asked = ", ".join(
        [f'"{name}"', *(f"{key}={_quoted(value)}" for key, value in keywords.items())]
    )
    within = ", ".join(f"{key}={value}" for key, value in ends.items())
    return f"Study.search({asked}).{stages[0] if stages else 'grid'}({within})"


def _test(words: list[str]) -> str | None:
    name = words.pop(0) if words and not words[0].startswith("--") else ""
    keywords = _keywords(words)
    if keywords is None:
        return None
    within = ", ".join(f"{key}={_quoted(value)}" for key, value in keywords.items())
    return f"Study({name and _quoted(name)}).test({within})"


def _keywords(words: list[str]) -> dict[str, str] | None:
    """Return options and their values; ``None`` if they are not in pairs."""
    if len(words) % 2 or any(not word.startswith("--") for word in words[::2]):
        return None
    keys = [word.removeprefix("--").replace("-", "_") for word in words[::2]]
    return dict(zip([_NAMES.get(key, key) for key in keys], words[1::2], strict=True))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@contextmanager
def as_study_errors() -> Iterator[None]:
    """Have whatever may be expected to go wrong be a ``StudyError``, in Python's words."""
    from coarsefine.db.errors import StorageError
    from coarsefine.models.errors import ModelError
    from coarsefine.search.errors import ExportError, UsageError
    from coarsefine.studies.errors import StudyError

    try:
        yield
    except StudyError as error:
        # Where it came up is no help to those who asked for what cannot be.
        error.args = (in_python(str(error)),)
        raise error.with_traceback(None) from None
    except (ModelError, StorageError, ExportError, UsageError) as error:
        raise StudyError(in_python(str(error))) from None
