"""What holds for a folder or a person: ``coarsefine.toml`` there, in place of options typed again.

>>> FILE
'coarsefine.toml'
"""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from coarsefine.hints import HintedError
from coarsefine.paths import expanded, text_of

FILE: Final = "coarsefine.toml"
SERVICE: Final = "service"
STORAGE, DATA_DIR, ON_END = "storage", "data_dir", "on_end"
# The environment variable of each key, which comes before any file.
VARIABLES: Final = {
    STORAGE: "SEARCH_STORAGE",
    DATA_DIR: "SEARCH_DATA_DIR",
    ON_END: "SEARCH_ON_END",
}
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class ConfigurationError(HintedError, ValueError):
    """A configuration file that says nothing this program knows."""


def setting(key: str, *, service: bool = False) -> str | None:
    """Return what holds where no option says otherwise; ``None`` for nothing.

    The environment variable comes first, then the file of the current folder, then the user's.
    Paths are seen from the file's folder. A command to be run is taken from the user's file, and by
    a service from ``[service]`` of either: a folder that came from elsewhere runs nothing when
    somebody searches in it.

    Args:
        key: One of ``VARIABLES``.
        service: Whether a service asks for its command.

    Raises:
        ConfigurationError: If a file cannot be read, or says what is not known.
    """
    stated = os.environ.get(VARIABLES[key])
    if stated:
        return stated
    folder = _folders()
    for place in (folder, _users()):
        if place is None:
            continue
        table = _read(place)
        of_folder = place == folder
        if of_folder and key == ON_END and ON_END in table:
            raise ConfigurationError(
                f"{place}: {ON_END} of all commands belongs in {_users() or 'the file of a user'}; "
                f"that of a folder in [{SERVICE}], for its service"
            )
        value = (table.get(SERVICE, {}) if service else {}).get(key, table.get(key))
        if value is None:
            continue
        if key == ON_END:
            _check_own(place)
            return str(value)
        return str(value) if "://" in value else str(place.parent / expanded(value))
    return None


def _folders() -> Path | None:
    """Return where the current folder's file is, or would be; ``None`` where that was removed."""
    try:
        return Path.cwd() / FILE
    except OSError:
        return None


def _users() -> Path | None:
    """Return where the user's file is, or would be; ``None`` for users without a home."""
    from platformdirs import user_config_path

    try:
        return user_config_path("coarsefine", appauthor=False) / FILE
    except (RuntimeError, KeyError):
        return None


def _read(place: Path) -> dict[str, Any]:
    """Return what a file says; nothing if there is none."""
    try:
        if not os.path.exists(place):  # noqa: PTH110  # false where one may not look, too
            return {}
        table = tomllib.loads(text_of(place, "a configuration"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{place} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{place} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    service = table.get(SERVICE, {})
    if not isinstance(service, dict):
        raise ConfigurationError(f"{place}: {SERVICE} must be a table, [{SERVICE}]")
    plain = {name: value for name, value in table.items() if name != SERVICE}
    for values, known, where in (
        (plain, VARIABLES, f" and [{SERVICE}]"),
        (service, [ON_END], f" under [{SERVICE}]"),
    ):
        for name, value in values.items():
            if name not in known:
                listed = ", ".join(known) + where
                raise ConfigurationError(f"{place}: keys are {listed}, got {name[:60]!r}")
            if not (isinstance(value, str) and value.strip()):
                raise ConfigurationError(f"{place}: {name} must be a text, got {str(value)[:60]!r}")
    return table


def _check_own(place: Path) -> None:
    """Refuse a command that somebody else may have written."""
    if not hasattr(os, "getuid"):
        return
    about = place.stat()
    if about.st_uid not in {os.getuid(), 0} or about.st_mode & _OTHERS:
        raise ConfigurationError(
            f"{place} names a command, so nobody else may write it: chmod go-w, and own it"
        )
