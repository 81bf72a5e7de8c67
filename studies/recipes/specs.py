"""From a recipe to what the models are asked for, and the name of one training run."""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.specs import (
    SPREAD_INITIALISATIONS,
    Hyperparameters,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import Recipe

# What users call a searched number, and what the trainer does.
SEARCHABLE = {
    "lambda": "l2_strength",
    "eta": "learning_rate",
    "eta_min": "eta_min",
    "eta_max": "eta_max",
    "momentum": "momentum",
}

# Counts up when the same specs and data come to train differently, so that what an older
# program trained is not taken for what this one would have.
_TRAINER = 1

_LATER: dict[str, Any] = {
    "running": False,
    "evaluations": 1,
    "stop_rule": "best",
    "diverged_at": None,
}

_OF_SCHEDULE = {
    "constant": {"learning_rate"},
    "step": {"learning_rate", "step_factor", "step_every"},
    "cyclical": {"eta_min", "eta_max", "half_cycle"},
    "geometric": {"eta_min", "eta_max", "half_cycle"},
}


def to_data_spec(recipe: Recipe) -> DataSpec:
    """Return which samples the recipe asks for; its seed is the split's."""
    data = recipe.data
    split = SplitSpec(
        method=data.split,
        train=data.train,
        stratified=bool(data.stratified),
        seed=recipe.seed,
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
    )


def to_specs(
    recipe: Recipe, n_features: int, n_classes: int, n_train: int
) -> tuple[NetworkSpec, TrainingSpec, Hyperparameters]:
    """Return the recipe as the trainer wants it, on a training set of that shape.

    Raises:
        RecipeError: If a batch is larger than the training set.
    """
    network, training, steps = recipe.network, recipe.training, resolve(recipe, n_train)
    numbers: dict[str, Any] = {
        "l2_strength": training.l2_strength,
        "learning_rate": training.eta,
        "eta_min": training.eta_min,
        "eta_max": training.eta_max,
        # η has risen when the training ends: what cycles would be has no part in it.
        "half_cycle": max(1, steps.n_updates - 1)
        if training.schedule == "geometric"
        else steps.half_cycle,
        "step_factor": training.step_factor,
        "step_every": steps.step_every,
        "momentum": training.momentum,
    }
    return (
        NetworkSpec(
            n_features=n_features,
            hidden=network.hidden,
            n_classes=n_classes,
            activation=network.activation,
            initialisation=network.initialisation,
            loss=training.loss,
            bias=network.bias,
            **({} if network.sigma is None else {"sigma": network.sigma}),
        ),
        TrainingSpec(
            batch_size=steps.batch_size,
            n_updates=steps.n_updates,
            optimizer=training.optimizer,
            schedule=training.schedule,
            shuffle=training.shuffle,
            drop_last=training.drop_last,
            evaluations=training.evaluations,
            patience=training.patience,
            stop_rule=training.stop_rule or "best",
            diverged_at=training.diverged_at,
            score=training.score,
            running=training.running,
            precision=training.precision,
        ),
        Hyperparameters(**{name: value for name, value in numbers.items() if value is not None}),
    )


def searched_field(recipe: Recipe, parameter: str) -> str:
    """Return the hyperparameter that a search over ``parameter`` varies.

    Raises:
        RecipeError: If it plays no part in this recipe, so that all its values would train the
            same network.
    """
    field = SEARCHABLE[parameter]
    if field in _deciding(recipe.training.optimizer, recipe.training.schedule):
        return field
    if parameter == "momentum":
        rule = f"--optimizer momentum or nesterov, got {recipe.training.optimizer}"
    else:
        fitting = [name for name, fields in _OF_SCHEDULE.items() if field in fields]
        rule = f"--schedule {' or '.join(fitting)}, got {recipe.training.schedule}"
    raise RecipeError(f"a search over {parameter} needs {rule}")


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
    layers = asdict(network)
    if not network.hidden:
        del layers["activation"]
    # What could be said before there was a choice keeps its name of then.
    if network.n_biased in {0, len(network.hidden) + 1}:
        layers["bias"] = network.n_biased > 0
    if network.initialisation not in SPREAD_INITIALISATIONS:
        del layers["sigma"]
    shared = asdict(training)
    # Choices that came later are named where they are made: runs of before keep their names.
    for key, unless in _LATER.items():
        if shared[key] == unless:
            del shared[key]
    deciding = _deciding(training.optimizer, training.schedule)
    numbers = {k: float(v) for k, v in asdict(hyperparameters).items() if k in deciding}
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


def _deciding(optimizer: str, schedule: str) -> set[str]:
    momentum = {"momentum"} if optimizer in {"momentum", "nesterov"} else set()
    return {"l2_strength"} | _OF_SCHEDULE[schedule] | momentum
