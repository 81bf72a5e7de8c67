"""Hints and errors of the floors below, in the words of whoever writes Python."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from coarsefine.configuration import ConfigurationError
from coarsefine.db.errors import StorageError
from coarsefine.hints import SEARCH, SET, Hint, alternatives
from coarsefine.hints import spelled as spelled_by
from coarsefine.models.errors import ModelError
from coarsefine.search.errors import ExportError, UsageError
from coarsefine.search.hints import typed
from coarsefine.search.library.settings import NAMES
from coarsefine.studies.errors import StudyError

# Options that have another name here.
_NAMES: Final = {"study": "name", "lambda": "lambda_", "trial": "trials"}
# The method of Study that does what a command does.
_METHODS: Final = {"test": "test({})", "rank": "ranking"}
# What bounds a stage; anything else is stated where the search is named.
_OF_STAGE: Final = (
    *("low", "high", "trials", "values", "sampler"),
    *("replicates", "indifference", "only", "prune", "fresh"),
)


def spelled(message: object) -> str:
    """Return a message, a hint or an error of the floors below, with keywords and calls."""
    return spelled_by(message, called)


def called(hint: Hint) -> str:
    """Return the keywords or the call that a hint asks for; the command where there is no call.

    >>> called(Hint(SET, (("training.batch_size", None),)))
    'batch_size='
    >>> called(Hint(SET, (("data.header", False), ("refit", "none"))))
    'header=False, refit="none"'
    >>> called(Hint(SEARCH, (("low", "1e-7"),), "a/b", "lambda", "coarse"))
    'Study.search("lambda", name="a/b").coarse(low=1e-7)'
    >>> called(Hint("test", study="a/b")), called(Hint("list"))
    ('Study("a/b").test()', 'list_studies()')
    """
    if hint.action == SET:
        return ", ".join(_keyword(key, value) for key, value in hint.settings)
    if ("range_test", True) in hint.settings:
        return "range_test()"
    if hint.action == SEARCH:
        named = [_quoted(hint.search)]
        if hint.study is not None:
            named.append(_keyword("study", hint.study))
        named += [_keyword(*each) for each in hint.settings if each[0] not in _OF_STAGE]
        within = [_keyword(*each) for each in hint.settings if each[0] in _OF_STAGE]
        return f"Study.search({', '.join(named)}).{hint.stage or 'grid'}({', '.join(within)})"
    if hint.action in _METHODS:
        within = [_keyword(*each) for each in hint.settings]
        study = "" if hint.study is None else _quoted(hint.study)
        return f"Study({study}).{_METHODS[hint.action].format(', '.join(within))}"
    return "list_studies()" if hint.action == "list" else typed(hint)


def _keyword(key: str, value: object) -> str:
    if key == "together":
        return "alone=False"
    name = key.rpartition(".")[2]
    written = "" if value is None else alternatives(value, _quoted)
    return f"{NAMES.get(key) or _NAMES.get(name, name)}={written}"


def _quoted(value: object) -> str:
    """Return a value as Python has it: numbers may come as texts, rounded for their reader."""
    if not isinstance(value, str):
        return repr(value)
    try:
        float(value)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    return value


@contextmanager
def as_study_errors() -> Iterator[None]:
    """Have whatever may be expected to go wrong be a ``StudyError``, in Python's words."""
    try:
        yield
    except StudyError as error:
        # Where it came up is no help to those who asked for what cannot be.
        error.args = (spelled(error),)
        raise error.with_traceback(None) from None
    except (ConfigurationError, ModelError, StorageError, ExportError, UsageError) as error:
        raise StudyError(spelled(error)) from None
