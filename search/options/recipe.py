"""The options that make up a recipe."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from coarsefine.search.hints import option_words
from coarsefine.search.options.data import DataOptions
from coarsefine.search.options.declaring import RECIPE, option
from coarsefine.search.options.final import FinalOptions
from coarsefine.search.options.keys import KeyOptions, key_option, with_keys
from coarsefine.search.options.network import NetworkOptions
from coarsefine.search.options.training import TrainingOptions


@with_keys("", before={"seed": "recipe"})
class RecipeFile(KeyOptions):
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
    seed: Annotated[int | None, key_option("seed")] = None


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
        flags: dict[str, Any] = {}
        for section in (self.file, self.data, self.network, self.training, self.final):
            flags |= section.flags()
        return {key: value for key, value in flags.items() if value is not None}

    def as_typed(self, without: Collection[str] = ()) -> list[str]:
        """Return the options again, as words of a command line.

        Args:
            without: Keys that the command line states otherwise.
        """
        words = [] if self.path is None else ["--recipe", str(self.path)]
        # A file of samples as it was named, not as it was found.
        named = {} if self.data.data is None else {"data.name": self.data.data}
        for key, value in {**self.flags(), **named}.items():
            if key not in without:
                words += option_words(key, value)
        return words
