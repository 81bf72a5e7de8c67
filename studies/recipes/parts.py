"""Which key of a recipe goes with which choice, and the defaults that follow from choices."""

from collections.abc import Mapping
from typing import Any

from coarsefine.models.specs import OPTIMIZER_FACTS, WHOLE_SCHEDULES
from coarsefine.studies.recipes.keys import KEYS, Needs
from coarsefine.studies.recipes.keys.kinds import exact
from coarsefine.studies.recipes.messages import ContradictionError, literal

Stated = dict[str, Any]


# The keys that play a part with some choices of another key alone, by section.
PARTS: dict[str, dict[str, Needs]] = {"data": {}, "network": {}, "training": {}, "final": {}}
for _key in KEYS.values():
    if _key.needs is not None:
        PARTS[_key.section][_key.name] = _key.needs

LENGTHS = ("epochs", "cycles", "updates")
"""How long a training is, said in one of these."""

CHOICES: Stated = {
    needs.choice: KEYS[f"{section}.{needs.choice}"].default
    for section, parts in PARTS.items()
    for needs in parts.values()
}
"""What is chosen where nothing is stated."""


def filled(stated: Any, section: str) -> Any:
    """Return what is stated and the defaults that depend on it; refuse what goes not together."""
    if not isinstance(stated, Mapping):
        return stated
    given = {
        key: exact(value)
        for key, value in stated.items()
        if value is not None and not _says_nothing(f"{section}.{key}", value)
    }
    for key, part in PARTS[section].items():
        choice = given.get(part.choice, CHOICES[part.choice])
        # A choice that does not exist is an error of its own, and the one to show.
        exists = choice in KEYS[f"{section}.{part.choice}"].choices
        if key in given and exists and choice not in part.choices:
            raise ContradictionError(
                "{} needs {} " + " or ".join(part.choices) + f", got {choice}",
                f"{section}.{key}",
                f"{section}.{part.choice}",
            )
    lengths = [key for key in LENGTHS if key in given]
    if len(lengths) > 1:
        one, other = lengths[:2]
        raise ContradictionError(
            f"the length is either {{}} or {{}}, got {literal(given[one])} and "
            f"{literal(given[other])}",
            f"{section}.{one}",
            f"{section}.{other}",
        )
    return _defaults(given, section) | given


def _says_nothing(name: str, value: Any) -> bool:
    key = KEYS.get(name)
    return key is not None and key.stored_if_used and value == key.unnamed


def _defaults(given: Stated, section: str) -> Stated:
    if section == "data":
        split = given.get("split", CHOICES["split"])
        values: Stated = {"stratified": True} if split in ("random", "folds") else {}
        sizes = {"canonical": {}, "folds": {"folds": 5}}
        return values | sizes.get(str(split), {"validation": 0.1})
    if section == "network":
        sigma = {"normal": 0.01, "uniform": 1.0}.get(str(given.get("initialisation")))
        return {} if sigma is None else {"sigma": sigma}
    if section == "final":
        return {"validation": 0.02} if given.get("refit") != "none" else {}
    optimizer = given.get("optimizer", CHOICES["optimizer"])
    schedule = given.get("schedule", CHOICES["schedule"])
    stated = any(key in given for key in LENGTHS)
    facts = next(
        (known for name, known in OPTIMIZER_FACTS.items() if name == optimizer),
        OPTIMIZER_FACTS["sgd"],
    )
    eta = facts.usual_eta
    values = {"momentum": 0.9} if facts.uses_momentum else {}
    values |= {"decoupled_decay": 0.01} if optimizer == "adamw" else {}
    values |= {"stop_rule": "best"} if "patience" in given else {}
    if schedule == "cyclical":
        length = {} if stated else {"cycles": 2}
        return values | {"eta_min": 1e-5, "eta_max": eta} | length
    length = {} if stated else {"epochs": 10}
    if schedule in WHOLE_SCHEDULES:
        return values | {"eta_min": 1e-5, "eta_max": eta} | length
    decay = ("exponential", "inverse-time")  # what is stated may be anything, also a list
    steps: Stated = {"eta_decay": 0.05} if schedule in decay else {}
    steps |= {"step_factor": 0.1, "step_every": 5} if schedule == "step" else {}
    return values | {"eta": eta} | length | steps


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
