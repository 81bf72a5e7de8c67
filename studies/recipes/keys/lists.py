"""What keys take that are lists of numbers: widths of layers, weights of classes."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from coarsefine.hints import option
from coarsefine.studies.errors import RecipeError, SpaceError
from coarsefine.studies.recipes.keys.kinds import Choice, Kind, Value, exact, shown

# Of a hundred times deeper networks than any of the labs: a list in a file may be of any length.
MOST_LAYERS: Final = 1000
MOST_CLASSES: Final = 65_535


class Widths(Kind):
    """The widths of hidden layers; none is no hidden layer."""

    __slots__ = ()
    most: ClassVar[int] = 10**6
    metavar: ClassVar[str] = "WIDTHS"

    def rule(self, name: str) -> str:
        """Return how widths are written in a list of values."""
        return "hidden layers must be widths joined by -, as in 64 or 59-59, or none"

    def parse(self, text: str, name: str) -> Value:
        """Return the widths of ``59-59``."""
        try:
            return _widths(text, "-")
        except ValueError:
            raise SpaceError(f"{self.rule(name)}, got {text!r}") from None

    def checked(self, value: Any, name: str) -> Value:
        """Return the widths; a number is one layer."""
        return (value,) if isinstance(value, int) else Kind.checked(self, value, name)

    def typed(self, value: str) -> tuple[int, ...]:
        """Return the widths of ``50,50``."""
        try:
            return _widths(value, ",")
        except ValueError:
            raise RecipeError(
                option("network.hidden"),
                f" must be whole numbers separated by commas, as in 50,50, or none; got {value!r}",
            ) from None

    def __iter__(self) -> Iterator[Any]:
        from pydantic import Field, Strict

        yield Strict(False)
        yield Field(max_length=MOST_LAYERS)


class Weights(Choice):
    """A number > 0 for each class, or the word for numbers that follow from their shares."""

    __slots__ = ()
    metavar: ClassVar[str] = "WEIGHTS"

    def typed(self, value: str) -> Any:
        """Return ``balanced``, or the numbers of ``1,2,1``."""
        try:
            return value if value == "balanced" else tuple(map(float, value.split(",")))
        except ValueError:
            raise RecipeError(
                option("training.class_weights"),
                f" must be balanced or numbers separated by commas, as in 1,2,1; got {value!r}",
            ) from None

    def __iter__(self) -> Iterator[Any]:
        from pydantic import BeforeValidator

        yield BeforeValidator(_checked_weights)


class Classes(Kind):
    """Names of classes, several of which may be taken for one."""

    __slots__ = ()
    metavar: ClassVar[str] = "CLASSES"

    def typed(self, value: str) -> Any:
        """Return the classes of ``2,3`` or ``0+1,2+3``."""
        return tuple(tuple(group.split("+")) for group in value.split(","))

    def __iter__(self) -> Iterator[Any]:
        from pydantic import BeforeValidator

        yield BeforeValidator(_checked_classes)


def _widths(text: str, separator: str) -> tuple[int, ...]:
    if text.strip().lower() in {"", "none"}:
        return ()
    return tuple(int(width) for width in text.split(separator))


def _checked_weights(value: Any) -> Any:
    """Return ``value`` if it is weights of classes, as a tuple of numbers where it has numbers."""
    if value is None or value == "balanced":
        return value
    numbers = exact(value)
    if isinstance(numbers, list | tuple) and 2 <= len(numbers) <= MOST_CLASSES:
        weights = [w for w in numbers if isinstance(w, int | float) and not isinstance(w, bool)]
        if len(weights) == len(numbers) and all(math.isfinite(w) and w > 0 for w in weights):
            return tuple(map(float, weights))
    raise ValueError(f"must be balanced or a number > 0 for each class, got {shown(value)}")


def _checked_classes(value: Any) -> Any:
    """Return ``value`` if it is a list of classes or of lists of them, each a name or a number."""
    if value is None:
        return value
    groups = [
        tuple(group) if isinstance(group, list | tuple) else (group,)
        for group in (exact(value) if isinstance(value, list | tuple) else ())
    ]
    names = [name for group in groups for name in group]
    plain = all(isinstance(name, int | str) and not isinstance(name, bool) for name in names)
    if len(groups) >= 2 and len(names) <= MOST_CLASSES and plain and all(groups):
        return tuple(tuple(map(str, group)) for group in groups)
    raise ValueError(
        "must be two classes or more, each a name or a list of names taken for one, as in "
        f"[2, 3] or [[0, 1], [2, 3]], got {shown(value)}"
    )
