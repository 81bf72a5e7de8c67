"""``lambda`` and the other searches: one function makes a command of each kind."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.errors import UsageError, program
from coarsefine.search.hints import command as typed
from coarsefine.search.options import (
    GridOptions,
    JobsOptions,
    LayersOptions,
    OutputOptions,
    RangeTestOptions,
    RecipeOptions,
    StageOptions,
    StorageOptions,
    TricksOptions,
)

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import PreparedData, Progress
    from coarsefine.models.data.spec import DataSpec
    from coarsefine.search.progress import Watch
    from coarsefine.studies.checks.range_test import Found
    from coarsefine.studies.planning.stages import StageRequest
    from coarsefine.studies.running.resources import Means
    from coarsefine.studies.running.search import Outcome
    from coarsefine.studies.spaces.search import SearchKind

_CYCLE: Final = ("training.eta_min", "training.eta_max")


def search_command(kind: "SearchKind") -> Callable[..., int | None]:
    """Return the command that searches over ``kind``."""

    def refining(
        stage: StageOptions,
        recipe: RecipeOptions,
        storage: StorageOptions,
        jobs: JobsOptions,
        output: OutputOptions,
    ) -> None:
        _refining(kind, stage, recipe, storage, jobs, output)

    def eta(
        stage: StageOptions,
        test: RangeTestOptions,
        recipe: RecipeOptions,
        storage: StorageOptions,
        jobs: JobsOptions,
        output: OutputOptions,
    ) -> None:
        if test.range_test:
            _range_test(kind, stage, test.figure, recipe, storage, output)
        else:
            _refining(kind, stage, recipe, storage, jobs, output)

    def grid(
        stage: GridOptions,
        recipe: RecipeOptions,
        storage: StorageOptions,
        jobs: JobsOptions,
        output: OutputOptions,
    ) -> None:
        _run(kind, _grid_request(kind, stage), _FIRST, stage, recipe, storage, jobs, output)

    def hidden(
        stage: GridOptions,
        layers: LayersOptions,
        recipe: RecipeOptions,
        storage: StorageOptions,
        jobs: JobsOptions,
        output: OutputOptions,
    ) -> None:
        request = _grid_request(kind, stage, layers=layers.layers, recipe=recipe)
        _run(kind, request, _FIRST, stage, recipe, storage, jobs, output)

    def tricks(
        stage: GridOptions,
        how: TricksOptions,
        recipe: RecipeOptions,
        storage: StorageOptions,
        jobs: JobsOptions,
        output: OutputOptions,
    ) -> None:
        request = _grid_request(kind, stage, one_at_a_time=how.one_at_a_time)
        _run(kind, request, _FIRST, stage, recipe, storage, jobs, output)

    of_its_own: dict[str, Callable[..., None]] = {"hidden": hidden, "tricks": tricks, "eta": eta}
    usual: Callable[..., None] = refining if kind.refines else grid
    command = of_its_own.get(kind.name, usual)
    command.__name__ = kind.name.replace("-", "_")
    return command


def help_text(kind: "SearchKind") -> str:
    """Return what a search's command says of itself."""
    from coarsefine.studies.spaces.dimensions import shown

    if not kind.refines:
        listed = ", ".join(shown(value) for value in kind.dimensions[0].values or ())
        return f"""{kind.summary}

Trains a network for each value and ranks the values by validation accuracy. Without other wishes it
tries {listed}. Running the same command again carries on where it stopped.

Examples:
    python -m search {kind.name}
    python -m search {kind.name} --data mnist --replicates 3
"""
    ranges = " and ".join(
        f"{d.parameter.symbol} from {d.range.low:g} to {d.range.high:g}"
        for d in kind.dimensions
        if d.range is not None
    )
    return f"""{kind.summary}

The whole range first, then where the best values are. Trains a network for each point and ranks the
points by validation accuracy. Without other wishes --coarse tries {kind.n_coarse} points over
{ranges}, and --fine {kind.n_fine} more in the window that the results leave. Running the same
command again carries on where it stopped; a higher --trials adds to what is there.

Examples:
    python -m search {kind.name} --coarse
    python -m search {kind.name} --fine
    python -m search {kind.name} --auto --data mnist --hidden 50,50
"""


# Which stages a command is about.
_FIRST, _FINE, _FINER, _AUTO = "coarse", "fine", "finer", "auto"


def _check_stage(kind: "SearchKind", stage: StageOptions) -> None:
    flags = {"--coarse": stage.coarse, "--fine": stage.fine, "--finer": stage.finer}
    chosen = [name for name, said in (flags | {"--auto": stage.auto}).items() if said]
    if len(chosen) != 1:
        got = " and ".join(chosen) or "none"
        raise UsageError(
            f"a search is one of --coarse, --fine, --finer and --auto, got {got}; run\n"
            f"    {program()} {kind.name} --coarse\nand after that\n"
            f"    {program()} {kind.name} --fine"
        )


def _wanted(stage: StageOptions) -> str:
    flags = {_FINE: stage.fine, _FINER: stage.finer, _AUTO: stage.auto}
    return next((name for name, said in flags.items() if said), _FIRST)


def _refining(
    kind: "SearchKind",
    stage: StageOptions,
    recipe: RecipeOptions,
    storage: StorageOptions,
    jobs: JobsOptions,
    output: OutputOptions,
) -> None:
    _check_stage(kind, stage)
    _run(kind, _request(kind, stage), _wanted(stage), stage, recipe, storage, jobs, output)


def _run(
    kind: "SearchKind",
    request: "StageRequest",
    wanted: str,
    stage: StageOptions | GridOptions,
    recipe: RecipeOptions,
    storage: StorageOptions,
    jobs: JobsOptions,
    output: OutputOptions,
) -> None:
    flags = recipe.flags()
    for parameter in kind.parameters:
        if parameter.key in flags:
            raise UsageError(
                f"--{parameter.name.replace('_', '-')} is what this search varies; say which "
                "values to try with --values"
                + (", or with --low and --high" if kind.refines else "")
            )

    from coarsefine.search.commands.ranking import print_study, took
    from coarsefine.search.interrupts import stoppable
    from coarsefine.search.progress import watching
    from coarsefine.studies.checks.range_test import ends_of, keep
    from coarsefine.studies.results.reading import read_ranking
    from coarsefine.studies.running.resources import Means

    name = stage.study
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch),
        jobs.opened(watch.said) as workers,
    ):
        tested = None
        if stage.eta_range is not None:
            tested = _eta_range(kind, stage.eta_range, recipe, flags, watch)
            flags |= dict(zip(_CYCLE, ends_of(tested), strict=True))
        if wanted in {_FIRST, _AUTO}:
            database = _coarse_database(kind, request, recipe, flags, storage, watch)
        else:
            from coarsefine.db.engine import open_database

            database = open_database(storage.url, said=note)
        with database:
            if tested is not None:
                keep(database, tested)
            means = Means(
                database,
                data_dir=recipe.data.data_dir,
                observer=watch,
                progress=watch,
                **workers,
            )
            outcome = _searched(means, kind, request, wanted, name, recipe, flags, output)
            ranking = read_ranking(database, outcome.study)
            rows = None if output.json else took(database, ranking)
    if output.json:
        say_json(ranking.to_json())
        return
    print_study(stdout(), ranking, rows, _next(kind, outcome, recipe, storage))


def _eta_range(
    kind: "SearchKind",
    wanted: str,
    recipe: RecipeOptions,
    flags: dict[str, Any],
    watch: "Watch",
) -> "Found":
    """Return the range test of the recipe that the ends of its cycle are to come from."""
    from coarsefine.studies.checks.range_test import ends_of, range_test_of
    from coarsefine.studies.recipes.specs import to_data_spec
    from coarsefine.studies.running.resources import prepared
    from coarsefine.studies.running.search import asked_recipe

    if wanted != "auto":
        raise UsageError(f"--eta-range must be auto, got {wanted!r}; or state --eta-min, --eta-max")
    if any(key in flags for key in _CYCLE):
        raise UsageError("--eta-range auto chooses --eta-min and --eta-max; leave them out")
    asked = asked_recipe(kind, recipe.path, {**flags, "training.schedule": "cyclical"})
    data = prepared(to_data_spec(asked), recipe.data.data_dir, watch)
    found = range_test_of(None, asked, data)
    low, high = ends_of(found)
    watch.said(f"range test: η from {low:g} to {high:g}")
    return found


def _range_test(
    kind: "SearchKind",
    stage: StageOptions,
    file: Path | None,
    recipe: RecipeOptions,
    storage: StorageOptions,
    output: OutputOptions,
) -> None:
    """Print what one training with a rising η shows, and what it suggests."""
    from coarsefine.db.engine import open_database
    from coarsefine.search.progress import watching
    from coarsefine.search.tables.column import TextColumn, fitting
    from coarsefine.search.words import percent, value
    from coarsefine.studies.checks.range_test import HIGH, LOW, check_range, range_test_of
    from coarsefine.studies.recipes.specs import to_data_spec
    from coarsefine.studies.running.resources import prepared
    from coarsefine.studies.running.search import asked_recipe

    if file is not None:
        from coarsefine.search.figures.rendering import check_file

        check_file(file)
    low, high = (
        _ends(flag, text, kind)[0] or usual
        for flag, text, usual in (("--low", stage.low, LOW), ("--high", stage.high, HIGH))
    )
    check_range(low, high)
    asked = asked_recipe(kind, recipe.path, recipe.flags())
    with watching(quiet=output.quiet) as watch:
        data = prepared(to_data_spec(asked), recipe.data.data_dir, watch)
        with open_database(storage.url, create=True, said=note) as database:
            found = range_test_of(database, asked, data, low, high)
    if file is not None:
        from coarsefine.search.figures.range_test import range_test
        from coarsefine.search.figures.rendering import write_figure

        about = f"{data.name}, seed {asked.seed}; {data.n_train:,} training samples"
        write_figure(file, range_test(found, data.name, about))
    if output.json:
        say_json(found.to_json())
        return
    # Some three lines a decade.
    n_lines = 24
    last = len(found.etas) - 1
    rows = sorted({round(i * last / (n_lines - 1)) for i in range(n_lines)})
    near = max(1, last // (2 * n_lines))

    def accuracy(i: int) -> float:
        around = found.accuracies[max(0, i - near) : i + near + 1]
        return sum(around) / len(around)

    def loss(i: int) -> str:
        return "–" if found.smoothed[i] is None else f"{found.smoothed[i]:.4g}"

    columns: list[TextColumn[int]] = [
        TextColumn("η", lambda i: value(float(f"{found.etas[i]:.3g}"))),
        TextColumn("training loss\n(smoothed)", loss),
        TextColumn("training\naccuracy %", lambda i: percent(accuracy(i))),
    ]
    console = stdout()
    title = f"η range test: {data.name}, {len(found.etas):,} updates, seed {asked.seed}"
    print_table(console, fitting(console, title, columns, rows))
    say("")
    if found.eta_min is None or found.eta_max is None:
        tell("the loss did not fall at any η: widen the range with --low and --high")
        return
    tell(
        f"a tenth of the fall of the loss is made at η {found.eta_min:g}, nine tenths at "
        f"{found.eta_max:g}: the ends of a cycle (Smith 2017, section 3.3)"
    )
    if found.broke_at is not None:
        tell(f"training breaks down at η {found.broke_at:g}")
    ends = ("--eta-min", f"{found.eta_min:g}", "--eta-max", f"{found.eta_max:g}")
    data_named = () if recipe.data.data is None else ("--data", recipe.data.data)
    line = typed("lambda", "--coarse", *data_named, *ends, storage=storage.storage)
    say(f"\nnext: {line}")


def _searched(
    means: "Means",
    kind: "SearchKind",
    request: "StageRequest",
    wanted: str,
    name: str | None,
    recipe: RecipeOptions,
    flags: dict[str, Any],
    output: OutputOptions,
) -> "Outcome":
    from coarsefine.studies.running import search as searching

    if wanted == _FIRST:
        return searching.coarse(means, kind, request, name=name, path=recipe.path, flags=flags)
    if wanted == _AUTO:
        return searching.auto(means, kind, request, name=name, path=recipe.path, flags=flags)
    study = _coarse_study(means.database, kind, name, recipe, flags, quiet=output.quiet)
    return searching.fine(
        *(means, kind, request),
        study=study,
        path=recipe.path,
        flags=flags,
        stage_name=wanted,
    )


def _request(kind: "SearchKind", stage: StageOptions) -> "StageRequest":
    from coarsefine.studies.planning.stages import StageRequest
    from coarsefine.studies.spaces.dimensions import Dimension
    from coarsefine.studies.spaces.ranges import LogRange, parse_values

    n = len(kind.dimensions)
    lows, highs = _ends("--low", stage.low, kind), _ends("--high", stage.high, kind)
    lists = [None] * n if stage.values is None else stage.values.split(";")
    if len(lists) != n:
        names = " and ".join(p.name for p in kind.parameters)
        raise UsageError(
            f"--values must be {n} lists separated by ;, for {names}; got {stage.values!r}"
        )
    values = [
        None if text is None else parse_values(text, zero_allowed=dimension.parameter.zero_allowed)
        for text, dimension in zip(lists, kind.dimensions, strict=True)
    ]
    several: list[Dimension] = []
    if n > 1:
        for i, dimension in enumerate(kind.dimensions):
            tried, low, high = values[i], lows[i], highs[i]
            if tried is not None:
                several.append(Dimension(dimension.parameter, values=tried))
            elif low is not None or high is not None:
                usual = dimension.range
                assert usual is not None  # noqa: S101  # searches that refine have ranges
                ends = (usual.low if low is None else low, usual.high if high is None else high)
                several.append(dimension.with_range(LogRange(*ends)))
    return StageRequest(
        n_trials=stage.trials,
        values=values[0] if n == 1 else None,
        low=lows[0] if n == 1 else None,
        high=highs[0] if n == 1 else None,
        dimensions=tuple(several),
        sampler=stage.sampler,
        replicates=stage.replicates,
        prune=stage.prune,
        fresh=stage.fresh,
    )


def _ends(flag: str, text: str | None, kind: "SearchKind") -> list[float | None]:
    """Return an end of the range of each parameter."""
    n = len(kind.dimensions)
    if text is None:
        return [None] * n
    parts = text.split(",")
    try:
        ends = [float(part) for part in parts]
    except ValueError:
        raise UsageError(f"{flag} must be a number, got {text!r}") from None
    if len(ends) != n:
        names = " and ".join(p.name for p in kind.parameters)
        raise UsageError(
            f"{flag} must be {n} numbers separated by commas, for {names}; got {text!r}"
            if n > 1
            else f"{flag} must be a number, got {text!r}"
        )
    return list(ends)


def _grid_request(
    kind: "SearchKind",
    stage: GridOptions,
    *,
    layers: str | None = None,
    one_at_a_time: bool = False,
    recipe: RecipeOptions | None = None,
) -> "StageRequest":
    from coarsefine.studies.planning.stages import StageRequest
    from coarsefine.studies.spaces.searches.grids import TRICKS_ONE_AT_A_TIME

    (dimension,) = kind.dimensions
    values = None
    if stage.values is not None:
        values = tuple(dimension.parameter.parse(part) for part in stage.values.split(","))
    if layers is not None:
        if values is not None:
            raise UsageError("hidden layers are either --values or --layers, got both")
        values = _layers(layers, recipe)
    return StageRequest(
        values=values,
        dimensions=(TRICKS_ONE_AT_A_TIME,) if one_at_a_time else (),
        replicates=stage.replicates,
        alone=stage.alone,
        equal=stage.equal,
        fresh=stage.fresh,
    )


def _layers(text: str, recipe: RecipeOptions | None) -> tuple[tuple[int, ...], ...]:
    """Return so many hidden layers, each as wide as the recipe's first."""
    from coarsefine.studies.recipes.layers import make_recipe

    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise UsageError(f"--layers must be whole numbers >= 0, as in 1,2,10; got {text!r}")
    hidden = (50,) if recipe is None else make_recipe(recipe.path, recipe.flags()).network.hidden
    return tuple((hidden or (50,))[:1] * number for number in numbers)


def _coarse_database(
    kind: "SearchKind",
    request: "StageRequest",
    recipe: RecipeOptions,
    flags: dict[str, Any],
    storage: StorageOptions,
    progress: "Progress",
) -> "Database":
    """Return the database, made only after everything else has proved to be right."""
    from coarsefine.db.engine import is_new, open_database
    from coarsefine.studies.running.resources import prepared
    from coarsefine.studies.running.search import asked_recipe, check_new

    if is_new(storage.url):
        asked = asked_recipe(kind, recipe.path, flags)

        def prepare(spec: "DataSpec") -> "PreparedData":
            return prepared(spec, recipe.data.data_dir, progress)

        check_new(kind, request, asked, prepare)
    return open_database(storage.url, create=True, said=note)


def _coarse_study(
    database: "Database",
    kind: "SearchKind",
    study_asked: str | None,
    recipe: RecipeOptions,
    flags: dict[str, Any],
    *,
    quiet: bool,
) -> "StudyRecord":
    """Return the study to be searched finely: the one named, or of that data, or the last one.

    Raises:
        StudyError: If it is not there; names the command to run first.
    """
    from coarsefine.db import repository
    from coarsefine.studies.errors import StudyError
    from coarsefine.studies.results.reading import named_study
    from coarsefine.studies.running.search import asked_recipe, study_name

    if study_asked is not None:
        if repository.find_study(database, study_asked) is None:
            raise StudyError(
                f"study {study_asked} is not in {database.label}; run\n    "
                + typed(kind.name, "--coarse", "--study", study_asked)
            )
        return named_study(database, study_asked)
    if "data.name" not in flags and recipe.path is None:
        study = named_study(database, None, search=kind.name)
        note(f"the most recent {kind.name} study: {study.name}", quiet=quiet)
        return study
    name = study_name(kind, asked_recipe(kind, recipe.path, flags))
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
    from coarsefine.studies.planning.stages import COARSE
    from coarsefine.studies.running.search import study_name

    study = outcome.study
    usual = study.name == study_name(kind, outcome.recipe)
    if usual and study.data_name == "digits":
        named: tuple[str, ...] = ()
    elif usual and recipe.data.data == study.data_name:
        named = ("--data", study.data_name)
    else:
        named = ("--study", study.name)
    words = (kind.name, "--fine", *named)
    if outcome.stage.name != COARSE or not kind.refines:
        words = ("test", *(named and (study.name,)))
    if outcome.recipe.trainer is not None and recipe.path is not None:
        # A trainer of the user's is imported only where their recipe file names it.
        words = (*words, "--recipe", str(recipe.path))
    return typed(*words, storage=storage.storage, data_dir=recipe.data.data_dir)
