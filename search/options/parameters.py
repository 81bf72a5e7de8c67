"""Commands whose arguments are dataclasses of options, as functions that Typer understands."""

import copy
import inspect
from collections.abc import Callable, Collection, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_args, get_type_hints

from coarsefine.paths import expanded
from coarsefine.search.ending import announcing, came_of
from coarsefine.search.errors import DONE
from coarsefine.search.interrupts import terminable
from coarsefine.search.options.completion import completion_of

Command = Callable[..., int | None]


def flattened(
    function: Command, hidden: Collection[str] = (), *, announced: bool = False
) -> Command:
    """Return ``function`` with the fields of its dataclass parameters in place of these.

    A field is declared as Typer has it, ``Annotated[type, typer.Option(...)] = default``, or is a
    dataclass of options itself.

    Args:
        function: A command that takes nothing else; what it returns is its exit status.
        hidden: Fields that the help leaves out.
        announced: Whether the user may be told of its end: by its ``jobs`` and its ``storage``,
            or those of its ``options``.
    """
    hints = get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    parameters = [p for hint in hints.values() for p in _parameters(hint, hidden)]

    def command(**values: Any) -> int:
        arguments = {name: _made(hint, values) for name, hint in hints.items()}
        # Typer would end the program without a word.
        with terminable():
            if not announced:
                return function(**arguments) or DONE
            groups = arguments.get("options") or SimpleNamespace(**arguments)
            with announcing(function.__name__, groups.storage.url, groups.jobs.end):
                status = function(**arguments) or DONE
                came_of(exit_status=status)
            return status

    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameters(group: Any, hidden: Collection[str]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from _parameters(hint, hidden)
        else:
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=_declared(hint, field.name, hidden=field.name in hidden),
            )


def _declared(hint: Any, name: str, *, hidden: bool) -> Any:
    """Return a declaration with what completes it, left out of the help if that is wanted."""
    complete = completion_of(name)
    if not hidden and complete is None:
        return hint
    kind, option = get_args(hint)
    option = copy.copy(option)
    option.hidden = option.hidden or hidden
    option.autocompletion = option.autocompletion or complete
    return Annotated[kind, option]


def _expanded(value: Any) -> Any:
    """Return a value, paths with a home in place of a leading ``~``: shells leave ``-o=~/x``."""
    return expanded(value) if isinstance(value, Path) else value


def _made(group: Any, values: dict[str, Any]) -> Any:
    """Return a dataclass of options with the values that came for its fields."""
    hints = get_type_hints(group, include_extras=True)
    return group(
        **{
            field.name: _made(hints[field.name], values)
            if is_dataclass(hints[field.name])
            else _expanded(values[field.name])
            for field in fields(group)
        }
    )
