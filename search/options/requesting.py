"""What the options of a search ask of a stage."""

import re
from typing import TYPE_CHECKING, Final

from coarsefine.search.errors import UsageError
from coarsefine.search.options.searching import GridOptions, StageOptions
from coarsefine.studies.errors import SpaceError
from coarsefine.studies.recipes.keys.kinds import number_of

if TYPE_CHECKING:
    from coarsefine.studies.planning.request import StageRequest
    from coarsefine.studies.recipes.layers import Asked
    from coarsefine.studies.spaces.search import SearchKind

# Nobody writes the value 1 as 01: these are the decimals of the number before.
_DECIMAL_COMMA: Final = re.compile(r"(?<![\w.])\d+,0\d+(?![\w.])")
# Where 0 is no value, it is the beginning of a number.
_ZERO_COMMA: Final = re.compile(rf"{_DECIMAL_COMMA.pattern}|(?<![\w.])0,\d+(?![\w.])")


def stage_request(kind: "SearchKind", stage: StageOptions) -> "StageRequest":
    """Return what is asked of a stage of a search that refines itself.

    Raises:
        UsageError: If a text is no number, or there are more or fewer than parameters.
        SpaceError: If these are no such values or ranges.
    """
    from coarsefine.studies.planning.races import replicates_of
    from coarsefine.studies.planning.request import Wanted
    from coarsefine.studies.planning.request import stage_request as request_of
    from coarsefine.studies.spaces.ranges import parse_values

    lists = [] if stage.values is None else stage.values.split(";")
    if len(kind.dimensions) == 1 and len(lists) > 1:
        raise UsageError(
            f"--values must be numbers separated by commas, as in 1e-5,1e-3; got {stage.values!r}"
        )
    if lists and len(lists) != len(kind.dimensions):
        names = " and ".join(p.name for p in kind.parameters)
        raise UsageError(
            f"--values must be {len(kind.dimensions)} lists separated by ;, for {names}; "
            f"got {stage.values!r}"
        )
    for text, parameter in zip(lists, kind.parameters, strict=bool(lists)):
        check_commas("--values", text, zero_allowed=parameter.zero_allowed)
    low, high = ends("--low", stage.low, kind), ends("--high", stage.high, kind)
    values = {
        parameter.name: parse_values(text, zero_allowed=parameter.zero_allowed)
        for text, parameter in zip(lists, kind.parameters, strict=bool(lists))
    }
    replicates, race = replicates_of(stage.replicates, stage.indifference)
    return request_of(
        kind,
        Wanted(values, low, high),
        n_trials=stage.trials,
        sampler=stage.sampler,
        replicates=replicates,
        race=race,
        race_if_quick=replicates is None and race is None,
        only=stage.only,
        prune=stage.prune,
        fresh=stage.fresh,
    )


def ends(flag: str, text: str | None, kind: "SearchKind") -> dict[str, float]:
    """Return an end of the range of each parameter; nothing if none is given.

    Raises:
        UsageError: If these are no numbers, or more or fewer than parameters.
    """
    if text is None:
        return {}
    n = len(kind.dimensions)
    check_commas(flag, text, zero_allowed=False)
    try:
        numbers = [number_of(part) for part in text.split(",")]
    except SpaceError:
        raise
    except ValueError:
        raise UsageError(f"{flag} must be a number, got {text!r}") from None
    if len(numbers) != n:
        names = " and ".join(p.name for p in kind.parameters)
        raise UsageError(
            f"{flag} must be {n} numbers separated by commas, for {names}; got {text!r}"
            if n > 1
            else f"{flag} must be a number, got {text!r}"
        )
    return dict(zip((p.name for p in kind.parameters), numbers, strict=True))


def check_commas(flag: str, text: str, *, zero_allowed: bool) -> None:
    """Ask back where a comma in a list may be a decimal one.

    Args:
        flag: Of the list.
        text: The list.
        zero_allowed: Whether 0 is a value: else ``0,1`` is a decimal number, too.

    Raises:
        UsageError: If it may.
    """
    pattern = _DECIMAL_COMMA if zero_allowed else _ZERO_COMMA
    if found := pattern.search(text):
        whole, _, decimals = found[0].partition(",")
        raise UsageError(
            f"{flag} {text}: write {whole}.{decimals} for a decimal number; commas separate values"
        )


def grid_request(
    kind: "SearchKind",
    stage: GridOptions,
    asked: "Asked",
    *,
    layers: str | None = None,
    one_at_a_time: bool = False,
) -> "StageRequest":
    """Return what is asked of a search that is one grid of values.

    Args:
        kind: The search.
        stage: Its options.
        asked: The recipe: hidden layers of ``layers`` are as wide as its first.
        layers: Numbers of hidden layers, in place of values.
        one_at_a_time: Whether each trick is added to the base alone.

    Raises:
        UsageError: If options contradict each other.
        SpaceError: If these are no such values.
    """
    from coarsefine.studies.planning.races import replicates_of
    from coarsefine.studies.planning.request import StageRequest, layers_of
    from coarsefine.studies.spaces.searches.grids import TRICKS_ONE_AT_A_TIME

    (parameter,) = kind.parameters
    values = None
    if stage.values is not None:
        check_commas("--values", stage.values, zero_allowed=parameter.zero_allowed)
        values = tuple(parameter.parse(part) for part in stage.values.split(","))
    if layers is not None:
        if values is not None:
            raise UsageError("state hidden layers with --values or --layers, got both")
        values = layers_of(asked.recipe({}).network.hidden, _whole_numbers(layers))
    replicates, race = replicates_of(stage.replicates, stage.indifference)
    return StageRequest(
        values=values,
        dimensions=(TRICKS_ONE_AT_A_TIME,) if one_at_a_time else (),
        replicates=replicates,
        race=race,
        only=stage.only,
        alone=stage.alone,
        equal=stage.equal,
        fresh=stage.fresh,
    )


def _whole_numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise UsageError(f"--layers must be whole numbers >= 0, as in 1,2,10; got {text!r}")
    return numbers
