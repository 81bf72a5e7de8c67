"""What a key of a recipe takes: a class for each kind of value, and what every kind has to tell.

Nothing here loads pydantic or NumPy: the help of the command line is made from it.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from coarsefine.models.specs import named_bias
from coarsefine.studies.errors import RecipeError, SpaceError

Value = float | int | str | bool | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """Words: any, or the choices that the key's type names.

    Attributes:
        metavar: What the help of the command line writes for a value.
        numeric: Whether values have an order, so that a search can have a range of them.
        continuous: Whether all numbers of a range are values.
    """

    # Pydantic takes a kind for what it yields.
    __is_annotated_types_grouped_metadata__: ClassVar = True
    metavar: ClassVar[str] = "KIND"
    numeric: ClassVar[bool] = False
    continuous: ClassVar[bool] = False

    @property
    def zero_allowed(self) -> bool:
        """Return whether 0 is a value."""
        return False

    def rule(self, name: str) -> str:
        """Return in words what values of a parameter have to be."""
        return f"values of {name} must be choices"

    def parse(self, text: str, name: str) -> Value:
        """Return the value that stands in a list of values to try.

        Raises:
            SpaceError: If it is none; names the parameter.
        """
        return {"true": True, "false": False}.get(text.lower(), text)

    def checked(self, value: Any, name: str) -> Value:
        """Return a value as trials have it.

        Raises:
            SpaceError: If it cannot be one; what else the recipe asks of it is for the recipe.
        """
        return tuple(value) if isinstance(value, list) else value

    def typed(self, value: Any) -> Any:
        """Return what an option of the command line was given, as a recipe states it.

        Raises:
            RecipeError: If it cannot be that.
        """
        return value

    def __iter__(self) -> Iterator[Any]:
        """Yield what pydantic checks values by."""
        return iter(())


class Choice(Kind):
    """One of the words that the key's type names."""

    __slots__ = ()


class Switch(Kind):
    """True or false."""

    __slots__ = ()
    metavar: ClassVar[str] = ""


class Bias(Choice):
    """A choice that ``true`` and ``false`` stand for, too."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        from pydantic import BeforeValidator

        yield BeforeValidator(named_bias)


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Any text, of so many characters at least."""

    min_length: int = 0

    def __iter__(self) -> Iterator[Any]:
        from annotated_types import MinLen

        if self.min_length:
            yield MinLen(self.min_length)


@dataclass(frozen=True, slots=True)
class Real(Kind):
    """A finite number between bounds; ``None`` is no bound."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    metavar: ClassVar[str] = "X"
    numeric: ClassVar[bool] = True
    continuous: ClassVar[bool] = True

    @property
    def zero_allowed(self) -> bool:
        """Return whether 0 is a value."""
        # On a log scale 0 lies infinitely far away, but no penalty is worth trying.
        return self.least == 0

    def rule(self, name: str) -> str:
        """Return that values are finite, and whether 0 is one."""
        return f"values of {name} must be finite and {'>=' if self.zero_allowed else '>'} 0"

    def parse(self, text: str, name: str) -> Value:
        """Return the number."""
        try:
            value = number_of(text)
        except SpaceError:
            raise
        except ValueError:
            raise SpaceError(f"{self.rule(name)}, got {text!r}") from None
        return self.checked(value, name)

    def checked(self, value: Any, name: str) -> Value:
        """Return the number, where 0 has no sign."""
        number = float(_number(self, value, name)) + 0.0  # no -0.0
        if not (math.isfinite(number) and (number > 0 or (number == 0 and self.zero_allowed))):
            raise SpaceError(f"{self.rule(name)}, got {number:g}")
        return number

    def __iter__(self) -> Iterator[Any]:
        from annotated_types import Ge, Gt, Le, Lt

        bounds = ((Ge, self.least), (Gt, self.above), (Le, self.most), (Lt, self.below))
        for bound, value in bounds:
            if value is not None:
                yield bound(value)


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number, which may be written as 1.0; a count unless bounds say otherwise."""

    least: int = 1
    most: int = 10**9

    metavar: ClassVar[str] = "N"
    numeric: ClassVar[bool] = True

    @property
    def zero_allowed(self) -> bool:
        """Return whether 0 is a value: none."""
        return self.least == 0

    def rule(self, name: str) -> str:
        """Return that values are counts."""
        return f"values of {name} must be whole numbers >= {min(self.least, 1)}"

    def parse(self, text: str, name: str) -> Value:
        """Return the number."""
        try:
            value = int(text)
        except ValueError:
            raise SpaceError(f"{self.rule(name)}, got {text!r}") from None
        return self.checked(value, name)

    def checked(self, value: Any, name: str) -> Value:
        """Return the number as an integer."""
        value = _number(self, value, name)
        if value != int(value) or value < min(self.least, 1):
            raise SpaceError(f"{self.rule(name)}, got {value!r}")
        return int(value)

    def __iter__(self) -> Iterator[Any]:
        from annotated_types import Ge, Le
        from pydantic import BeforeValidator

        yield from (BeforeValidator(whole), Ge(self.least), Le(self.most))


class Size(Kind):
    """A number of samples, or a fraction of them."""

    __slots__ = ()
    metavar: ClassVar[str] = "SIZE"
    numeric: ClassVar[bool] = True

    def rule(self, name: str) -> str:
        """Return what a size is."""
        return f"values of {name} must be counts >= 1 or fractions between 0 and 1"

    def parse(self, text: str, name: str) -> Value:
        """Return a fraction where there is a point or an exponent, else a count."""
        try:
            value = float(text) if "." in text or "e" in text else int(text)
        except ValueError:
            raise SpaceError(f"{self.rule(name)}, got {text!r}") from None
        return self.checked(value, name)

    def checked(self, value: Any, name: str) -> Value:
        """Return the size."""
        value = _number(self, value, name)
        if not (value >= 1 if isinstance(value, int) else 0 < value < 1):
            raise SpaceError(f"{self.rule(name)}, got {value!r}")
        return value  # type: ignore[no-any-return]  # a number, by now

    def typed(self, value: str) -> int | float:
        """Return ``5000`` as a number of samples and ``0.1`` as a fraction of them."""
        fraction = "." in value or "e" in value.lower()
        try:
            return checked_size(float(value) if fraction else int(value))
        except ValueError:
            raise RecipeError(
                f"sizes are a number of samples >= 1 or a fraction between 0 and 1, got {value!r}"
            ) from None

    def __iter__(self) -> Iterator[Any]:
        from pydantic import PlainValidator

        yield PlainValidator(checked_size)


class Trainer(Text):
    """A function in a module."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        from pydantic import AfterValidator

        yield AfterValidator(_checked_trainer)


class Params(Kind):
    """Names with numbers, texts or lists of them."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        from pydantic import AfterValidator

        yield AfterValidator(_checked_params)


def number_of(text: str) -> float:
    """Return the number that a text stands for.

    Raises:
        SpaceError: If it is a number that is not 0, and too small to be anything else here.
        ValueError: If it is no number.

    >>> number_of("1e-4"), number_of("0e-4")
    (0.0001, 0.0)
    """
    value = float(text)
    mantissa = text.lower().partition("e")[0]
    if value == 0 and any(letter.isdigit() and letter != "0" for letter in mantissa):
        raise SpaceError(
            f"{text.strip()} is too small a number: it would become 0; write 0 for none"
        )
    return value


def _number(kind: Kind, value: Any, name: str) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise SpaceError(f"{kind.rule(name)}, got {value!r}")


def exact(value: Any) -> Any:
    """Return numbers and arrays of NumPy and pandas as Python's own; anything else as it is."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return type(value)(exact(item) for item in value)
    return value


def whole(value: Any) -> Any:
    """Return a whole number that is written as 1.0 as 1; anything else as it is."""
    value = exact(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def checked_size(value: Any) -> int | float:
    """Return ``value`` if it is a count >= 1 or a fraction in (0, 1), as sizes of splits are."""
    value = whole(value) if exact(value) != 1.0 else exact(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (value >= 1 if isinstance(value, int) else 0 < value < 1):
        return value  # type: ignore[no-any-return]  # isinstance above, kept in a variable
    raise ValueError(
        f"must be a number of samples >= 1 or a fraction between 0 and 1, got {shown(value)}"
    )


_TRAINER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _checked_trainer(name: str | None) -> str | None:
    """Return ``name`` if it names a function in a module, as custom trainers do."""
    if name is not None and not _TRAINER.fullmatch(name):
        rule = "must be package.module:function, as in my_lab.net:train"
        raise ValueError(f"{rule}, got {shown(name)}")
    return name


def _checked_params(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a trainer is given if these are names with numbers, texts or lists of them."""
    for name, value in params.items():
        if not name.isidentifier():
            raise ValueError(f"must have names as Python's, got {name!r}")
        for one in value if isinstance(value, list | tuple) else [value]:
            number = isinstance(one, int | float) and math.isfinite(one)
            if not (number or isinstance(one, str)):
                raise ValueError(f"must be numbers, texts or lists of them, got {name} = {one!r}")
    return params


def shown(value: Any) -> str:
    """Return a value as it stands in a message: short, and as its author would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return repr(value).removesuffix(".0")
    if isinstance(value, list | tuple):
        return ",".join(shown(item) for item in value) or "none"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
