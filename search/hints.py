"""What to type next: hints as options and commands, as short as they can be."""

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from pathlib import Path
from typing import Final

from coarsefine.hints import SEARCH, SET, Hint, alternatives
from coarsefine.hints import spelled as spelled_by
from coarsefine.search.errors import program
from coarsefine.studies.recipes.keys import KEYS

# Commands that name their study by an option; others by their first argument.
_BY_OPTION = {SEARCH, "submit"}


def command(*words: str, storage: str | None = None, data_dir: Path | None = None) -> str:
    """Return a command line to be typed as it stands.

    Args:
        words: The command and its arguments; after ``--`` those that look like options.
        storage: What ``--storage`` was given.
        data_dir: What ``--data-dir`` was given.
    """
    line = list(words)
    last = line[line.index("--") :] if "--" in line else []
    line = line[: len(line) - len(last)]
    for i, (flag, stated) in enumerate(pairwise(line)):
        if flag == "--study" and stated.startswith("-"):
            line[i : i + 2] = [f"{flag}={stated}"]
            break
    if data_dir is not None:
        line += ["--data-dir", str(data_dir)]
    if storage is not None:
        line += ["--storage", without_password(storage)]
    line += last
    quoted = subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)
    return f"{program()} {quoted}"


def begun_anew(argv: Sequence[str], free: str) -> str:
    """Return the command line that begins what was typed as a study of another name.

    Args:
        argv: A search's command line, as typed.
        free: The name of no study.

    >>> begun_anew(["eta", "--fine", "--study=a", "--eta-min", "1e-4"], "a-2").split(" search ")[1]
    'eta --coarse --eta-min 1e-4 --study a-2'
    """
    words: list[str] = []
    named: dict[str, str | None] = {"--study": None, "--storage": None}
    rest = iter(argv)
    for word in rest:
        flag, equals, stated = word.partition("=")
        if flag in named:
            named[flag] = stated if equals else next(rest, None)
        else:
            # A study's first stage is the coarse one.
            words.append("--coarse" if word in {"--fine", "--finer"} else word)
    return command(*words, "--study", free, storage=named["--storage"])


@contextmanager
def following(argv: Sequence[str]) -> Iterator[None]:
    """Have all commands that are proposed meanwhile name the database that a command line named."""
    named = given(argv, _STORAGE)
    before = _named_storage.set(named[-1].removeprefix(f"{_STORAGE}=") if named else None)
    try:
        yield
    finally:
        _named_storage.reset(before)


def given(argv: Sequence[str], flag: str) -> list[str]:
    """Return an option as a command line states it, the last time if it does so twice."""
    found: list[str] = []
    for word, after in pairwise([*argv, ""]):
        if word == flag:
            found = [flag, after]
        elif word.startswith(f"{flag}="):
            found = [word]
    return found


_STORAGE: Final = "--storage"
_named_storage: ContextVar[str | None] = ContextVar("storage", default=None)
_WITHOUT_STORAGE: Final = frozenset({"gradcheck", "crosscheck", "params", "presets", "data"})


def spelled(message: object) -> str:
    """Return a message, a hint or an error of the lower floors, with options and commands."""
    return spelled_by(message, typed)


def typed(hint: Hint, storage: str | None = None) -> str:
    """Return what a hint asks for, to be typed as it stands.

    Args:
        hint: From the floors below.
        storage: What ``--storage`` was given; otherwise what the whole command line names.

    >>> typed(Hint(SET, (("training.schedule", "constant"), ("final.epochs", None))))
    '--schedule constant --final-epochs'
    >>> typed(Hint(SET, (("training.bias", False), ("fresh", True))))
    '--no-bias --fresh'
    >>> typed(Hint("test", (("refit", "none"),), "a b")).removeprefix(program())
    " test 'a b' --refit none"
    >>> typed(Hint("test", (("refit", "none"),), "--a")).removeprefix(program())
    ' test --refit none -- --a'
    """
    if hint.action == SET:
        return " ".join(_option(key, value) for key, value in hint.settings)
    stated = [word for key, value in hint.settings for word in option_words(key, value)]
    words = [hint.search] if hint.action == SEARCH else [hint.action]
    if hint.stage:
        words.append(f"--{hint.stage}")
    last: list[str] = []
    if hint.study is not None and hint.action in _BY_OPTION:
        words += ["--study", hint.study]
    elif hint.study is not None:
        last = naming(hint.study)
        if len(last) == 1:  # before all options, as people type it
            words, last = [*words, *last], []
    if storage is None and words[0] not in _WITHOUT_STORAGE:
        storage = _named_storage.get()
    return command(*words, *stated, *last, storage=storage)


def naming(study: str) -> list[str]:
    """Return the words that name a study as an argument: older versions let it look like an option.

    >>> naming("a"), naming("--a")
    (['a'], ['--', '--a'])
    """
    return ["--", study] if study.startswith("-") else [study]


def _option(key: str, value: object) -> str:
    flag, *given = option_words(key, value)
    return f"{flag} {alternatives(value, lambda one: shlex.quote(str(one)))}" if given else flag


def option_words(key: str, value: object) -> list[str]:
    """Return the words that state an option.

    >>> option_words("network.hidden", (50, 20)), option_words("network.bias", False)
    (['--hidden', '50,20'], ['--no-bias'])
    >>> option_words("training.eta", 90.0), option_words("data.classes", (("2",), ("3", "5")))
    (['--eta', '90'], ['--only-classes', '2,3+5'])
    >>> option_words("network.bias", "input"), option_words("network.bias", "none")
    (['--bias-trick'], ['--no-bias'])
    """
    if key == "network.bias" and value in _BIASES:
        return [_BIASES[str(value)]]
    flag = flag_of(key)
    if value is None or value is True:
        return [flag]
    return [flag.replace("--", "--no-", 1)] if value is False else [flag, _word(value)]


# Biases of some layers, as recipes have them: their options take no value.
_BIASES: Final = {"input": "--bias-trick", "none": "--no-bias", "all": "--bias"}


def _word(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(
            "+".join(map(str, one)) if isinstance(one, list | tuple) else str(one) for one in value
        )
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def flag_of(key: str) -> str:
    """Return the flag that states an option, or a key of a recipe with its section.

    >>> flag_of("training.batch_size"), flag_of("data.name"), flag_of("final.epochs")
    ('--batch-size', '--data', '--final-epochs')
    """
    return KEYS[key].flag if key in KEYS else f"--{key.rpartition('.')[2].replace('_', '-')}"


def without_password(storage: str) -> str:
    """Return a storage as it may be printed."""
    if "://" not in storage:
        return storage
    from coarsefine.db.connections.urls import masked

    return masked(storage)
