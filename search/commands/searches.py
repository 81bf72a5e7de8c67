"""``lambda`` and the other searches: one function makes a command of each kind."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from coarsefine.search.commands.asking import ask_before
from coarsefine.search.commands.beginning import (
    AUTO,
    FINE,
    FINER,
    FIRST,
    Options,
    SearchLine,
)
from coarsefine.search.commands.forecasting import print_forecast
from coarsefine.search.commands.listing import failures_of
from coarsefine.search.commands.range_testing import CYCLE, eta_range, range_test
from coarsefine.search.commands.ranking import print_study
from coarsefine.search.console import note, say_json, stdout
from coarsefine.search.ending import came_of_search
from coarsefine.search.errors import UsageError
from coarsefine.search.following import after_search, following
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.interrupts import stoppable
from coarsefine.search.options import (
    GridOptions,
    LayersOptions,
    RangeTestOptions,
    StageOptions,
    TricksOptions,
)
from coarsefine.search.options.budget import budget_of
from coarsefine.search.options.requesting import grid_request, stage_request
from coarsefine.search.progress import watching
from coarsefine.studies.errors import TakenError
from coarsefine.studies.planning.request import n_points
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.spaces.dimensions import shown
from coarsefine.studies.spaces.varying import SPACE

if TYPE_CHECKING:
    from coarsefine.studies.planning.request import StageRequest
    from coarsefine.studies.planning.stages import Stage
    from coarsefine.studies.results.ranking import Ranking
    from coarsefine.studies.running.resources import Resources
    from coarsefine.studies.running.search import Search
    from coarsefine.studies.spaces.search import SearchKind


def search_command(kind: "SearchKind") -> Callable[..., int | None]:
    """Return the command that searches over ``kind``."""

    def refining(stage: StageOptions, options: Options) -> None:
        _refining(kind, stage, options)

    def eta(stage: StageOptions, test: RangeTestOptions, options: Options) -> None:
        if test.range_test:
            range_test(kind, stage, test.figure, options)
        elif test.figure is not None:
            raise UsageError("--figure draws a range test; add --range-test, or draw with `plot`")
        else:
            _refining(kind, stage, options)

    def grid(stage: GridOptions, options: Options) -> None:
        run_search(kind, grid_request(kind, stage, options.asked), FIRST, stage, options)

    def hidden(stage: GridOptions, layers: LayersOptions, options: Options) -> None:
        request = grid_request(kind, stage, options.asked, layers=layers.layers)
        variant = "" if layers.layers is None else "layers"
        run_search(kind, request, FIRST, stage, options, variant)

    def tricks(stage: GridOptions, how: TricksOptions, options: Options) -> None:
        request = grid_request(kind, stage, options.asked, one_at_a_time=how.one_at_a_time)
        variant = "one-at-a-time" if how.one_at_a_time else ""
        run_search(kind, request, FIRST, stage, options, variant)

    of_its_own: dict[str, Callable[..., None]] = {"hidden": hidden, "tricks": tricks, "eta": eta}
    usual: Callable[..., None] = refining if kind.refines else grid
    command = of_its_own.get(kind.name, usual)
    command.__name__ = kind.name.replace("-", "_")
    return command


def help_text(kind: "SearchKind") -> str:
    """Return what a search's command says of itself."""
    if not kind.refines:
        listed = ", ".join(shown(value) for value in kind.dimensions[0].values or ())
        return f"""{kind.summary}

Trains a network for each value and ranks the values by validation accuracy. By default it tries
{listed}. Running the same command again carries on where it stopped.

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
points by validation accuracy. By default --coarse tries {kind.n_coarse} points over
{ranges}, and --fine {kind.n_fine} more in the window that the results leave. Running the same
command again carries on where it stopped; a higher --trials or --replicates adds to what is there.

Examples:
    python -m search {kind.name} --coarse --replicates auto
    python -m search {kind.name} --fine
    python -m search {kind.name} --auto --data mnist --hidden 50,50
"""


def _refining(kind: "SearchKind", stage: StageOptions, options: Options) -> None:
    run_search(
        kind, stage_request(kind, stage), wanted_stage(kind.name, stage, options), stage, options
    )


def wanted_stage(
    name: str, stage: StageOptions, options: Options, varied: Sequence[str] = ()
) -> str:
    """Return which stage a command is about.

    Args:
        name: Of the search.
        stage: What was stated of it.
        options: What else was stated.
        varied: The words that say what is varied, where a study of it does not know.

    Raises:
        UsageError: If it names none, or several.
    """
    flags = {FIRST: stage.coarse, FINE: stage.fine, FINER: stage.finer, AUTO: stage.auto}
    chosen = [each for each, said in flags.items() if said]
    if len(chosen) != 1:
        got = " and ".join(f"--{each}" for each in chosen) or "none"
        named = () if stage.study is None else ("--study", stage.study)
        words = (*varied, *options.recipe.as_typed(), *named)
        storage = options.storage.storage
        raise UsageError(
            f"a search is one of --coarse, --fine, --finer and --auto, got {got}; run\n"
            f"    {typed(name, '--coarse', *words, storage=storage)}\nand after that\n"
            f"    {typed(name, '--fine', *named, storage=storage)}"
        )
    return chosen[0]


def _check_free(line: SearchLine) -> None:
    """Raise a UsageError if flags state what the search varies."""
    kind = line.kind
    for parameter in kind.parameters:
        if parameter.key in line.asked.flags:
            how = "with --values" + (", or with --low and --high" if kind.refines else "")
            raise UsageError(
                f"--{parameter.key.rpartition('.')[2].replace('_', '-')} is what this search "
                f"varies; say which values to try {'with --vary' if kind.name == SPACE else how}"
            )


def run_search(
    kind: "SearchKind",
    request: "StageRequest",
    wanted: str,
    stage: StageOptions | GridOptions,
    options: Options,
    variant: str = "",
) -> None:
    """Carry out a search, and print what it found.

    Args:
        kind: The search.
        request: What is asked of the stage.
        wanted: Which stage.
        stage: All that was stated of it.
        options: What all searches have.
        variant: What the study's name ends with where its values answer another question.
    """
    from coarsefine.db import repository
    from coarsefine.studies.checks.range_test import ends_of, keep
    from coarsefine.studies.results.comparing.grids import took
    from coarsefine.studies.results.reading import read_ranking
    from coarsefine.studies.running.resources import NewDatabase, Resources

    output, data_dir = options.output, options.recipe.data.data_dir
    line = SearchLine(kind, options.asked, request, wanted, stage.study, options)
    budget = budget_of(stage.within)
    _check_free(line)
    ask_before(n_points(kind, request), yes=stage.yes)
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch, resumable=not stage.dry_run),
        options.jobs.opened(watch.said) as workers,
    ):
        tested = None
        if stage.eta_range is not None and not stage.dry_run:
            tested = eta_range(kind, stage.eta_range, line.asked, data_dir, watch)
            ends = dict(zip(CYCLE, ends_of(tested), strict=True))
            line = replace(line, asked=replace(line.asked, flags={**line.asked.flags, **ends}))
        with NewDatabase(options.storage.url, said=note, create=line.begins) as there:
            workers |= {"data_dir": data_dir, "budget": budget}
            resources = Resources(there, observer=watch, progress=watch, **workers)
            if line.name is None and variant:
                line = replace(line, name=line.variant_name(resources, variant))
            if stage.dry_run:
                _foretell(resources, line)
                return
            search = line.search(resources)
            if tested is not None:
                keep(resources.database, tested)
            last = _searched(search, line)
            ranking = read_ranking(resources.database, search.study)
            rows = None if output.json else took(resources.database, ranking)
            free = repository.free_name(resources.database, search.study.name)
            failures = failures_of(resources.database, ranking)
    came_of_search(ranking)
    all_failed = {t.state for t in ranking.trials} == {"failed"}
    if output.json:
        say_json(ranking.to_json(by_hint))
    else:
        proposed = None if all_failed else _proposed(search, last, options, ranking, free)
        print_study(stdout(), ranking, rows, proposed)
    if all_failed:
        raise _all_failed(search, ranking, failures, free)


def _foretell(resources: "Resources", line: SearchLine) -> None:
    """Print what a search would train and what that takes, in place of training it."""
    from coarsefine.studies.running.forecasting import noise_before

    output, noise = line.options.output, None
    forecast = line.forecast(resources)
    if line.begins and not output.json:
        noise = noise_before(resources, line.kind, line.asked, line.name)
    several = line.wanted == AUTO
    print_forecast(forecast, resources.budget, output, several=several, noise=noise)


def _proposed(
    search: "Search", last: "Stage", options: Options, ranking: "Ranking", free: str
) -> str | None:
    """Return the command that comes after this one, if there is any."""
    if ranking.best is None or not has_learnt(ranking):
        return following(ranking, options.storage, free, options.recipe.data.data_dir)
    return _next(search, last, options, ranking)


def _all_failed(
    search: "Search", ranking: "Ranking", failures: Sequence[str], free: str
) -> "TakenError":
    """Return the error that all trials of a custom trainer failed."""
    reason = failures[0] if failures else "no reason is on record"
    error = TakenError(
        f"all {len(ranking.trials)} trials failed, the first for this reason: {reason}; mend "
        f"the trainer {search.recipe.trainer}, and search again"
    )
    error.free = free
    return error


def _searched(search: "Search", line: SearchLine) -> "Stage":
    from coarsefine.studies.planning.stages import first_name

    if line.wanted == AUTO:
        return search.auto(line.request)
    name = first_name(search.kind) if line.wanted == FIRST else line.wanted
    return search.stage(name, line.request)


def _next(search: "Search", last: "Stage", options: Options, ranking: "Ranking") -> str:
    """Return the command that comes after this one; the test where finer values would not help."""
    from coarsefine.studies.planning.stages import COARSE
    from coarsefine.studies.running.studies import study_name

    study, kind, recipe = search.study, search.kind, options.recipe
    usual = study.name == study_name(kind, search.recipe) and kind.name != SPACE
    if usual and study.data_name == "digits":
        named: tuple[str, ...] = ()
    elif usual and recipe.data.data == study.data_name:
        named = ("--data", study.data_name)
    else:
        named = ("--study", study.name)
    words = (kind.name, "--fine", *named)
    resolved = resolution_reached(ranking, last.name) is not None
    if last.name != COARSE or not kind.refines or resolved:
        words = (after_search(ranking), *(named and (study.name,)))
    if search.recipe.trainer is not None and recipe.path is not None and words[0] != "report":
        # A trainer of the user's is imported only where their recipe file names it.
        words = (*words, "--recipe", str(recipe.path))
    return typed(*words, storage=options.storage.storage, data_dir=recipe.data.data_dir)
