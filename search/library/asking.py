"""What is asked of a stage, from Python's values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.library.settings import plain
from studies.errors import SpaceError

if TYPE_CHECKING:
    from studies.dimensions import Dimension, Value
    from studies.search_kind import SearchKind
    from studies.stages import StageRequest

Values = Sequence[Any] | Mapping[str, Sequence[Any]]
End = float | Mapping[str, float]


def stage_request(
    kind: "SearchKind",
    *,
    trials: int | None = None,
    values: Values | None = None,
    low: End | None = None,
    high: End | None = None,
    replicates: int | None = None,
    dimensions: "tuple[Dimension, ...]" = (),
    **others: Any,
) -> "StageRequest":
    """Return what is asked of a stage.

    Args:
        kind: The search.
        trials: As of ``StageRequest``.
        values: To try; of a search over several parameters, by name.
        low: Lower end of the range; likewise.
        high: Upper end of the range; likewise.
        replicates: As of ``StageRequest``.
        dimensions: Likewise.
        others: Likewise.

    Raises:
        SpaceError: If they are no such values.
    """
    from studies.stages import StageRequest

    counts: dict[str, Any] = {
        "n_trials": _whole("trials", trials),
        "replicates": _whole("replicates", replicates),
    }
    if len(kind.dimensions) > 1:
        several = _several(kind, values, low, high)
        return StageRequest(**counts, dimensions=(*dimensions, *several), **others)
    if dimensions and values is not None:
        raise SpaceError("a stage has either values or one_at_a_time=, got both")
    (dimension,) = kind.dimensions
    for name, given in (("values", values), ("low", low), ("high", high)):
        if isinstance(given, Mapping):
            raise SpaceError(
                f"a {kind.name} search is over one parameter: {name} must not be by name"
            )
    return StageRequest(
        **counts,
        values=None if values is None else _values(dimension, values),
        low=None if low is None else _end("low", low),
        high=None if high is None else _end("high", high),
        dimensions=dimensions,
        **others,
    )


def _several(
    kind: "SearchKind", values: Values | None, low: End | None, high: End | None
) -> "tuple[Dimension, ...]":
    from studies.dimensions import Dimension
    from studies.spaces import LogRange

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
            found.append(
                dimension.with_range(LogRange(_end("low", ends[0]), _end("high", ends[1])))
            )
    return tuple(found)


def _values(dimension: "Dimension", values: Any) -> "tuple[Value, ...]":
    values = plain(values)
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SpaceError(f"values must be a list, as in [1e-4, 1e-2]; got {values!r}")
    return tuple(dimension.parameter.checked(plain(value)) for value in values)


def _end(name: str, value: Any) -> float:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpaceError(f"{name} must be a number, got {value!r}")
    return float(value)


def _whole(name: str, value: Any) -> int | None:
    value = plain(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise SpaceError(f"{name} must be a whole number, got {value!r}")
    return value
