"""TOML of people's own, read with a bound on what it can cost: size, nesting and length of keys."""

import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from coarsefine.db.connections.open_files import is_open
from coarsefine.nesting import is_deeper
from coarsefine.paths import text_of
from coarsefine.studies.errors import RecipeError, SpaceError
from coarsefine.studies.recipes.keys.kinds import number_of

MOST_BYTES: Final = 1_000_000
"""A hundred times the longest recipe that anybody writes by hand."""
_DEEPEST: Final = 32
# A parser takes time and memory with the square of the length of a dotted key.
_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*"""
_LONG_KEY: Final = re.compile(rf"(?<![A-Za-z0-9_-]){_NAME}(?:\.[ \t]*{_NAME}){{{_DEEPEST}}}")


def read_text(path: Path, what: str) -> str:
    """Return the text of a TOML file.

    Args:
        path: The file.
        what: What messages call it, as in ``a recipe``.

    Raises:
        RecipeError: If it is no text file, or too large to be one of a recipe.
    """
    if path.is_dir():
        raise RecipeError(f"{what} must be a TOML file, got the folder {path}")
    if is_open(path):
        raise RecipeError(f"{what} must be a TOML file, got the database {path}")
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise RecipeError(f"{what} must be a TOML file, got the pipe or device {path}")
        _check_size(str(path), what, found.st_size)
        return text_of(path, what)
    except FileNotFoundError:
        raise RecipeError(f"{what} must be an existing TOML file, found no {path}") from None
    except RecipeError:
        raise
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RecipeError(str(error)) from None


def parsed(text: str, where: str, what: str) -> dict[str, Any]:
    """Return the table that a text states.

    Args:
        text: TOML.
        where: What messages call the place that it is from.
        what: What it is to state, as in ``a recipe``.

    Raises:
        RecipeError: If it is no TOML, or none that a recipe could be.
    """
    _check_size(where, what, len(text.encode(errors="surrogatepass")))
    deep = f"{where}: {what} must have at most {_DEEPEST} tables or lists inside each other"
    if _LONG_KEY.search(text):
        raise RecipeError(f"{deep}, got a longer key")
    try:
        table = tomllib.loads(text, parse_float=number_of)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where} must be TOML: {_short(error)}") from None
    except SpaceError as error:  # a number that would become 0
        raise RecipeError(f"{where}: {error}") from None
    except RecursionError:
        raise RecipeError(f"{deep}, got more") from None
    except ValueError:
        # Python reads no whole number of more than 4,300 digits, and tomllib lets it say so.
        raise RecipeError(f"{where}: {what} must not have numbers of thousands of digits") from None
    if is_deeper(table, _DEEPEST):
        raise RecipeError(f"{deep}, got more")
    return table


def _check_size(where: str, what: str, n_bytes: int) -> None:
    if n_bytes > MOST_BYTES:
        raise RecipeError(
            f"{where}: {what} must have at most {MOST_BYTES:,} bytes, got {n_bytes:,}"
        )


def _short(error: Exception) -> str:
    """Return what a parser says, which may quote a whole key."""
    text = str(error)
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"
