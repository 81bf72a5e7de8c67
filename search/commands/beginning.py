"""Which study a search's command line is about: one that begins, or one that is there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coarsefine.search.console import note
from coarsefine.search.hints import command as typed
from coarsefine.search.options import JobsOptions, OutputOptions, RecipeOptions, StorageOptions

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
BEGIN: Final = frozenset({FIRST, AUTO})


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


def found_search(
    resources: "Resources",
    kind: "SearchKind",
    asked: "Asked",
    request: "StageRequest",
    wanted: str,
    name: str | None,
    options: Options,
) -> "Search":
    """Return the search that is begun, or carried on with."""
    from coarsefine.studies.running.search import Search

    if wanted in BEGIN:
        return Search.begin(resources, kind, asked, request, name)
    study = coarse_study(resources.database, kind, asked, name, options)
    return Search.carry_on(resources, kind, asked, study)


def foreseen_search(
    resources: "Resources",
    kind: "SearchKind",
    asked: "Asked",
    request: "StageRequest",
    wanted: str,
    name: str | None,
    options: Options,
) -> "Forecast":
    """Return what a search would train, and what that takes; of several stages, of the first."""
    from coarsefine.studies.running.forecasting import foreseen

    if wanted in BEGIN:
        return foreseen(resources, kind, asked, request, name)
    name = coarse_study(resources.database, kind, asked, name, options).name
    return foreseen(resources, kind, asked, request, name, wanted)


def variant_name(
    resources: "Resources",
    kind: "SearchKind",
    asked: "Asked",
    request: "StageRequest",
    variant: str,
) -> str:
    """Return the name of a search whose values answer another question than the usual ones.

    A study of the usual name that was begun with these very values is carried on with.
    """
    from coarsefine.db import repository
    from coarsefine.studies.planning.stages import Stage, find_stage, first_name, first_stage
    from coarsefine.studies.running.studies import study_name

    usual = study_name(kind, asked.recipe(kind.implied))
    study = repository.find_study(resources.database, usual) if resources.has_database else None
    if study is not None:
        record = find_stage(resources.database, study, first_name(kind))
        wanted = first_stage(kind, request).dimensions
        if record is not None and Stage.of(record).dimensions == wanted:
            return usual
    return f"{usual}-{variant}"


def coarse_study(
    database: "Database", kind: "SearchKind", asked: "Asked", name: str | None, options: Options
) -> "StudyRecord":
    """Return the study to be searched finely: the one named, or of that data, or the last one.

    Raises:
        StudyError: If it is not there; names the command to run first.
    """
    from coarsefine.db import repository
    from coarsefine.studies.errors import StudyError
    from coarsefine.studies.results.reading import named_study
    from coarsefine.studies.running.studies import study_name

    if name is not None:
        if repository.find_study(database, name) is None:
            raise StudyError(
                f"study {name} is not in {database.label}; run\n    "
                + typed(kind.name, "--coarse", "--study", name, storage=options.storage.storage)
            )
        return named_study(database, name)
    recipe = options.recipe
    if "data.name" not in asked.flags and asked.path is None:
        study = named_study(database, None, search=kind.name)
        note(f"the most recent {kind.name} study: {study.name}", quiet=options.output.quiet)
        return study
    name = study_name(kind, asked.recipe(kind.implied))
    found = repository.find_study(database, name)
    if found is None:
        data = recipe.data.data or ""
        coarse = typed(
            kind.name,
            "--coarse",
            *(("--data", data) if data else ()),
            *(("--recipe", str(recipe.path)) if recipe.path else ()),
            storage=options.storage.storage,
            data_dir=recipe.data.data_dir,
        )
        raise StudyError(f"{database.label} has no study {name}; run\n    {coarse}")
    return found
