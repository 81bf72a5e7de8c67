"""Asking before what is too much to be done by a slip of the keyboard."""

import sys

import typer

from coarsefine.search.errors import Stopped, UsageError
from coarsefine.search.options.searching import MANY_TRIALS


def ask_before(n_trials: int, *, yes: bool) -> None:
    """Ask before many trials, unless yes was said.

    Raises:
        UsageError: If nobody can be asked.
        Stopped: If the answer is no.
    """
    if n_trials >= MANY_TRIALS:
        ask(f"{n_trials:,} trials take long to plan, train and store", yes=yes)


def ask(what: str, *, yes: bool) -> None:
    """Ask whether something is meant, unless yes was said.

    Raises:
        UsageError: If nobody can be asked.
        Stopped: If the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what}; add --yes if that is meant")
    if not typer.confirm(f"{what}. Go on?", err=True):
        raise Stopped
