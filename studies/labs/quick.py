"""What a quick look at a whole lab says of each of its parts."""

from collections.abc import Mapping
from typing import Any

from coarsefine.studies.recipes.parts import flat

# What a part says of its data is what it is about; its length is, where it is shorter still.
_SIZES = ("data.train", "data.validation")
_LENGTHS = (
    *("training.epochs", "training.cycles", "training.updates"),
    *("final.epochs", "final.cycles"),
)


def quick_layer(quick: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a quick look at a whole file says of a part, which keeps its own sizes.

    >>> quick_layer({"data.train": 4500, "training.epochs": 5}, {"data.train": 100})
    {'training.epochs': 5}
    >>> quick_layer({"training": {"epochs": 5}}, {"training.epochs": 2})
    {}
    """
    said, part = flat(quick), flat(own)
    lengths = [key for key in _LENGTHS if key in part and not _shorter(said.get(key), part[key])]
    kept = {key for key in _SIZES if key in part} | set(lengths)
    return {key: value for key, value in said.items() if key not in kept}


def _shorter(quick: Any, own: Any) -> bool:
    return isinstance(quick, int | float) and isinstance(own, int | float) and quick < own
