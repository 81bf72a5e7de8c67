"""What submitted recipes may name on the machine of a service."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coarsefine.hints import option
from coarsefine.studies.errors import StudyError
from coarsefine.studies.labs.data_files import names_file, server_file
from coarsefine.studies.labs.files import Lab, Part
from coarsefine.studies.labs.queue import named_data, trainers
from coarsefine.studies.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Rules:
    """What submitted recipes may name on this machine.

    Attributes:
        folders: Where their files of data may lie.
        allow_plugins: Whether they may name trainers: code that is then run.
    """

    folders: tuple[Path, ...]
    allow_plugins: bool = False

    def applied(self, recipe: Recipe, named: Sequence[str], data_dir: Path | None) -> Recipe:
        """Return a recipe with the path that its file of data has here.

        Args:
            recipe: Somebody else's.
            named: The trainers that it can come to name.
            data_dir: The folder of data files.

        Raises:
            StudyError: If it names a trainer that it may not.
            DataError: If it names a file that it may not.
        """
        if named and not self.allow_plugins:
            raise StudyError(
                f"trainers of submitted recipes are not run here, got {named[0]}; start the server "
                "with ",
                option("allow_plugins", value=True),
                " if you trust all who can submit",
            )
        if not names_file(recipe.data.name):
            return recipe
        where = server_file(recipe.data.name, self.folders, data_dir)
        return recipe.model_copy(update={"data": recipe.data.model_copy(update={"name": where})})


class ServedLab(Lab):
    """A lab of somebody else's: its recipes name what this machine allows."""

    rules: Rules
    data_dir: Path | None = None

    def recipe(self, part: Part) -> Recipe:
        """Return the recipe of a part.

        Raises:
            StudyError: If it names a trainer that it may not.
            DataError: If it names a file that it may not.
        """
        recipe = super().recipe(part)
        _, *others = named_data(self, part, recipe)
        if any(names_file(other) for other in others):
            raise StudyError("variants of submitted recipes may not name files of data")
        return self.rules.applied(recipe, trainers(self, part, recipe), self.data_dir)
