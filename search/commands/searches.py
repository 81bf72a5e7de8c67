"""``lambda`` and the other searches: one function makes a command of each kind."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from search.console import note, say_json, stdout
from search.errors import UsageError, program
from search.hints import command as typed
from search.options import JobsOptions, OutputOptions, RecipeOptions, StageOptions, StorageOptions

if TYPE_CHECKING:
    from db.engine import Database
    from db.records import StudyRecord
    from models.data import Progress
    from studies.search_kind import SearchKind
    from studies.searching import Outcome
    from studies.stages import StageRequest


def search_command(kind: "SearchKind") -> Callable[..., int | None]:
    """Return the command that searches over ``kind``."""

    def command(
        stage: StageOptions,
        recipe: RecipeOptions,
        storage: StorageOptions,
        jobs: JobsOptions,
        output: OutputOptions,
    ) -> None:
        _run(kind, stage, recipe, storage, jobs, output)

    command.__name__ = kind.name
    return command


def help_text(kind: "SearchKind") -> str:
    """Return what a search's command says of itself."""
    return f"""Search over {kind.symbol}: the whole range first, then where the best values are.

Trains a network for each value and ranks the values by validation accuracy. Without other wishes
--coarse tries {kind.n_coarse} values from {kind.coarse.low:g} to {kind.coarse.high:g}, and --fine
{kind.n_fine} more in the window that the results leave. Running the same command again carries on
where it stopped; a higher --trials adds to what is there.

Examples:
    python -m search {kind.name} --coarse
    python -m search {kind.name} --fine
    python -m search {kind.name} --coarse --data mnist --hidden 50,50 --trials 12
"""


def _run(
    kind: "SearchKind",
    stage: StageOptions,
    recipe: RecipeOptions,
    storage: StorageOptions,
    jobs: JobsOptions,
    output: OutputOptions,
) -> None:
    if stage.coarse == stage.fine:
        got = "both" if stage.coarse else "neither"
        raise UsageError(
            f"a search is either --coarse or --fine, got {got}; run\n"
            f"    {program()} {kind.name} --coarse\nand after that\n"
            f"    {program()} {kind.name} --fine"
        )
    flags = recipe.flags()
    if f"training.{kind.parameter}" in flags:
        raise UsageError(
            f"--{kind.parameter} is what this search varies; say which values to try with "
            "--values, or with --low and --high"
        )
    request, n_jobs = _request(stage), jobs.n_jobs

    from search.interrupts import stoppable
    from search.progress import watching
    from studies import searching
    from studies.means import Means
    from studies.reading import read_ranking

    with watching(quiet=output.quiet) as watch, stoppable(watch):
        if stage.coarse:
            database = _coarse_database(kind, request, recipe, flags, storage, watch)
        else:
            from db.engine import open_database

            database = open_database(storage.url)
        with database:
            means = Means(
                database,
                n_jobs=n_jobs,
                data_dir=recipe.data.data_dir,
                observer=watch,
                progress=watch,
            )
            if stage.coarse:
                outcome = searching.coarse(
                    means, kind, request, name=stage.study, path=recipe.path, flags=flags
                )
            else:
                study = _coarse_study(database, kind, stage, recipe, flags, quiet=output.quiet)
                outcome = searching.fine(
                    means, kind, request, study=study, path=recipe.path, flags=flags
                )
            ranking = read_ranking(database, outcome.study)
    if output.json:
        say_json(ranking.to_json())
        return
    from search.commands.ranking import print_ranking

    print_ranking(stdout(), ranking, _next(kind, outcome, recipe, storage))


def _request(stage: StageOptions) -> "StageRequest":
    from studies.spaces import parse_values
    from studies.stages import StageRequest

    return StageRequest(
        n_trials=stage.trials,
        values=None if stage.values is None else parse_values(stage.values),
        low=stage.low,
        high=stage.high,
        sampler=stage.sampler,
        replicates=stage.replicates,
        prune=stage.prune,
    )


def _coarse_database(
    kind: "SearchKind",
    request: "StageRequest",
    recipe: RecipeOptions,
    flags: dict[str, Any],
    storage: StorageOptions,
    progress: "Progress",
) -> "Database":
    """Return the database, made only after everything else has proved to be right."""
    from db.engine import is_new, open_database
    from models.data import prepare
    from studies.recipe import make_recipe
    from studies.searching import check_new
    from studies.specs import to_data_spec

    if is_new(storage.url):
        asked = make_recipe(recipe.path, flags)
        data = prepare(to_data_spec(asked), data_dir=recipe.data.data_dir, progress=progress)
        check_new(kind, request, asked, data)
    return open_database(storage.url, create=True)


def _coarse_study(
    database: "Database",
    kind: "SearchKind",
    stage: StageOptions,
    recipe: RecipeOptions,
    flags: dict[str, Any],
    *,
    quiet: bool,
) -> "StudyRecord":
    """Return the study to be searched finely: the one named, or of that data, or the last one.

    Raises:
        StudyError: If it is not there; names the command to run first.
    """
    from db import repository
    from studies.errors import StudyError
    from studies.reading import named_study
    from studies.recipe import make_recipe
    from studies.searching import study_name

    if stage.study is not None:
        if repository.find_study(database, stage.study) is None:
            raise StudyError(
                f"study {stage.study} is not in {database.label}; run\n    "
                + typed(kind.name, "--coarse", "--study", stage.study)
            )
        return named_study(database, stage.study)
    if "data.name" not in flags and recipe.path is None:
        study = named_study(database, None, search=kind.name)
        note(f"the most recent {kind.name} study: {study.name}", quiet=quiet)
        return study
    name = study_name(kind, make_recipe(recipe.path, flags))
    found = repository.find_study(database, name)
    if found is None:
        data = recipe.data.data or ""
        coarse = typed(
            kind.name,
            "--coarse",
            *(("--data", data) if data else ()),
            *(("--recipe", str(recipe.path)) if recipe.path else ()),
        )
        raise StudyError(f"{database.label} has no study {name}; run\n    {coarse}")
    return found


def _next(
    kind: "SearchKind", outcome: "Outcome", recipe: RecipeOptions, storage: StorageOptions
) -> str:
    """Return the command that comes after this one."""
    from studies.searching import study_name
    from studies.stages import COARSE

    study = outcome.study
    usual = study.name == study_name(kind, outcome.recipe)
    if usual and study.data_name == "digits":
        named: tuple[str, ...] = ()
    elif usual and recipe.data.data == study.data_name:
        named = ("--data", study.data_name)
    else:
        named = ("--study", study.name)
    words = (kind.name, "--fine", *named)
    if outcome.stage.name != COARSE:
        words = ("test", *(named and (study.name,)))
    return typed(*words, storage=storage.storage, data_dir=recipe.data.data_dir)
