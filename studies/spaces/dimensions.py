"""What a search may vary: any key of a recipe's data, network and training sections.

A parameter is such a key; a dimension is a parameter with the range or the values that a stage
tries. Named variants are a parameter, too: each stands for several keys at once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from coarsefine.studies.errors import SpaceError, did_you_mean
from coarsefine.studies.recipes.keys import KEYS, kinds
from coarsefine.studies.recipes.keys.bounds import Bounds, bounds_of
from coarsefine.studies.recipes.keys.kinds import Choice, Kind, Real, Whole
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.scales import Scale, ScaledRange, range_of
from coarsefine.studies.spaces.seen import first_twice, stored_value

Value = kinds.Value

VARIANT = "variant"

SEVERAL = 3
"""So many ranges are too many for a grid, whose points anyone waits for: two values of each."""
# What is stored of a dimension that is not any number of a range on a log scale, always used.
SCALED: Final = ("scale", "integer", "step", "when")
# Units of a network's only hidden layer.
WIDTH = "width"
# What the names of parameters begin with that only a custom trainer knows.
OWN = "params."


@dataclass(frozen=True, slots=True)
class Parameter:
    """A key of the recipe that a search can vary.

    Attributes:
        name: What it is called in trials and tables: the key without its section.
        key: The recipe's key, as in ``training.lambda``; ``variant`` for named variants.
        kind: What its values are.
        symbol: Its letter, or its name in words.
    """

    name: str
    key: str
    kind: Kind
    symbol: str

    @property
    def numeric(self) -> bool:
        """Return whether its values have an order."""
        return self.kind.numeric

    @property
    def continuous(self) -> bool:
        """Return whether any number of a range is a value."""
        return self.kind.continuous

    @property
    def zero_allowed(self) -> bool:
        """Return whether 0 is one of its values."""
        return self.kind.zero_allowed

    def bounds(self, sizes: Mapping[str, int]) -> Bounds:
        """Return the natural limits of its values.

        Args:
            sizes: The greatest value of parameters that data limit, by name.
        """
        return bounds_of(self.kind).capped(sizes.get(self.name))

    def parse(self, text: str) -> Value:
        """Return the value that stands in a list of values to try.

        Raises:
            SpaceError: If it is none.

        >>> parameter("hidden").parse("59-59"), parameter("batch_size").parse("100")
        ((59, 59), 100)
        """
        return self.kind.parse(text.strip(), self.name)

    def checked(self, value: Any) -> Value:
        """Return a value as trials have it.

        Raises:
            SpaceError: If it cannot be one; what else the recipe asks of it is for the recipe.
        """
        return self.kind.checked(value, self.name)


def _searched(section: str) -> dict[str, Parameter]:
    return {
        key.name: Parameter(key.name, key.key, key.kind, key.symbol or key.name.replace("_", " "))
        for key in KEYS.values()
        if key.section == section and not key.not_searched
    }


PARAMETERS: Final[dict[str, Parameter]] = {
    **_searched("training"),
    **_searched("network"),
    **_searched("data"),
    VARIANT: Parameter(VARIANT, VARIANT, Choice(), VARIANT),
}


def parameter(name: str) -> Parameter:
    """Return a parameter by its name or its key.

    Raises:
        SpaceError: If there is none; guesses what was meant.
    """
    if name.startswith(OWN):
        return Parameter(name, name, Real(least=0), name.removeprefix(OWN).replace("_", " "))
    plain = name.replace("-", "_")
    if plain == WIDTH:
        return Parameter(WIDTH, "network.hidden", Whole(), WIDTH)
    found = PARAMETERS.get(plain) or next((p for p in PARAMETERS.values() if p.key == plain), None)
    if found is None:
        for key in KEYS.values():
            if plain in {key.name, key.key} and key.not_searched:
                raise SpaceError(f"no search varies {key.name}: {key.not_searched}")
        names = [*PARAMETERS, *(p.key for p in PARAMETERS.values())]
        raise SpaceError(f"{name!r} is not a key that can be searched{did_you_mean(name, names)}")
    return found


@dataclass(frozen=True)
class Dimension:
    """A parameter and what a stage tries of it: a range, or values given one by one.

    Attributes:
        variants: What each named variant states, by key; ``None`` but for variants.
        integer: Whether values of the range are whole numbers, though the parameter has others.
        step: Between values of the range, from its lower end; ``None`` for any.
        when: Other parameters, each with the values at which this one is used; empty for always.
    """

    parameter: Parameter
    range: LogRange | None = None
    values: tuple[Value, ...] | None = None
    variants: Mapping[str, Mapping[str, Any]] | None = None
    integer: bool = False
    step: float | None = None
    when: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    def __post_init__(self) -> None:
        if self.step is not None and not self.step > 0:
            raise SpaceError(f"the step of {self.name} must be > 0, got {self.step:g}")
        if (self.range is None) == (self.values is None):
            raise SpaceError(f"{self.name} needs either a range or values")
        if self.range is not None and not self.parameter.numeric:
            raise SpaceError(f"{self.name} has no range, only values: name them")
        if self.values is not None and not self.values:
            raise SpaceError(f"{self.name} needs at least one value, got none")
        twice = first_twice(self.values or ())
        if twice is not None:
            raise SpaceError(f"values must differ, got {shown(twice)} twice for {self.name}")

    @property
    def name(self) -> str:
        """Return the parameter's name."""
        return self.parameter.name

    @property
    def scale(self) -> Scale:
        """Return the scale that its range is seen on."""
        return self.range.scale if isinstance(self.range, ScaledRange) else "log"

    @property
    def whole(self) -> bool:
        """Return whether all of its numbers are whole."""
        return self.integer or not self.parameter.continuous

    @property
    def rounds(self) -> bool:
        """Return whether not every number of its range is a value."""
        return self.whole or self.step is not None

    def rounded(self, value: float) -> Value:
        """Return a number of the range as the parameter has it."""
        if self.step is not None and self.range is not None:
            most = math.floor((self.range.high - self.range.low) / self.step + 1e-9)
            steps = min(max(round((value - self.range.low) / self.step), 0), most)
            value = float(f"{self.range.low + steps * self.step:.12g}")
        if not self.whole:
            return value
        least = 0 if self.parameter.continuous or self.parameter.zero_allowed else 1
        return max(least, round(value))

    def grid(self, n: int) -> tuple[Value, ...]:
        """Return the values given, or ``n`` values evenly spread over the range, each once."""
        if self.values is not None:
            return self.values
        assert self.range is not None  # noqa: S101  # one of both
        return tuple(dict.fromkeys(self.rounded(value) for value in self.range.grid(n)))

    def statement(self, value: Value) -> dict[str, Any]:
        """Return what the recipe is to say for a value, by key."""
        if self.variants is not None:
            return dict(self.variants[str(value)])
        if self.name == WIDTH:
            return {self.parameter.key: (value,)}
        return {self.parameter.key: value}

    def with_range(self, searched: LogRange) -> "Dimension":
        """Return the same parameter over another range, on the same scale."""
        if self.scale != "log" and not isinstance(searched, ScaledRange):
            searched = range_of(searched.low, searched.high, self.scale)
        return replace(self, range=searched, values=None)


def sizes_of(n_train: int | None, available: int | None) -> dict[str, int]:
    """Return the greatest values that data leave to parameters, by name.

    Args:
        n_train: Size of the recipe's training set; ``None`` if it is not known.
        available: How many there are to train on; ``None`` if that is not known.
    """
    if n_train is None:
        return {}
    return {"batch_size": n_train} | ({} if available is None else {"train": available})


def shown(value: Any) -> str:
    """Return a value in words: hidden layers as ``59-59``.

    >>> shown((59, 59)), shown(()), shown(0.001), shown(50_000.0), shown(True)
    ('59-59', 'none', '0.001', '50000', 'true')
    """
    if value is None:
        return "–"  # not used in this trial
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        # Counts that came as floats stay counts: 50000, not 5e+04.
        whole = value.is_integer() and 1 <= abs(value) < 1e7
        return str(int(value)) if whole else f"{value:.4g}"
    return str(value)


def described(params: Mapping[str, Any]) -> str:
    """Return a trial's parameters in words."""
    return ", ".join(
        f"{name} {shown(value)}" for name, value in params.items() if value is not None
    )


def check_one_loss(by: str | None, dimensions: Sequence[Dimension]) -> None:
    """Refuse to compare trials by the loss where each may have been trained with another one.

    Raises:
        SpaceError: If that is asked for.
    """
    key = "training.loss"
    stated = (d.variants.values() if d.variants else [{d.parameter.key: None}] for d in dimensions)
    if by == "loss" and any(key in keys for each in stated for keys in each):
        raise SpaceError("trials with different losses cannot be compared by the loss")


def to_json(dimensions: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Return the dimensions as they are stored with a stage."""
    return [
        {
            "name": d.name,
            "low": None if d.range is None else d.range.low,
            "high": None if d.range is None else d.range.high,
            "values": None if d.values is None else [stored_value(value) for value in d.values],
            "variants": None if d.variants is None else {k: dict(v) for k, v in d.variants.items()},
            # Ranges of numbers on a log scale are stored as before there were others.
            **({} if d.scale == "log" else {"scale": d.scale}),
            **({"integer": True} if d.integer else {}),
            **({} if d.step is None else {"step": d.step}),
            **({"when": {k: [stored_value(v) for v in vs] for k, vs in d.when}} if d.when else {}),
        }
        for d in dimensions
    ]


def from_json(stored: Sequence[Mapping[str, Any]]) -> tuple[Dimension, ...]:
    """Return the dimensions that ``to_json`` wrote."""
    return tuple(
        Dimension(
            parameter(each["name"]),
            None if each["low"] is None else stored_range(each),
            None
            if each["values"] is None
            else tuple(tuple(v) if isinstance(v, list) else v for v in each["values"]),
            each["variants"],
            bool(each.get("integer", False)),
            each.get("step"),
            tuple(
                (name, tuple(tuple(v) if isinstance(v, list) else v for v in values))
                for name, values in (each.get("when") or {}).items()
            ),
        )
        for each in stored
    )


def stored_range(stored: Mapping[str, Any], ends: tuple[float, float] | None = None) -> LogRange:
    """Return the range of a stored dimension, or one between other ends on its scale."""
    low, high = ends or (stored["low"], stored["high"])
    return range_of(low, high, stored.get("scale", "log"))


def symbol_of(name: str) -> str:
    """Return a parameter's letter, or its name in words."""
    return PARAMETERS[name].symbol if name in PARAMETERS else name


def to_params(point: Mapping[str, Value]) -> dict[str, Any]:
    """Return a point as a trial's parameters are stored."""
    return {name: stored_value(value) for name, value in point.items()}


def from_params(params: Mapping[str, Any]) -> dict[str, Value]:
    """Return the point of stored parameters."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in params.items()}
