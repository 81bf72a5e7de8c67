"""Which study a search's command line is about: one that begins, or one that is there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coarsefine.search.console import note
from coarsefine.search.hints import command as typed
from coarsefine.search.options import JobsOptions, OutputOptions, RecipeOptions, StorageOptions
from coarsefine.studies.errors import StudyError
from coarsefine.studies.spaces.varying import SPACE, varied_text

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.studies.planning.forecast import Forecast
    from coarsefine.studies.planning.request import StageRequest
    from coarsefine.studies.recipes.layers import Asked
    from coarsefine.studies.running.resources import Resources
    from coarsefine.studies.running.search import Search
    from coarsefine.studies.spaces.search import SearchKind

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
    def asked(self) -> "Asked":
        """Return the recipe that is asked for."""
        from coarsefine.studies.recipes.layers import Asked

        return Asked(self.recipe.path, self.recipe.flags())


@dataclass(frozen=True, slots=True)
class SearchLine:
    """What a search's command line asks for.

    Attributes:
        kind: The search.
        asked: The recipe.
        request: What is asked of the stage.
        wanted: Which stage: ``FIRST``, ``FINE``, ``FINER`` or ``AUTO``.
        name: The study's; ``None`` for the usual one.
        options: What all searches have.
    """

    kind: "SearchKind"
    asked: "Asked"
    request: "StageRequest"
    wanted: str
    name: str | None
    options: Options

    @property
    def begins(self) -> bool:
        """Return whether a study begins with it, or carries on with its first stage."""
        return self.wanted in {FIRST, AUTO}

    def search(self, resources: "Resources") -> "Search":
        """Return the search that is begun, or carried on with."""
        from coarsefine.studies.running.search import Search

        if self.begins:
            return Search.begin(resources, self.kind, self.asked, self.request, self.name)
        return Search.carry_on(resources, self.kind, self.asked, self._coarse(resources.database))

    def forecast(self, resources: "Resources") -> "Forecast":
        """Return what it would train, and what that takes; of several stages, of the first."""
        from coarsefine.studies.running.forecasting import foreseen

        if self.begins:
            return foreseen(resources, self.kind, self.asked, self.request, self.name)
        name = self._coarse(resources.database).name
        return foreseen(resources, self.kind, self.asked, self.request, name, self.wanted)

    def variant_name(self, resources: "Resources", variant: str) -> str:
        """Return the name of a search whose values answer another question than the usual ones.

        A study of the usual name that was begun with these very values is carried on with.
        """
        from coarsefine.db import repository
        from coarsefine.studies.planning.stages import Stage, find_stage, first_name, first_stage

        usual, database = self._usual_name(), resources.database
        study = repository.find_study(database, usual) if resources.has_database else None
        if study is not None:
            record = find_stage(database, study, first_name(self.kind))
            wanted = first_stage(self.kind, self.request).dimensions
            if record is not None and Stage.of(record).dimensions == wanted:
                return usual
        return f"{usual}-{variant}"

    def _usual_name(self) -> str:
        from coarsefine.studies.running.studies import study_name

        return study_name(self.kind, self.asked.recipe(self.kind.implied))

    def _coarse(self, database: "Database") -> "StudyRecord":
        """Return the study to be searched finely: the one named, or of that data, or the last one.

        Raises:
            StudyError: If it is not there; names the command to run first.
        """
        from coarsefine.db import repository
        from coarsefine.studies.results.reading import named_study

        kind = self.kind.name
        if self.name is not None:
            if repository.find_study(database, self.name) is None:
                raise StudyError(
                    f"study {self.name} is not in {database.label}; run\n    {self._first()}"
                )
            return named_study(database, self.name)
        if "data.name" not in self.asked.flags and self.asked.path is None:
            study = named_study(database, None, search=kind)
            note(f"the most recent {kind} study: {study.name}", quiet=self.options.output.quiet)
            return study
        name = self._usual_name()
        found = repository.find_study(database, name)
        if found is None:
            raise StudyError(f"{database.label} has no study {name}; run\n    {self._first()}")
        return found

    def _first(self) -> str:
        """Return the command line of the stage that a study begins with, of the same recipe."""
        recipe = self.options.recipe
        space = self.kind.dimensions if self.kind.name == SPACE else ()
        return typed(
            self.kind.name,
            "--coarse",
            *(word for dimension in space for word in ("--vary", varied_text(dimension))),
            *recipe.as_typed(),
            *(() if self.name is None else ("--study", self.name)),
            storage=self.options.storage.storage,
            data_dir=recipe.data.data_dir,
        )
