"""Asking before a search that is too long to be started by a slip of the keyboard."""

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
    if yes or n_trials < MANY_TRIALS:
        return
    many = f"{n_trials:,} trials take long to plan, train and store"
    if not sys.stdin.isatty():
        raise UsageError(f"{many}; add --yes if so many are meant")
    if not typer.confirm(f"{many}. Go on?", err=True):
        raise Stopped
