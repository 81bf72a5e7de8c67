"""Options made from the keys of a recipe: one a key, and what they state together."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar

from coarsefine.search.options.declaring import (
    DATA,
    FINAL,
    NETWORK,
    RECIPE,
    TRAINING,
    number,
    option,
    whole,
)
from coarsefine.studies.recipes.keys import KEYS, Key
from coarsefine.studies.recipes.keys.kinds import Real, Switch, Whole

_PANELS = {"": RECIPE, "data": DATA, "network": NETWORK, "training": TRAINING, "final": FINAL}
Options = TypeVar("Options", bound="KeyOptions")


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Options of one section of a recipe. What is not stated is ``None``."""

    def flags(self) -> dict[str, Any]:
        """Return what is stated, by the recipe's keys."""
        stated: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            key.key: None if stated[key.setting] is None else key.kind.typed(stated[key.setting])
            for key in KEYS.values()
            if key.setting in stated
        }


def key_option(name: str) -> Any:
    """Return the Typer option of a key, by the key's name with its section."""
    key = KEYS[name]
    names = (key.flag,)
    if isinstance(key.kind, Switch):
        names = (f"{key.flag}/--no-{key.flag.removeprefix('--')}",)
    parser = {Real: number, Whole: whole}.get(type(key.kind))
    metavar = key.metavar or key.kind.metavar or None
    return option(_PANELS[key.section], *names, help=key.help, metavar=metavar, parser=parser)


def with_keys(
    section: str, before: Mapping[str, str] | None = None
) -> Callable[[type[Options]], type[Options]]:
    """Return what makes a class the options of a section's keys, and of its own fields.

    An own field that has the name of a key's option stands in its place; any other comes last.

    Args:
        section: Of the recipe; nothing for the recipe itself.
        before: Own fields, by the option that they come before.
    """

    def made(options: type[Options]) -> type[Options]:
        own = dict(options.__annotations__)
        hints = {}
        for key in _as_listed(key for key in KEYS.values() if key.section == section):
            earlier = (before or {}).get(key.setting)
            if earlier is not None:
                hints[earlier] = own.pop(earlier)
            hints[key.setting] = own.pop(key.setting, None) or _hint(key)
        hints |= own
        options.__annotations__ = hints
        for name in hints:
            if name not in options.__dict__:
                setattr(options, name, None)
        return dataclass(frozen=True, slots=True)(options)

    return made


def _hint(key: Key) -> Any:
    kind = {Switch: bool, Real: float, Whole: int}.get(type(key.kind), str)
    return Annotated[kind | None, key_option(key.key)]


def _as_listed(keys: Iterable[Key]) -> list[Key]:
    """Return the keys that have an option, in the order of the help."""
    listed: list[Key] = []
    moved: dict[str, list[Key]] = {}
    for key in keys:
        if key.not_an_option:
            continue
        if key.before:
            moved.setdefault(key.before, []).append(key)
        else:
            listed.append(key)
    return [one for key in listed for one in (*moved.get(key.name, ()), key)]
