"""What a user varies, parameter by parameter: ranges with a scale, or values."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from coarsefine.hints import option
from coarsefine.studies.errors import SpaceError, did_you_mean
from coarsefine.studies.recipes.keys.bounds import bounds_of
from coarsefine.studies.recipes.keys.kinds import number_of
from coarsefine.studies.spaces.conditions import check_conditions, when_of
from coarsefine.studies.spaces.dimensions import (
    SEVERAL,
    VARIANT,
    WIDTH,
    Dimension,
    parameter,
    shown,
)
from coarsefine.studies.spaces.scales import SCALES, Scale, range_of
from coarsefine.studies.spaces.search import SearchKind

SPACE: Final = "space"
EXAMPLE: Final = "eta=1e-4..1e-1"
"""What may be varied, where a message has to say how."""
_DOTS: Final = ".."
_WHEN: Final = ":when="
# Trials of a first stage, and of one that narrows it, by the number of ranges: those of three and
# more are powers of two, as a Sobol sequence has it.
_TRIALS: Final = {0: (8, 8), 1: (8, 8), 2: (25, 16)}
_MORE: Final = (16, 32)


def varied(text: str) -> Dimension:
    """Return what is varied, as it is written on a command line.

    Args:
        text: ``KEY=LOW..HIGH``, then any of ``:log``, ``:linear``, ``:logit``, ``:int`` and
            ``:step=S``; or ``KEY=A,B,C``. After either, ``:when=OTHER=A,B`` says at which values
            of another one it is used.

    Raises:
        SpaceError: If it is neither, or the recipe has no such key or no such values.

    >>> varied("eta=1e-4..1e-1").range
    LogRange(low=0.0001, high=0.1)
    >>> varied("hidden=16..256:int").name, varied("optimizer=sgd,adam").values
    ('width', ('sgd', 'adam'))
    >>> varied("momentum=0.5..0.99:logit:when=optimizer=momentum").when
    (('optimizer', ('momentum',)),)
    """
    text, *conditions = text.split(_WHEN)
    return replace(_unconditional(text), when=_conditions(conditions))


def _conditions(texts: Sequence[str]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not (name and equals and values):
            raise SpaceError(
                "a condition is :when=KEY=VALUE,VALUE, as in :when=optimizer=momentum; got "
                f"{_WHEN}{text[:30]}"
            )
        found[name] = values.split(",")
    return when_of(found)


def _unconditional(text: str) -> Dimension:
    name, equals, what = (part.strip() for part in text.partition("="))
    if not (name and equals and what):
        raise SpaceError(
            option("vary"),
            f" must be KEY=LOW..HIGH or KEY=VALUE,VALUE, as in {EXAMPLE}; got {text[:60]!r}",
        )
    known = parameter(name)
    if known.name == VARIANT:
        raise SpaceError("variants are named in a lab file, under search.variants")
    if _DOTS not in what:
        return Dimension(known, values=tuple(known.parse(part) for part in what.split(",")))
    ends, *said = what.split(":")
    low, _, high = ends.partition(_DOTS)
    scale: Scale | None = None
    integer, step = False, None
    for word in (each.strip() for each in said):
        if word in SCALES:
            scale = next(each for each in SCALES if each == word)
        elif word in {"int", "integer"}:
            integer = True
        elif word.startswith("step="):
            step = _number(word.removeprefix("step="), text)
        else:
            choices = [*SCALES, "int", "step=", "when="]
            raise SpaceError(
                f"a range of {name} is followed by :{', :'.join(SCALES)}, :int, :step=S or "
                f":when=KEY=VALUE; got :{word[:30]}{did_you_mean(word, choices)}"
            )
    return ranged(
        name, _number(low, text), _number(high, text), scale=scale, integer=integer, step=step
    )


def ranged(
    name: str,
    low: float,
    high: float,
    *,
    scale: Scale | None = None,
    integer: bool = False,
    step: float | None = None,
) -> Dimension:
    """Return a parameter with a range, inside its natural limits.

    Args:
        name: The parameter's name, or its key; a range of hidden layers is of the units of one.
        low: Lower end.
        high: Upper end.
        scale: ``None`` is logarithmic.
        integer: Whether values are whole numbers.
        step: Between values, from ``low``.

    Raises:
        SpaceError: If it has no such range.
    """
    known = parameter(name)
    if known.key == "network.hidden":
        known = parameter(WIDTH)
    if known.numeric:
        bounds = bounds_of(known.kind)
        for end in (low, high):
            outside = not bounds.low <= end <= bounds.high
            open_low = bounds.low_open and end == bounds.low and bounds.low > 0
            open_high = bounds.high_open and end == bounds.high and math.isfinite(end)
            if outside or open_low or open_high:
                least = f"{'>' if bounds.low_open else '>='} {bounds.low:g}"
                most = f" and {'<' if bounds.high_open else '<='} {bounds.high:g}"
                rule = least + (most if math.isfinite(bounds.high) else "")
                raise SpaceError(f"a range of {known.name} must be {rule}, got {end:g}")
    part = next((end for end in (low, high) if integer and not float(end).is_integer()), None)
    if part is not None:
        raise SpaceError(f"a range of whole numbers has whole ends, got {part:g}")
    if step is not None and not 0 < step <= high - low:
        raise SpaceError(f"the step of {known.name} must fit its range, got {step:g}")
    if (integer or not known.continuous) and step is not None and step != int(step):
        raise SpaceError(f"the step of whole numbers must be whole, got {step:g}")
    # What has whole numbers only needs no word for it.
    integer = integer and known.continuous
    return Dimension(known, range_of(low, high, scale or "log"), integer=integer, step=step)


def _number(text: str, whole: str) -> float:
    try:
        return number_of(text)
    except SpaceError:
        raise
    except ValueError:
        raise SpaceError(
            f"a range is two numbers, as in 1e-4..1e-1; got {text.strip()[:30]!r} in {whole[:60]!r}"
        ) from None


def varied_text(dimension: Dimension) -> str:
    """Return what ``varied`` reads as the same dimension; of none that are variants.

    >>> varied_text(varied("momentum=0.5..0.99:logit:when=optimizer=momentum"))
    'momentum=0.5..0.99:logit:when=optimizer=momentum'
    >>> varied_text(varied("hidden=16..256:int")), varied_text(varied("optimizer=sgd,adam"))
    ('hidden=16..256', 'optimizer=sgd,adam')
    """

    def word(value: Any) -> str:
        return repr(value).removesuffix(".0") if isinstance(value, float) else shown(value)

    searched = dimension.range
    name = "hidden" if dimension.name == WIDTH else dimension.name
    said = []
    if searched is None:
        what = ",".join(map(word, dimension.values or ()))
    else:
        what = f"{word(searched.low)}{_DOTS}{word(searched.high)}"
        said = [
            *([] if dimension.scale == "log" else [dimension.scale]),
            *(["int"] if dimension.integer else []),
            *([] if dimension.step is None else [f"step={word(dimension.step)}"]),
        ]
    when = [f"{_WHEN}{key}={','.join(map(word, values))}" for key, values in dimension.when]
    return "".join([name, "=", what, *(f":{each}" for each in said), *when])


def space_kind(dimensions: Sequence[Dimension]) -> SearchKind:
    """Return the search over some dimensions.

    Raises:
        SpaceError: If there are none, or one twice.
    """
    names = [d.name for d in dimensions]
    if not names:
        raise SpaceError("a search over a space needs something to vary: ", option("vary", EXAMPLE))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or {"hidden", WIDTH} <= {*names}:
        raise SpaceError(f"each parameter is varied once, got {twice or 'hidden'} twice")
    check_conditions(dimensions)
    n_ranges = sum(d.range is not None for d in dimensions)
    n_coarse, n_fine = _TRIALS.get(n_ranges, _MORE)
    implied: dict[str, Any] = {}
    if "eta" in names:
        implied["training.schedule"] = "constant"
    if "momentum" in names and "optimizer" not in names:
        implied["training.optimizer"] = "momentum"
    return SearchKind(
        name=SPACE,
        dimensions=tuple(dimensions),
        n_coarse=n_coarse,
        n_fine=n_fine,
        refines=n_ranges > 0,
        implied=implied,
        sampler="qmc" if n_ranges >= SEVERAL else "grid",
    )
