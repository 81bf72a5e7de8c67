"""The errors a user can cause on this floor."""

import difflib
from collections.abc import Collection
from typing import Any, ClassVar

from coarsefine.hints import HintedError


class StudyError(HintedError, ValueError):
    """Something the user asked for that cannot be done.

    Attributes:
        exit_status: What a command that ends on this error should exit with: 1 for an expected
            failure, 2 for bad usage.
    """

    exit_status: ClassVar[int] = 1


class RecipeError(StudyError):
    """A recipe file, or flags in place of one, that say something impossible."""

    exit_status = 2


class SpaceError(StudyError):
    """A range or a list of values that cannot be searched."""

    exit_status = 2


class StudyNameError(StudyError):
    """A name for a new study that would not be seen as it is."""

    exit_status = 2


class TakenError(StudyError):
    """A study that was begun otherwise has the name that a search is to have.

    Attributes:
        free: A name that no study has; empty where nobody has looked for one.
        varied: What a space varies, a text a parameter; a study of another name has to be told.
        recipe: What was asked for, with what the study states; ``None`` where that is not known.
    """

    free: str = ""
    varied: tuple[str, ...] = ()
    recipe: Any = None


def did_you_mean(word: object, words: Collection[str]) -> str:
    """Return ``; did you mean …?`` for the name that is close to ``word``, else nothing.

    >>> did_you_mean("sigmiod", ["relu", "sigmoid"])
    '; did you mean sigmoid?'
    """
    close = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
