"""Recipes: everything that decides a training run but what is searched.

A finished recipe states all of its keys, so that two recipes can be compared key by key. What
plays no part in a recipe is ``None`` there. ``layers`` makes a recipe of what users state.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coarsefine.studies.errors import RecipeError, did_you_mean
from coarsefine.studies.metric import METRICS
from coarsefine.studies.recipes.keys import (
    KEYS,
    DataKeys,
    FinalKeys,
    NetworkKeys,
    RecipeKeys,
    TrainingKeys,
)
from coarsefine.studies.recipes.messages import ContradictionError, explained
from coarsefine.studies.recipes.parts import Stated, filled, flat, without_none

_NAMES = {key.attribute: key.name for key in KEYS.values()}


class _Section(BaseModel):
    """A section of keys: types and checks are those of the keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        # What only shows studies reads no recipe: checks are put together where one is first read.
        defer_build=True,
        alias_generator=lambda attribute: _NAMES.get(attribute, attribute),
    )


class DataRecipe(DataKeys, _Section):
    """Which samples are trained on and validated with."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return filled(stated, "data")


class NetworkRecipe(NetworkKeys, _Section):
    """Layers and their initial weights."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return filled(stated, "network")


class TrainingRecipe(TrainingKeys, _Section):
    """How the network is trained, and for how long: ``epochs``, ``cycles`` or ``updates``."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return filled(stated, "training")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.eta_min is not None and self.eta_max is not None and self.eta_min > self.eta_max:
            raise ContradictionError(
                "{} must be <= {}, got " + f"{self.eta_min:g} and {self.eta_max:g}",
                "training.eta_min",
                "training.eta_max",
            )
        if self.stop_rule is not None and self.patience is None:
            raise ContradictionError("{} needs {}", "training.stop_rule", "training.patience")
        if self.stop_rule == "window" and self.patience == 1:
            raise ContradictionError(
                "{} must be >= 2 with {} window, got 1", "training.patience", "training.stop_rule"
            )
        return self


class FinalRecipe(FinalKeys, _Section):
    """How the best trials are trained again before the test set is opened."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return filled(stated, "final")


class Recipe(RecipeKeys, _Section):
    """All that decides a training run but what is searched."""

    data: DataRecipe = Field(default_factory=lambda: DataRecipe.model_validate({}))
    network: NetworkRecipe = Field(default_factory=lambda: NetworkRecipe.model_validate({}))
    training: TrainingRecipe = Field(default_factory=lambda: TrainingRecipe.model_validate({}))
    final: FinalRecipe = Field(default_factory=lambda: FinalRecipe.model_validate({}))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.params and self.trainer is None:
            raise ContradictionError("{} need a {} to be given to", "params", "trainer")
        for name in self.params:
            for section in ("network", "training"):
                if self._hides(f"{section}.{name}"):
                    raise ContradictionError(
                        "{} would hide {}: state that", f"params.{name}", f"{section}.{name}"
                    )
        metric = self.training.metric or "accuracy"
        if metric not in METRICS and self.trainer is None:
            raise ContradictionError(
                "{} must be one of "
                f"{', '.join(METRICS)}, got {metric[:60]!r}{did_you_mean(metric, METRICS)}: others "
                "are reported by a custom {}",
                "training.metric",
                "trainer",
            )
        if self.final.cycles is not None and self.training.schedule != "cyclical":
            raise ContradictionError(
                "{} needs {} cyclical, got " + self.training.schedule,
                "final.cycles",
                "training.schedule",
            )
        return self

    def _hides(self, place: str) -> bool:
        """Return whether a parameter of a custom trainer would stand for a key that is in use.

        A custom trainer may have a ``dropout`` of its own: what a recipe leaves out where it is
        not used, as keys that were not always there, is no key of it.
        """
        key = KEYS.get(place)
        if key is None:
            return False
        value = getattr(getattr(self, key.section), key.attribute)
        return not (key.stored_if_used and value in (None, {}, key.unnamed))


class Difference(NamedTuple):
    """A key that two recipes disagree on; ``None`` where one has no use for it."""

    key: str
    first: Any
    second: Any


def to_json(recipe: Recipe) -> Stated:
    """Return the recipe as JSON has it: sections and keys as users write them."""
    stated: Stated = recipe.model_dump(mode="json", by_alias=True)
    for key in KEYS.values():
        section = stated[key.section] if key.section else stated
        if key.stored_if_used and section[key.name] in (None, {}):
            del section[key.name]
    return stated


def from_json(stated: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """Return the recipe that ``to_json`` made this of.

    Raises:
        RecipeError: If it is none; names ``source``.
    """
    return validated(without_none(dict(stated)), f"{source}: ")


def to_toml(recipe: Recipe) -> str:
    """Return the text of a file that ``load_recipe`` makes the same recipe of."""
    stated = without_none(to_json(recipe))
    lines = []
    for key, value in stated.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_toml_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{key} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def differences(first: Recipe, second: Recipe) -> list[Difference]:
    """Return the keys on which two recipes disagree, in the order of a recipe."""
    one, other = flat(to_json(first)), flat(to_json(second))
    return [
        Difference(key, one.get(key), other.get(key))
        for key in one | other
        if one.get(key) != other.get(key)
    ]


def validated(stated: Mapping[str, Any], where: str, flags: Collection[str] = ()) -> Recipe:
    """Return the recipe that sections of keys state.

    Args:
        stated: Sections of keys.
        where: What messages begin with.
        flags: Keys that flags stated, which messages name so.

    Raises:
        RecipeError: If they state none; names the key.
    """
    try:
        return Recipe.model_validate(stated)
    except ValidationError as error:
        raise RecipeError(where, explained(error, Recipe, flags)) from None


def _toml_value(value: Any) -> str:
    # JSON writes strings, numbers, booleans and lists as TOML does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
