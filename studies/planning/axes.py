"""Dimensions as Optuna's samplers see them: every scale as one that they have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coarsefine.studies.spaces.dimensions import Dimension, Value
from coarsefine.studies.spaces.seen import same_value

if TYPE_CHECKING:
    from coarsefine.db.optuna.trials import Choices, Range


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension, and where it lies for a sampler.

    Attributes:
        where: A range on Optuna's logarithmic or linear scale (of logarithms of odds, where the
            scale is logit), or numbers of choices.
    """

    dimension: Dimension
    where: "Range | Choices"

    @classmethod
    def of(cls, dimension: Dimension) -> "Axis":
        """Return the axis of a dimension with a range or several values."""
        from coarsefine.db.optuna.trials import Choices, Range

        searched = dimension.range
        if searched is None:
            return cls(dimension, Choices(tuple(range(len(dimension.values or ())))))
        if dimension.scale == "logit":
            low, high = (math.log10(searched.placed(e)) for e in (searched.low, searched.high))
            return cls(dimension, Range(low, high))
        low, high = searched.low, searched.high
        if not dimension.parameter.continuous:
            least = 0 if dimension.parameter.zero_allowed else 1
            low, high = max(least, round(low)), max(least, round(high))
        return cls(dimension, Range(low, high, log=dimension.scale == "log"))

    @property
    def is_rounded(self) -> bool:
        """Return whether what a sampler proposes is rounded, and may be the same then."""
        return self.dimension.integer or self.dimension.step is not None

    def place(self, params: Mapping[str, Any]) -> Any:
        """Return where a trial lies on the axis; ``None`` for nowhere."""
        value: Any = params[self.dimension.name]
        if value is None:
            return None  # the trial has no use for it
        if self.dimension.range is None:
            values = self.dimension.values or ()
            return next((i for i, known in enumerate(values) if same_value(known, value)), 0)
        if self.dimension.scale == "logit":
            return math.log10(self.dimension.range.placed(value)) if 0 < value < 1 else -math.inf
        return value

    def value(self, point: Mapping[str, Any]) -> Value:
        """Return the value at a place that was proposed."""
        place = point[self.dimension.name]
        if self.dimension.values is not None:
            chosen: Value = self.dimension.values[place]
            return chosen
        searched = self.dimension.range
        if self.dimension.scale == "logit" and searched is not None:
            place = min(max(searched.native(10**place), searched.low), searched.high)
        value: Value = self.dimension.rounded(place) if self.dimension.rounds else place
        return value
