"""Which key of a recipe goes with which choice, and the defaults that follow from choices."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from coarsefine.models.data.spec import SPLIT_METHODS
from coarsefine.models.specs import (
    INITIALISATIONS,
    OPTIMIZERS,
    SCHEDULES,
    SPREAD_INITIALISATIONS,
)
from coarsefine.studies.recipes.messages import ContradictionError, exact, literal

Stated = dict[str, Any]


class Part(NamedTuple):
    """A key that only plays a part with some choices of another key of its section.

    Attributes:
        inferred_from: Choices that stating the key replaces with the first of ``choices``.
    """

    choice: str
    choices: tuple[str, ...]
    inferred_from: tuple[str, ...] = ()


PARTS: dict[str, dict[str, Part]] = {
    "data": {
        "validation": Part("split", ("random", "ordered")),
        "stratified": Part("split", ("random",)),
    },
    "network": {
        "sigma": Part(
            "initialisation", SPREAD_INITIALISATIONS, ("he", "xavier", "glorot-uniform", "zero")
        )
    },
    "training": {
        "momentum": Part("optimizer", ("momentum", "nesterov"), ("sgd",)),
        "eta": Part("schedule", ("constant", "step"), ("cyclical", "geometric")),
        "eta_min": Part("schedule", ("cyclical", "geometric"), ("constant", "step")),
        "eta_max": Part("schedule", ("cyclical", "geometric"), ("constant", "step")),
        "ns": Part("schedule", ("cyclical",), ("constant", "step", "geometric")),
        "cycles": Part("schedule", ("cyclical",), ("constant", "step", "geometric")),
        "step_factor": Part("schedule", ("step",), ("constant", "cyclical", "geometric")),
        "step_every": Part("schedule", ("step",), ("constant", "cyclical", "geometric")),
    },
    "final": {
        key: Part("refit", ("train+validation",)) for key in ("validation", "epochs", "cycles")
    },
}
_EXISTING: dict[str, tuple[str, ...]] = {
    "split": SPLIT_METHODS,
    "initialisation": INITIALISATIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "refit": ("train+validation", "none"),
}
CHOICES: Stated = {
    "split": "random",
    "initialisation": "he",
    "optimizer": "sgd",
    "schedule": "cyclical",
    "refit": "train+validation",
}


def filled(stated: Any, section: str) -> Any:
    """Return what is stated and the defaults that depend on it; refuse what goes not together."""
    if not isinstance(stated, Mapping):
        return stated
    given = {key: exact(value) for key, value in stated.items() if value is not None}
    for key, part in PARTS[section].items():
        choice = given.get(part.choice, CHOICES[part.choice])
        # A choice that does not exist is an error of its own, and the one to show.
        exists = choice in _EXISTING[part.choice]
        if key in given and exists and choice not in part.choices:
            raise ContradictionError(
                "{} needs {} " + " or ".join(part.choices) + f", got {choice}",
                f"{section}.{key}",
                f"{section}.{part.choice}",
            )
    if "epochs" in given and "cycles" in given:
        raise ContradictionError(
            "the length is either {} or {}, got "
            f"{literal(given['epochs'])} and {literal(given['cycles'])}",
            f"{section}.epochs",
            f"{section}.cycles",
        )
    return _defaults(given, section) | given


def _defaults(given: Stated, section: str) -> Stated:
    if section == "data":
        split = given.get("split", CHOICES["split"])
        values: Stated = {} if split == "canonical" else {"validation": 0.1}
        return values | ({"stratified": True} if split == "random" else {})
    if section == "network":
        sigma = {"normal": 0.01, "uniform": 1.0}.get(str(given.get("initialisation")))
        return {} if sigma is None else {"sigma": sigma}
    if section == "final":
        return {"validation": 0.02} if given.get("refit") != "none" else {}
    optimizer = given.get("optimizer", CHOICES["optimizer"])
    schedule = given.get("schedule", CHOICES["schedule"])
    # η has to go down when momentum comes in (NTNU's lab: from 0.1 to 0.02); 0.001 is Adam's own.
    eta = {"momentum": 0.02, "nesterov": 0.02, "adam": 0.001}.get(str(optimizer), 0.1)
    values = {"momentum": 0.9} if str(optimizer) in {"momentum", "nesterov"} else {}
    values |= {"stop_rule": "best"} if "patience" in given else {}
    if schedule == "cyclical":
        length = {} if "epochs" in given else {"cycles": 2}
        return values | {"eta_min": 1e-5, "eta_max": eta} | length
    if schedule == "geometric":
        return values | {"eta_min": 1e-5, "eta_max": eta, "epochs": 10}
    steps = {"step_factor": 0.1, "step_every": 5} if schedule == "step" else {}
    return values | {"eta": eta, "epochs": 10} | steps


def flat(stated: Mapping[str, Any]) -> Stated:
    """Return ``{"seed": …, "data.name": …}`` of ``{"seed": …, "data": {"name": …}}``."""
    values: Stated = {}
    for key, value in stated.items():
        if isinstance(value, Mapping):
            values |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            values[key] = value
    return values


def nested(flags: Mapping[str, Any]) -> Stated:
    """Return sections of keys with dots in them; leaves out what is ``None``."""
    stated: Stated = {}
    for key, value in flags.items():
        if value is None:
            continue
        section, dot, name = key.partition(".")
        if dot:
            stated.setdefault(section, {})[name] = value
        else:
            stated[key] = value
    return stated


def without_none(stated: Stated) -> Stated:
    """Return sections of keys without those that are ``None``."""
    return {
        key: without_none(value) if isinstance(value, dict) else value
        for key, value in stated.items()
        if value is not None
    }
