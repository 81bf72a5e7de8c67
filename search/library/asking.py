"""What is asked of a stage, from Python's values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from coarsefine.search.library.settings import plain
from coarsefine.studies.errors import SpaceError, StudyError, did_you_mean

if TYPE_CHECKING:
    from coarsefine.studies.planning.stages import StageRequest
    from coarsefine.studies.spaces.dimensions import Dimension, Value
    from coarsefine.studies.spaces.search import SearchKind

Values = Sequence[Any] | Mapping[str, Sequence[Any]]
End = float | Mapping[str, float]


class Asked(TypedDict, total=False):
    """What may be asked of a stage; what is not, is for the stage or the search to say.

    Each is the option of the same name, which ``docs/cli.md`` explains.
    """

    trials: int | None
    values: Values | None
    low: End | None
    high: End | None
    sampler: Literal["grid", "random", "qmc", "tpe"] | None
    replicates: int | None
    prune: Literal["halving", "none"] | None
    fresh: bool


class GridAsked(TypedDict, total=False):
    """The same of a search that is one grid of values."""

    values: Sequence[Any] | None
    layers: Sequence[int] | None
    one_at_a_time: bool
    replicates: int | None
    alone: bool | None
    equal: Literal["epochs", "updates"] | None
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
    from coarsefine.studies.planning.stages import StageRequest

    values, low, high = asked.get("values"), asked.get("low"), asked.get("high")
    others: dict[str, Any] = {
        "n_trials": _whole("trials", asked.get("trials")),
        "replicates": _whole("replicates", asked.get("replicates")),
        "sampler": asked.get("sampler"),
        "prune": asked.get("prune"),
        "fresh": bool(asked.get("fresh")),
    }
    if len(kind.dimensions) > 1:
        return StageRequest(dimensions=_several(kind, values, low, high), **others)
    (dimension,) = kind.dimensions
    for name, given in (("values", values), ("low", low), ("high", high)):
        if isinstance(given, Mapping):
            raise SpaceError(
                f"a {kind.name} search is over one parameter: {name} must not be by name"
            )
    return StageRequest(
        values=None if values is None else _values(dimension, values),
        low=None if low is None else end("low", low),
        high=None if high is None else end("high", high),
        **others,
    )


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
    from coarsefine.studies.planning.stages import StageRequest
    from coarsefine.studies.spaces.searches.grids import TRICKS_ONE_AT_A_TIME

    values, layers = asked.get("values"), plain(asked.get("layers"))
    for name, given, its in (
        ("layers", layers is not None, "hidden"),
        ("one_at_a_time", bool(asked.get("one_at_a_time")), "tricks"),
    ):
        if given and kind.name != its:
            raise StudyError(f"{name}= is for {its} searches, this one is over {kind.name}")
    if values is not None and (layers is not None or asked.get("one_at_a_time")):
        raise SpaceError("a grid is of values=, or of what layers= or one_at_a_time= say; got both")
    (dimension,) = kind.dimensions
    if layers is not None:
        if any(type(number) is not int or number < 0 for number in layers):
            raise SpaceError(f"layers must be whole numbers >= 0, as in [1, 2, 10]; got {layers!r}")
        values = [tuple((hidden or (50,))[:1]) * number for number in layers]
    return StageRequest(
        values=None if values is None else _values(dimension, values),
        dimensions=(TRICKS_ONE_AT_A_TIME,) if asked.get("one_at_a_time") else (),
        replicates=_whole("replicates", asked.get("replicates")),
        alone=asked.get("alone"),
        equal=asked.get("equal"),
        fresh=bool(asked.get("fresh")),
    )


def _several(
    kind: "SearchKind", values: Values | None, low: End | None, high: End | None
) -> "tuple[Dimension, ...]":
    from coarsefine.studies.spaces.dimensions import Dimension
    from coarsefine.studies.spaces.ranges import LogRange

    given: dict[str, Mapping[str, Any]] = {}
    known = [dimension.name for dimension in kind.dimensions]
    for name, asked in (("values", values), ("low", low), ("high", high)):
        if asked is not None and not (isinstance(asked, Mapping) and set(asked) <= set(known)):
            example = ", ".join(f"{each!r}: …" for each in known)
            raise SpaceError(
                f"{name} of a {kind.name} search must be by name, {{{example}}}; got {asked!r}"
            )
        given[name] = asked if isinstance(asked, Mapping) else {}
    found = []
    for dimension in kind.dimensions:
        name, usual = dimension.name, dimension.range
        if name in given["values"]:
            tried = _values(dimension, given["values"][name])
            found.append(Dimension(dimension.parameter, values=tried))
        elif name in given["low"] or name in given["high"]:
            assert usual is not None  # noqa: S101  # searches over several parameters have ranges
            ends = (given["low"].get(name, usual.low), given["high"].get(name, usual.high))
            found.append(dimension.with_range(LogRange(end("low", ends[0]), end("high", ends[1]))))
    return tuple(found)


def _values(dimension: "Dimension", values: Any) -> "tuple[Value, ...]":
    values = plain(values)
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SpaceError(f"values must be a list, as in [1e-4, 1e-2]; got {values!r}")
    return tuple(dimension.parameter.checked(plain(value)) for value in values)


def end(name: str, value: Any) -> float:
    """Return an end of a range.

    Raises:
        SpaceError: If it is no number.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpaceError(f"{name} must be a number, got {value!r}")
    return float(value)


def _whole(name: str, value: Any) -> int | None:
    value = plain(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise SpaceError(f"{name} must be a whole number, got {value!r}")
    return value
