"""The options that make up a recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from coarsefine.search.options.data import DataOptions
from coarsefine.search.options.declaring import RECIPE, option, whole_option
from coarsefine.search.options.final import FinalOptions
from coarsefine.search.options.network import NetworkOptions
from coarsefine.search.options.training import TrainingOptions


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe file, and the seed."""

    recipe: Annotated[
        Path | None,
        option(
            RECIPE,
            "--recipe",
            metavar="FILE",
            help="TOML file that says what the options below say; these overrule it "
            "(default: none).",
        ),
    ] = None
    seed: Annotated[
        int | None,
        whole_option(
            RECIPE,
            "--seed",
            "Decides the split, the first weights and the order of batches, >= 0 (default: 0).",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class RecipeOptions:
    """A whole recipe."""

    file: RecipeFile
    data: DataOptions
    network: NetworkOptions
    training: TrainingOptions
    final: FinalOptions

    @property
    def path(self) -> Path | None:
        """Return the recipe file."""
        return self.file.recipe

    def flags(self) -> dict[str, Any]:
        """Return all that flags state, by the recipe's keys."""
        sections = (self.data, self.network, self.training, self.final)
        flags: dict[str, Any] = {"seed": self.file.seed}
        for section in sections:
            flags |= section.flags()
        return {key: value for key, value in flags.items() if value is not None}
