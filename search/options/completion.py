"""What a shell completes after a half-typed word: study names, labs, choices.

A completion must not fail, write or wait: whatever goes wrong, there is nothing to offer.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Final

import typer

from coarsefine.search.errors import INSTALLED, UsageError, program
from coarsefine.search.figures.kinds import KINDS
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.keys.kinds import Choice
from coarsefine.studies.recipes.keys.lists import Weights

Completion = Callable[[typer.Context, str], list[tuple[str, str]]]
# Commands about studies in the trash.
_OF_TRASH: Final = frozenset({"restore", "purge"})
# A word, and what it is.
_Offer = tuple[str, str]


def completion_of(field: str) -> Completion | None:
    """Return what completes an option or argument, by its name in the dataclasses of options."""
    offered = _OFFERS.get(field)
    return None if offered is None else _completing(offered)


def _completing(offered: Callable[[typer.Context], Iterable[_Offer]]) -> Completion:
    # Typer tells arguments by their annotations.
    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        try:
            return [offer for offer in offered(ctx) if offer[0].startswith(incomplete)]
        except Exception:  # no line of a shell is the place for an error
            return []

    return complete


def _studies(ctx: typer.Context) -> list[_Offer]:
    from coarsefine.db import repository
    from coarsefine.db.connections.engine import open_database
    from coarsefine.db.connections.urls import storage_url

    url = storage_url(ctx.params.get("storage"))
    with open_database(url, read_only=True) as database:
        found = repository.list_studies(database, trashed=ctx.info_name in _OF_TRASH)
    return [(study.name, f"{study.search}, {study.data_name}") for study in found]


def _studies_and_kinds(ctx: typer.Context) -> list[_Offer]:
    """Return what may stand before the file of an export, or among the figures of a plot."""
    if ctx.info_name != "plot":
        return _studies(ctx)
    kinds = [(kind.name, kind.shows) for kind in KINDS.values()]
    try:
        return [*_studies(ctx), *kinds]
    except Exception:  # kinds are there without a database
        return kinds


def _labs(_: typer.Context) -> list[_Offer]:
    from coarsefine.studies.labs.files import presets

    return [(name, "preset") for name in presets()]


def _formats(ctx: typer.Context) -> list[_Offer]:
    module = "figures.rendering" if ctx.info_name == "plot" else "formats.exports"
    return _words(f"coarsefine.search.{module}", "FORMATS")(ctx)


def _words(module: str, name: str) -> Callable[[typer.Context], list[_Offer]]:
    """Return the names in a collection, which is imported only when it is asked for."""
    return lambda _: [(str(word), "") for word in getattr(import_module(module), name)]


def _these(*words: str) -> Callable[[typer.Context], list[_Offer]]:
    return lambda _: [(word, "") for word in words]


_OFFERS: Final[dict[str, Callable[[typer.Context], Iterable[_Offer]]]] = {
    "study": _studies,
    "study_flag": _studies,
    "studies": _studies,
    "patterns": _studies,
    "trashed": _studies,
    "on_data": _words("coarsefine.models.data.catalogue", "CATALOGUE"),
    "names": _studies_and_kinds,
    "lab": _labs,
    **{
        key.setting: _these(*key.choices)
        for key in KEYS.values()
        if type(key.kind) in {Choice, Weights}
    },
    "data": _words("coarsefine.models.data.catalogue", "CATALOGUE"),
    "sampler": _words("coarsefine.studies.planning.request", "SAMPLERS"),
    "prune": _words("coarsefine.studies.planning.pruning", "PRUNERS"),
    "equal": _these("epochs", "updates"),
    "eta_range": _these("auto"),
    "format": _formats,
    "what": _words("coarsefine.search.tables.exported", "TABLES"),
    "against": _these("epochs", "updates"),
}


COMPLETION: Final = frozenset({"--install-completion", "--show-completion"})


def completed_line() -> list[str] | None:
    """Return the words that a shell completes, without the program; ``None`` if no shell asks.

    The last of them may be half-typed. They are in the environment: bash's in one variable, other
    shells' in another, as Typer's scripts for them have it.
    """
    if program() != INSTALLED or f"_{INSTALLED}_COMPLETE".upper() not in os.environ:
        return None
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def check_completion(argv: Sequence[str]) -> None:
    """Raise a UsageError where completion is asked for what no shell can complete."""
    asked = set(argv[:1]) & COMPLETION
    if asked and program() != INSTALLED:
        raise UsageError(
            f"shells complete the installed command: run {INSTALLED} {asked.pop()} "
            "(`pip install .` brings it)"
        )
