"""Guesses at what a misspelt name was meant to be."""

import difflib
from collections.abc import Collection


def did_you_mean(word: str, words: Collection[str]) -> str:
    """Return ``; did you mean …?`` for the name that is close to ``word``, else nothing.

    >>> did_you_mean("sigmiod", ["relu", "sigmoid"])
    '; did you mean sigmoid?'
    """
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
