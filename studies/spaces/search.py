"""What a search is: which parts of a recipe it varies, and where it starts looking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coarsefine.studies.spaces.dimensions import Dimension, Parameter


@dataclass(frozen=True)
class SearchKind:
    """A question that can be asked of any recipe.

    Attributes:
        name: Its command, and the last part of its studies' names.
        dimensions: What it varies, and where it looks unless told otherwise.
        n_coarse: How many trials it makes unless told otherwise.
        n_fine: The same of the searches that narrow it.
        refines: Whether it has stages, coarse to fine; else it is one grid of values.
        implied: What its recipe says where no one says otherwise, by key.
        replicates: Training runs a trial unless told otherwise.
        draws: Whether replicates train on other draws of the training set, too.
        alone: Whether trials are trained one after another, to be timed.
        title: What it does, in a few words, for help.
        question: What it asks, in words, for help.
        sampler: How points of ranges are chosen unless told otherwise.
    """

    name: str
    dimensions: tuple[Dimension, ...]
    n_coarse: int = 8
    n_fine: int = 8
    refines: bool = True
    implied: Mapping[str, Any] = field(default_factory=dict)
    replicates: int = 1
    draws: bool = False
    alone: bool = False
    title: str = ""
    question: str = ""
    sampler: str = "grid"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Return what it varies."""
        return tuple(dimension.parameter for dimension in self.dimensions)

    @property
    def summary(self) -> str:
        """Return what it does and asks, in a sentence."""
        what = f"Search over {self.symbol}" if self.refines else self.title
        return f"{what}: {self.question}."

    @property
    def symbol(self) -> str:
        """Return the letters or words of what it varies."""
        return " and ".join(parameter.symbol for parameter in self.parameters)
