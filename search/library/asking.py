"""What is asked of a stage, from Python's values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from coarsefine.search.library.settings import described, plain
from coarsefine.studies.errors import SpaceError, StudyError, did_you_mean
from coarsefine.studies.planning.races import replicates_of
from coarsefine.studies.planning.request import StageRequest, Wanted, layers_of
from coarsefine.studies.planning.request import stage_request as request_of
from coarsefine.studies.planning.within import seconds_of
from coarsefine.studies.recipes.keys.kinds import whole
from coarsefine.studies.spaces.dimensions import VARIANT
from coarsefine.studies.spaces.searches.grids import TRICKS_ONE_AT_A_TIME

if TYPE_CHECKING:
    from coarsefine.studies.planning.budget import Budget
    from coarsefine.studies.planning.races import Race
    from coarsefine.studies.spaces.dimensions import Parameter
    from coarsefine.studies.spaces.search import SearchKind

Values = Sequence[Any] | Mapping[str, Sequence[Any]]
End = float | Mapping[str, float]
# Names of variants are texts.


class Asked(TypedDict, total=False):
    """What may be asked of a stage; what is not, is for the stage or the search to say.

    Each is the option of the same name, which ``docs/cli.md`` explains.
    """

    trials: int | None
    values: Values | None
    low: End | None
    high: End | None
    sampler: Literal["grid", "random", "qmc", "tpe", "gp"] | None
    replicates: int | str | None
    indifference: float | None
    only: Literal["tied", "all"] | None
    prune: Literal["halving", "none"] | None
    within: str | float | None
    fresh: bool


class GridAsked(TypedDict, total=False):
    """The same of a search that is one grid of values."""

    values: Sequence[Any] | None
    layers: Sequence[int] | None
    one_at_a_time: bool
    replicates: int | str | None
    indifference: float | None
    only: Literal["tied", "all"] | None
    alone: bool | None
    equal: Literal["epochs", "updates"] | None
    within: str | float | None
    fresh: bool


def check_known(method: str, asked: Mapping[str, Any], known: Any) -> None:
    """Raise a TypeError, as Python does, unless a method has all keywords; guesses what was meant.

    Args:
        method: Its name.
        asked: What it was called with.
        known: The typed dictionary of its keywords.
    """
    for name in asked:
        if name not in known.__annotations__:
            guess = did_you_mean(name, known.__annotations__)
            raise TypeError(f"{method}() has no keyword {name!r}{guess}")


def stage_request(kind: "SearchKind", asked: Asked) -> "StageRequest":
    """Return what is asked of a stage of a search that refines itself.

    Raises:
        SpaceError: If these are no such numbers, values or ends.
    """
    from coarsefine.studies.spaces.dimensions import parameter

    values = _by_name(kind, "values", asked.get("values"))
    low, high = (_by_name(kind, name, asked.get(name)) for name in ("low", "high"))
    replicates, race = _seeds(asked)
    return request_of(
        kind,
        Wanted(
            {
                name: [_read(parameter(name), value) for value in _listed(given)]
                for name, given in values.items()
            },
            {name: end("low", given) for name, given in low.items()},
            {name: end("high", given) for name, given in high.items()},
        ),
        n_trials=_whole("trials", asked.get("trials")),
        replicates=replicates,
        race=race,
        race_if_quick=replicates is None and race is None,
        only=asked.get("only"),
        sampler=asked.get("sampler"),
        prune=asked.get("prune"),
        fresh=bool(asked.get("fresh")),
    )


def _by_name(kind: "SearchKind", name: str, given: Any) -> Mapping[str, Any]:
    """Return what is given of each parameter; of a single one it is given without its name."""
    known = [dimension.name for dimension in kind.dimensions]
    if given is None:
        return {}
    if len(known) == 1:
        if isinstance(given, Mapping):
            raise SpaceError(
                f"a {kind.name} search is over one parameter: {name} must not be by name"
            )
        return {known[0]: given}
    if not (isinstance(given, Mapping) and set(given) <= set(known)):
        example = ", ".join(f"{each!r}: …" for each in known)
        raise SpaceError(
            f"{name} of a {kind.name} search must be by name, {{{example}}}; got {given!r}"
        )
    return given


def grid_request(kind: "SearchKind", asked: GridAsked, hidden: Sequence[int]) -> "StageRequest":
    """Return what is asked of a search that is one grid of values.

    Args:
        kind: The search.
        asked: What is asked.
        hidden: The recipe's hidden layers: those of ``layers`` are as wide as the first.

    Raises:
        StudyError: If the search has no such keyword.
        SpaceError: If these are no such values.
    """
    values, layers = asked.get("values"), plain(asked.get("layers"))
    for name, given, its in (
        ("layers", layers is not None, "hidden"),
        ("one_at_a_time", bool(asked.get("one_at_a_time")), "tricks"),
    ):
        if given and kind.name != its:
            raise StudyError(f"{name}= is for {its} searches, this one is over {kind.name}")
    if values is not None and (layers is not None or asked.get("one_at_a_time")):
        raise SpaceError("state values=, or layers= or one_at_a_time=; got both")
    (parameter,) = kind.parameters
    if layers is not None:
        if any(type(number) is not int or number < 0 for number in layers):
            raise SpaceError(f"layers must be whole numbers >= 0, as in [1, 2, 10]; got {layers!r}")
        values = layers_of(hidden, layers)
    replicates, race = _seeds(asked)
    return StageRequest(
        values=None
        if values is None
        else tuple(parameter.checked(_read(parameter, value)) for value in _listed(values)),
        dimensions=(TRICKS_ONE_AT_A_TIME,) if asked.get("one_at_a_time") else (),
        replicates=replicates,
        race=race,
        only=asked.get("only"),
        alone=asked.get("alone"),
        equal=asked.get("equal"),
        fresh=bool(asked.get("fresh")),
    )


def _listed(values: Any) -> "list[Any]":
    values = plain(values)
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SpaceError(f"values must be a list, as in [1e-4, 1e-2]; got {described(values)}")
    return [plain(value) for value in values]


def _read(parameter: "Parameter", value: Any) -> Any:
    """Return a value that may be a text, as those of a file's cells are, as a trial has it."""
    named = not isinstance(value, str) or parameter.name == VARIANT
    return value if named else parameter.parse(value)


def end(name: str, value: Any) -> float:
    """Return an end of a range.

    Raises:
        SpaceError: If it is no number.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpaceError(f"{name} must be a number, got {described(value)}")
    return float(value)


def _seeds(asked: "Asked | GridAsked") -> "tuple[int | None, Race | None]":
    """Return how many seeds are asked for, or the race that decides it."""
    given, indifference = asked.get("replicates"), asked.get("indifference")
    if indifference is not None:
        indifference = end("indifference", indifference)
    return replicates_of(
        given if isinstance(given, str) else _whole("replicates", given), indifference
    )


def budget(asked: "Asked | GridAsked") -> "Budget | None":
    """Return how long a stage may take from now on; ``None`` where that is not said.

    Raises:
        SpaceError: If it is no time.
    """
    from coarsefine.studies.planning.budget import Budget

    within = plain(asked.get("within"))
    return None if within is None else Budget(seconds_of(within))


def _whole(name: str, value: Any) -> int | None:
    value = whole(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise SpaceError(f"{name} must be a whole number, got {described(value)}")
    return value
