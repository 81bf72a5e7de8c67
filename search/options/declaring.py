"""How an option is declared: its panel, its kind, and its default in words."""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from coarsefine.studies.errors import SpaceError
from coarsefine.studies.recipes.keys.kinds import number_of

RECIPE, DATA, NETWORK, TRAINING = "Recipe", "Data", "Network", "Training"
SEARCH, FINAL, WORKERS, OUTPUT = "Search", "Final test", "Workers", "Output"


def whole(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, got {text!r}") from None


def number(text: str) -> float:
    """Return a number; whether it is one that can be used is for others to say."""
    try:
        return number_of(text)
    except SpaceError as error:
        raise typer.BadParameter(f"cannot be used: {error}") from None
    except ValueError:
        raise typer.BadParameter(f"must be a number, got {text!r}") from None


def option(
    panel: str,
    *names: str,
    help: str,  # noqa: A002  # Typer's word
    metavar: str | None = None,
    parser: Callable[[str], Any] | None = None,
    hidden: bool = False,
) -> Any:
    """Return a Typer option; its default is in the help's words."""
    return typer.Option(
        *names,
        help=help,
        metavar=metavar,
        parser=parser,
        hidden=hidden,
        rich_help_panel=panel,
        show_default=False,
    )


def one_of(names: Sequence[str]) -> str:
    """Return choices in words.

    >>> one_of(["a", "b", "c"])
    'a, b or c'
    """
    return _listed(names, "or")


def all_of(names: Sequence[str]) -> str:
    """Return several in words.

    >>> all_of(["a", "b", "c"]), all_of(["a"])
    ('a, b and c', 'a')
    """
    return _listed(names, "and")


def _listed(names: Sequence[str], word: str) -> str:
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last


def text_option(panel: str, name: str, metavar: str, help: str) -> Any:  # noqa: A002
    """Return an option that takes a word or several."""
    return option(panel, name, help=help, metavar=metavar)


def whole_option(panel: str, name: str, help: str, metavar: str = "N") -> Any:  # noqa: A002
    """Return an option that takes a whole number."""
    return option(panel, name, help=help, metavar=metavar, parser=whole)


def number_option(panel: str, name: str, help: str, metavar: str = "X") -> Any:  # noqa: A002
    """Return an option that takes a number."""
    return option(panel, name, help=help, metavar=metavar, parser=number)
