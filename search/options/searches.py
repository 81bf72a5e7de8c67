"""Options that all searches have, and the stages that their commands are about."""

from dataclasses import dataclass

from coarsefine.search.options import JobsOptions, OutputOptions, RecipeOptions, StorageOptions
from coarsefine.studies.recipes.layers import Asked

# Which stages a command is about.
FIRST, FINE, FINER, AUTO = "coarse", "fine", "finer", "auto"


@dataclass(frozen=True, slots=True)
class Options:
    """The options that all searches have."""

    recipe: RecipeOptions
    storage: StorageOptions
    jobs: JobsOptions
    output: OutputOptions

    @property
    def asked(self) -> Asked:
        """Return the recipe that is asked for."""
        return Asked(self.recipe.path, self.recipe.flags())
