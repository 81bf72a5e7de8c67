"""``lambda`` and the other searches: one function makes a command of each kind."""

from collections.abc import Callable, Sequence

from coarsefine.search.commands.range_testing import range_test
from coarsefine.search.errors import UsageError
from coarsefine.search.hints import command as typed
from coarsefine.search.options import (
    GridOptions,
    LayersOptions,
    RangeTestOptions,
    StageOptions,
    TricksOptions,
)
from coarsefine.search.options.requesting import grid_request, stage_request
from coarsefine.search.options.searches import AUTO, FINE, FINER, FIRST, Options
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.spaces.dimensions import shown
from coarsefine.studies.spaces.search import SearchKind


def search_command(kind: SearchKind) -> Callable[..., int | None]:
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
        _search(kind, grid_request(kind, stage, options.asked), FIRST, stage, options)

    def hidden(stage: GridOptions, layers: LayersOptions, options: Options) -> None:
        request = grid_request(kind, stage, options.asked, layers=layers.layers)
        variant = "" if layers.layers is None else "layers"
        _search(kind, request, FIRST, stage, options, variant)

    def tricks(stage: GridOptions, how: TricksOptions, options: Options) -> None:
        request = grid_request(kind, stage, options.asked, one_at_a_time=how.one_at_a_time)
        variant = "one-at-a-time" if how.one_at_a_time else ""
        _search(kind, request, FIRST, stage, options, variant)

    of_its_own: dict[str, Callable[..., None]] = {"hidden": hidden, "tricks": tricks, "eta": eta}
    usual: Callable[..., None] = refining if kind.refines else grid
    command = of_its_own.get(kind.name, usual)
    command.__name__ = kind.name.replace("-", "_")
    return command


def help_text(kind: SearchKind) -> str:
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


def _search(
    kind: SearchKind,
    request: StageRequest,
    wanted: str,
    stage: StageOptions | GridOptions,
    options: Options,
    variant: str = "",
) -> None:
    # filelock, and all that carries out searches: a range test and help do without.
    from coarsefine.search.commands.searching import run_search

    run_search(kind, request, wanted, stage, options, variant)


def _refining(kind: SearchKind, stage: StageOptions, options: Options) -> None:
    _search(
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
