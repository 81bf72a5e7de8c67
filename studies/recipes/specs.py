"""From a recipe to what the models are asked for, and the name of one training run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import lru_cache
from typing import Any, TypeVar

from coarsefine.hints import option
from coarsefine.models.data.images import is_image
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.specs import (
    SPREAD_INITIALISATIONS,
    WHOLE_SCHEDULES,
    Hyperparameters,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.keys.key import ABSENT
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import Recipe

# What users call numbers that trials of a cohort may differ in, and what the trainer calls them.
SEARCHABLE = {key.name: key.field for key in KEYS.values() if key.per_trial}

# Counts up when the same specs and data come to train differently, so that what an older
# program trained is not taken for what this one would have.
_TRAINER = 1

_UNNAMED = {
    key.field or key.attribute: key.unnamed for key in KEYS.values() if key.unnamed is not ABSENT
}


def to_data_spec(recipe: Recipe) -> DataSpec:
    """Return which samples the recipe asks for; its seed is the split's."""
    data = recipe.data
    split = SplitSpec(
        method=data.split,
        train=data.train,
        stratified=bool(data.stratified),
        seed=recipe.seed,
        folds=data.folds or 0,
    )
    if data.validation is not None:
        split = replace(split, validation=data.validation)
    return DataSpec(
        name=data.name,
        split=split,
        normalisation=data.normalisation,
        precision=recipe.training.precision,
        label=data.label,
        header=data.header is not False,
        decimal=data.decimal or ".",
        categorical=data.categorical,
        missing=data.missing,
        test=data.test or "own",
        classes=data.classes,
    )


def to_specs(
    recipe: Recipe, n_features: int, n_classes: int, n_train: int
) -> tuple[NetworkSpec, TrainingSpec, Hyperparameters]:
    """Return the recipe as the trainer wants it, on a training set of that shape.

    Raises:
        RecipeError: If a batch is larger than the training set, or classes have other weights than
            one each.
    """
    steps = resolve(recipe, n_train)
    weights = recipe.training.class_weights
    if isinstance(weights, tuple) and len(weights) != n_classes:
        raise RecipeError(
            option("training.class_weights"),
            f" must be a number for each of the {n_classes} classes, got {len(weights)} numbers",
        )
    numbers = {
        key.field: getattr(getattr(recipe, key.section), key.attribute)
        for key in KEYS.values()
        if key.field
    }
    numbers["half_cycle"] = steps.half_cycle
    numbers["step_every"] = steps.step_every
    lengths = {"n_updates": steps.n_updates, "batch_size": steps.batch_size}
    training = _made(TrainingSpec, dict(recipe.training) | lengths)
    return (
        network_spec(recipe, n_features, n_classes),
        *with_length(training, _made(Hyperparameters, numbers), steps.n_updates),
    )


def check_images(training: TrainingSpec, sample_shape: tuple[int, ...]) -> None:
    """Raise a RecipeError if images are to be changed and samples of this shape are none."""
    if (training.flips or training.shifts) and not is_image(sample_shape):
        shape = "×".join(map(str, sample_shape))
        raise RecipeError(
            option("training.flips" if training.flips else "training.shifts"),
            f" needs samples that are images, these are of shape {shape}",
        )


def with_length(
    training: TrainingSpec, numbers: Hyperparameters, n_updates: int
) -> tuple[TrainingSpec, Hyperparameters]:
    """Return what a training of so many updates is: some schedules last as long as it does."""
    if training.schedule in WHOLE_SCHEDULES:
        # η is at its end when the training is: what cycles would be has no part in it.
        numbers = replace(numbers, half_cycle=max(1, n_updates - 1 - numbers.warm_up))
    return replace(training, n_updates=n_updates), numbers


def network_spec(recipe: Recipe, n_features: int, n_classes: int) -> NetworkSpec:
    """Return the recipe's network with these ends."""
    stated = {**dict(recipe.network), **dict(recipe.training)}
    return _made(NetworkSpec, {**stated, "n_features": n_features, "n_classes": n_classes})


Spec = TypeVar("Spec", NetworkSpec, TrainingSpec, Hyperparameters)


def _made(spec: type[Spec], values: Mapping[str, Any]) -> Spec:
    """Return a spec of the values that it has fields for; ``None`` leaves its default."""
    names = {field.name for field in fields(spec)}
    return spec(**{k: v for k, v in values.items() if k in names and v is not None})


def searched_field(recipe: Recipe, parameter: str) -> str:
    """Return the hyperparameter that a search over ``parameter`` varies.

    Raises:
        RecipeError: If it plays no part in this recipe, so that all its values would train the
            same network.
    """
    key = next(key for key in KEYS.values() if key.per_trial and key.name == parameter)
    needs, chosen = key.needs, dict(recipe.training)
    if needs is None or chosen[needs.choice] in needs.choices:
        return key.field
    raise RecipeError(
        f"a search over {parameter} needs ",
        option(f"{key.section}.{needs.choice}", needs.choices),
        f", got {chosen[needs.choice]}",
    )


def recipe_key(
    network: NetworkSpec,
    training: TrainingSpec,
    hyperparameters: Hyperparameters,
    *,
    data_key: str,
    seed: int,
    replicate: int,
) -> str:
    """Return the name of one training run: equal if and only if all that decides it is equal.

    Args:
        network: Its activation does not count where there is no hidden layer, nor which layers
            beside the first have a bias, nor its sigma where the first weights do not follow
            from it.
        training: All of it counts; what it does not ask for leaves no trace in the name.
        hyperparameters: Only those count that the schedule and the optimizer look at.
        data_key: ``PreparedData.key``: the samples of both splits, normalised.
        seed: The study's.
        replicate: Which run of the trial.

    Returns:
        A SHA-256 in hexadecimal digits.
    """
    layers, shared, deciding = _parts(network, training)
    numbers = {name: float(getattr(hyperparameters, name)) for name in deciding}
    _drop_unnamed(numbers)
    text = json.dumps(
        {
            "trainer": _TRAINER,
            "data": data_key,
            "network": layers,
            "training": shared,
            "hyperparameters": numbers,
            "seed": seed,
            "replicate": replicate,
        },
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def _parts(
    network: NetworkSpec, training: TrainingSpec
) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """Return what a run's name says of them, and which hyperparameters play a part.

    Kept, since the runs of a cohort share them: to write them down takes longer than all the rest.
    """
    layers = asdict(network)
    if not network.hidden:
        del layers["activation"]
    # What could be said before there was a choice keeps its name of then.
    if network.n_biased in {0, len(network.hidden) + 1}:
        layers["bias"] = network.n_biased > 0
    if network.initialisation not in SPREAD_INITIALISATIONS:
        del layers["sigma"]
    layers["batch_norm"] = network.n_normalised > 0
    _drop_unnamed(layers)
    shared = asdict(training)
    # Choices that came later are named where they are made: runs of before keep their names.
    deciding = _deciding(asdict(network) | shared)
    _drop_unnamed(shared)
    names = {field.name for field in fields(Hyperparameters)}
    return layers, shared, tuple(sorted(names & deciding))


def _drop_unnamed(values: dict[str, Any]) -> None:
    for name, unnamed in _UNNAMED.items():
        if name in values and values[name] == unnamed:
            del values[name]


def _deciding(chosen: Mapping[str, Any]) -> set[str]:
    """Return the hyperparameters that play a part with what is chosen in network and training."""
    deciding = {
        key.field
        for key in KEYS.values()
        if key.field and (key.needs is None or chosen[key.needs.choice] in key.needs.choices)
    }
    return deciding | {"half_cycle"} if chosen["schedule"] in WHOLE_SCHEDULES else deciding
