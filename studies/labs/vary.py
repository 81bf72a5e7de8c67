"""What a lab file says of each key that a search varies."""

from dataclasses import replace
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

from coarsefine.studies.errors import SpaceError
from coarsefine.studies.recipes.messages import ContradictionError
from coarsefine.studies.spaces.conditions import when_of
from coarsefine.studies.spaces.dimensions import VARIANT, Dimension, parameter
from coarsefine.studies.spaces.scales import Scale
from coarsefine.studies.spaces.varying import ranged

# Of all tables of lab files: no key but those that are known.
STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Vary(BaseModel):
    """What is tried of one key of the recipe: a range on some scale, or values.

    Attributes:
        when: The values of other keys that are varied at which it is used.
    """

    model_config = STRICT

    low: float | None = None
    high: float | None = None
    values: list[Any] | None = None
    scale: Scale | None = None
    integer: bool = False
    step: float | None = None
    when: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        ranged = self.low is not None and self.high is not None
        if ranged == (self.values is not None) or (self.low is None) != (self.high is None):
            raise ContradictionError("what is varied has either low and high, or values")
        if self.values is not None and (self.scale or self.integer or self.step is not None):
            raise ContradictionError("scale, integer and step are of ranges, not of values")
        return self


def dimension_of(name: str, vary: Vary) -> Dimension:
    """Return what is tried of a key.

    Raises:
        SpaceError: If it cannot be searched so.
    """
    known = parameter(name)
    if known.name == VARIANT:
        raise SpaceError("variants are named in search.variants")
    when = when_of(vary.when)
    if vary.values is not None:
        values = tuple(known.checked(value) for value in vary.values)
        return Dimension(known, values=values, when=when)
    assert vary.low is not None and vary.high is not None  # noqa: PT018, S101  # checked there
    found = ranged(
        name, vary.low, vary.high, scale=vary.scale, integer=vary.integer, step=vary.step
    )
    return replace(found, when=when)
