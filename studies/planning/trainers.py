"""Trainers of the user's: which function a recipe names, and whether it may be imported.

Importing runs code. So a trainer is imported only where a recipe file of the user's names it: what
a database says of a study's recipe is not enough, for databases are passed around.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from coarsefine.db.records import StudyRecord
from coarsefine.hints import option
from coarsefine.models.plugin import Plugin, source
from coarsefine.studies.errors import StudyError, TakenError
from coarsefine.studies.planning.pruning import HALVING
from coarsefine.studies.recipes.recipe import Recipe, to_json
from coarsefine.studies.spaces.dimensions import OWN, Value, to_params

# Where a study keeps which trainer it began with, and a plan which one it asks for.
TRAINER = "trainer"


def source_of(recipe: Recipe) -> str | None:
    """Return the SHA-256 of the file of the recipe's trainer; ``None`` if it is ours.

    Raises:
        PluginError: If there is no such function.
    """
    return None if recipe.trainer is None else source(recipe.trainer)


def plugin_of(recipe: Recipe, source: str | None, point: Mapping[str, Value]) -> Plugin | None:
    """Return what is called to train a point; ``None`` if the trainer is ours.

    Args:
        recipe: The point's.
        source: As ``source_of`` has it.
        point: What is searched, by name.
    """
    if recipe.trainer is None or source is None:
        return None
    stated = to_json(recipe)
    searched = {name.removeprefix(OWN): value for name, value in to_params(point).items()}
    values = {**stated["network"], **stated["training"], **stated.get("params", {}), **searched}
    stated_values = {name: value for name, value in values.items() if value is not None}
    return Plugin(recipe.trainer, source, json.dumps(stated_values), recipe.training.score)


def plugin_key(plugin: Plugin, data_key: str, seed: int, replicate: int) -> str:
    """Return the name of a training: equal if and only if all that can decide it is equal.

    Returns:
        A SHA-256 in hexadecimal digits. The function's file is part of it: what an older version
        of it trained is not taken for what this one would have.
    """
    parts = {
        **asdict(plugin),
        "params": json.loads(plugin.params),
        "data": data_key,
        "seed": seed,
        "replicate": replicate,
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def of_plan(plan: Mapping[str, Any], trainer: str | None) -> Plugin | None:
    """Return what a stored plan asks to be called; ``None`` if the trainer is ours.

    Args:
        plan: As stored.
        trainer: What the user's recipe names: nothing else is called.

    Raises:
        StudyError: If the plan asks for anything else.
    """
    stored = plan.get(TRAINER)
    name = None if stored is None else stored["name"]
    if name != trainer:
        raise StudyError(
            f"a training of this study is planned with trainer {name or 'ours'}, the recipe names "
            f"{trainer or 'none'}; choose another name with ",
            option("study"),
        )
    return None if stored is None else Plugin(**stored)


def version(recipe: Recipe) -> dict[str, str]:
    """Return which trainer a study begins with, beside the versions it is made with."""
    source = source_of(recipe)
    return {} if source is None else {TRAINER: f"{recipe.trainer} {source[:12]}"}


def check_new(recipe: Recipe, prune: str | None) -> None:
    """Check that the recipe's trainer is there, and that the search can do with it.

    Raises:
        PluginError: If there is no such function.
        StudyError: If a training would have to be stopped half-way, or measured within epochs.
    """
    if source_of(recipe) is None:
        return
    if recipe.training.score == "lowest":
        raise StudyError(
            option("training.score", "lowest"),
            " goes by evaluations of this program's trainer, and a custom trainer reports epochs: "
            "final or best",
        )
    if prune == HALVING:
        raise StudyError(
            option("prune", HALVING),
            " stops trainings half-way, and a custom trainer is called once for the whole of one; "
            "leave it out",
        )


def check_named(study: StudyRecord, recipe: Recipe, *, by_user: bool) -> None:
    """Check that the user named the study's trainer, and that it is what it was.

    Args:
        study: The study.
        recipe: Its recipe.
        by_user: Whether a recipe file of the user's names the same trainer.

    Raises:
        StudyError: If not.
        PluginError: If there is no such function any more.
    """
    if recipe.trainer is None:
        return
    if not by_user:
        raise StudyError(
            f"study {study.name} is trained by {recipe.trainer}, which is imported only if you "
            "name it yourself: add ",
            option("recipe", "FILE"),
            ", the recipe it was begun with",
        )
    now, before = version(recipe)[TRAINER], study.versions.get(TRAINER)
    if before != now:
        raise TakenError(
            f"trainer {recipe.trainer} was changed since study {study.name} was begun; put it "
            "back, or choose another name with ",
            option("study"),
        )
