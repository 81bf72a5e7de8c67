"""A recipe out of layers: what suits the data set, then a TOML file, then flags.

A layer overrules those before it, whole: stating ``epochs`` unsays ``cycles``, stating ``eta``
unsays a cyclical schedule. What no layer states has a default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coarsefine.hints import Message, option
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.parts import (
    CHOICES,
    LENGTHS,
    PARTS,
    Stated,
    flat,
    nested,
    without_none,
)
from coarsefine.studies.recipes.recipe import Recipe, to_json, validated
from coarsefine.studies.recipes.toml_text import parsed, read_text

# The rest is as in the KTH lab's assignment 2 (two cycles from 1e-5 to 1e-1, batch size 100),
# which trains on 45,000 images. Small data sets need smaller batches and more cycles to make
# enough updates: on the 1,078 training digits, eight cycles are 1,696 of them, the validation
# accuracy is 0.96 to 0.98, and small λ begin to lose to middling ones.
_SMALL: Stated = {"data": {"validation": 0.25}, "training": {"batch_size": 20, "cycles": 8}}


def default_recipe(data: str = "digits") -> Recipe:
    """Return the recipe for a data set that no one has said anything else about."""
    return make_recipe(flags={"data.name": data})


def default_batch_size(data: str) -> int:
    """Return the batch size of recipes for a data set that state none."""
    return default_recipe(data).training.batch_size


def load_recipe(path: Path) -> Recipe:
    """Return the recipe of a TOML file.

    Raises:
        RecipeError: If it is missing, no TOML or no recipe; names file, key and reason.
    """
    return make_recipe(path)


def make_recipe(
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    implied: Mapping[str, Any] | None = None,
) -> Recipe:
    """Return the recipe that a file and flags state together; flags overrule the file.

    Args:
        path: A TOML file; ``None`` for none.
        flags: Values by key, as in ``{"training.eta": 0.1}``; ``None`` as a value states nothing.
        implied: Values by key that file and flags overrule: what a search starts from.

    Raises:
        RecipeError: Names the file and the key, or the flag.
    """
    # By itself first: what the file implies, as its eta a constant schedule, counts as stated.
    stated = (
        {}
        if path is None
        else _merged({}, parsed(read_text(path, "a recipe"), str(path), "a recipe"))
    )
    if path is not None:
        recipe = validated(_merged(_suited(stated, implied), stated), f"{path}: ")
        if not flags:
            return recipe
    said = nested(flags or {})
    both = _merged(stated, said)
    return validated(_merged(_suited(both, implied), both), "", flat(said))


def recipe_of(
    stated: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    implied: Mapping[str, Any],
    where: str,
) -> Recipe:
    """Return the recipe that sections and layers over them state together.

    Args:
        stated: Sections of keys.
        layers: Values by key, each overruling what is before it.
        implied: Values by key that all of them overrule.
        where: What messages begin with.

    Raises:
        RecipeError: Names the key.
    """
    both = _merged({}, dict(stated))
    for layer in layers:
        both = _merged(both, nested(layer))
    return validated(_merged(_suited(both, implied), both), where)


def with_overrides(recipe: Recipe, flags: Mapping[str, Any]) -> Recipe:
    """Return the recipe with other values for some keys.

    Args:
        recipe: Overruled where flags say otherwise; all it says counts as stated.
        flags: As for ``make_recipe``.

    Raises:
        RecipeError: Names the flag.
    """
    said = nested(flags)
    return validated(_merged(without_none(to_json(recipe)), said), "", flat(said))


def overruled(flags: Mapping[str, Any], by: Mapping[str, Any]) -> Stated:
    """Return two layers of values by key as one: the second unsays what does not go with it.

    >>> overruled({"training.cycles": 2, "seed": 1}, {"training.epochs": 3})
    {'training.epochs': 3, 'seed': 1}
    """
    return flat(_merged(_merged({}, nested(flags)), nested(by)))


def final_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe with the length of training that its final section asks for."""
    length = {"training.epochs": recipe.final.epochs, "training.cycles": recipe.final.cycles}
    return with_overrides(recipe, length)


def _suited(stated: Stated, implied: Mapping[str, Any] | None = None) -> Stated:
    """Return what suits the data set that is named, to be overruled by what is stated."""
    data = stated.get("data")
    name = data.get("name", "digits") if isinstance(data, dict) else "digits"
    # Whoever reads a stored recipe does without the package that reads data files.
    from coarsefine.models.data.catalogue import CATALOGUE

    # Files of one's own are mostly small; those who have large ones say what they want.
    suited = _SMALL if name == "digits" or str(name) not in CATALOGUE else {}
    return _merged(suited, nested(implied)) if implied else suited


def _merged(base: Stated, said: Stated) -> Stated:
    """Return both layers as one: ``said`` wins, and unsays what does not go with it."""
    merged: Stated = dict(base)
    for section, values in said.items():
        inner = base.get(section)
        if isinstance(values, dict) and isinstance(inner, dict):
            merged[section] = _merged_section(inner, values, section)
        elif isinstance(values, dict):
            merged[section] = _merged_section({}, values, section)
        else:
            merged[section] = values
    training, final = merged.get("training"), merged.get("final")
    if isinstance(training, dict) and isinstance(final, dict):
        cyclical = training.get("schedule", CHOICES["schedule"]) == "cyclical"
        if not cyclical and "cycles" not in said.get("final", {}):
            merged["final"] = {k: v for k, v in final.items() if k != "cycles"}
    return merged


def _merged_section(base: Stated, said: Stated, section: str) -> Stated:
    parts = PARTS.get(section, {})
    choices = {part.choice: base.get(part.choice, CHOICES[part.choice]) for part in parts.values()}
    choices |= {choice: said[choice] for choice in choices if choice in said}
    for key, part in parts.items():
        inferable = key in said and part.choice not in said
        if inferable and choices[part.choice] in part.instead_of:
            choices[part.choice] = part.choices[0]
    kept = {
        key: value
        for key, value in base.items()
        if (key not in parts or choices[parts[key].choice] in parts[key].choices)
        and not (key in LENGTHS and any(other in said for other in LENGTHS))
        # A deviation of 0.01 is no bound for uniform weights.
        and not (key == "sigma" and choices.get("initialisation") != base.get("initialisation"))
    }
    stated = {key for key in choices if key in base or choices[key] != CHOICES[key]}
    return kept | {key: choices[key] for key in stated} | said


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipe as a user asks for it: whole, or as a file and values over it.

    Attributes:
        path: A TOML file; ``None`` for none.
        flags: Values by key; they overrule the file.
        whole: A whole recipe, in place of file and values.
    """

    path: Path | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    whole: Recipe | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> "Asked":
        """Return a whole recipe as one that is asked for."""
        return cls(whole=recipe)

    @property
    def states_all(self) -> bool:
        """Return whether it states a whole recipe, or a file of one."""
        return self.whole is not None or self.path is not None

    def recipe(self, implied: Mapping[str, Any]) -> Recipe:
        """Return the recipe, with what is implied where nothing is stated.

        Args:
            implied: Values by key, of a search.

        Raises:
            RecipeError: If there is no such recipe.
        """
        return self.whole or make_recipe(self.path, self.flags, implied)

    def changed_choices(self, implied: Mapping[str, Any]) -> list[Message]:
        """Return which choices nobody stated and follow from another value, a sentence each.

        Args:
            implied: As for ``recipe``.
        """
        stated = {key: value for key, value in self.flags.items() if value is not None}
        parted = [KEYS[key] for key in stated if key in KEYS and KEYS[key].needs is not None]
        if not parted:
            return []
        others = {key: value for key, value in stated.items() if KEYS.get(key) not in parted}
        there = make_recipe(self.path, others, implied)
        here = self.recipe(implied)
        changed: dict[str, Message] = {}
        for key in parted:
            assert key.needs is not None  # noqa: S101  # those alone are looked at
            choice = f"{key.section}.{key.needs.choice}"
            before, now = (
                str(getattr(getattr(recipe, key.section), key.needs.choice))
                for recipe in (there, here)
            )
            if choice == "data.split":
                continue  # that folds are asked for says so itself
            if choice not in stated and before != now and choice not in changed:
                value = stated[key.key]
                words = f" changes the {key.needs.choice} from {before} to {now}"
                changed[choice] = Message(option(key.key, value), words)
        return list(changed.values())

    def against(self, stored: Recipe, implied: Mapping[str, Any]) -> Recipe:
        """Return the recipe where one was begun with: what is not stated is as it was.

        Args:
            stored: The recipe that was begun with.
            implied: As for ``recipe``.

        Raises:
            RecipeError: If there is no such recipe.
        """
        return self.recipe(implied) if self.states_all else with_overrides(stored, self.flags)
