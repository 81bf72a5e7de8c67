"""What to say of a recipe that is none: one line, with the key and the reason."""

import difflib
import math
import re
from collections.abc import Callable, Collection
from string import Formatter
from typing import Any

from pydantic import BaseModel, ValidationError

from coarsefine.hints import Message, Part, option
from coarsefine.studies.errors import did_you_mean

_BOUNDS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": (">=", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("<=", "le"),
}
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text",
    "tuple_type": "a list",
    "model_type": "a section",
    "model_attributes_type": "a section",
    "finite_number": "finite",
}
# What other programs and our own code call them.
OTHER_WORDS = {
    "l2_strength": "lambda",
    "weight_decay": "lambda",
    "learning_rate": "eta",
    "lr": "eta",
    "n_s": "ns",
    "half_cycle": "ns",
    "layers": "hidden",
    "dataset": "name",
    "init": "initialisation",
}


class ContradictionError(ValueError):
    """Two statements of a recipe that do not go together.

    Args:
        template: The sentence, with ``{}`` where the keys go.
        keys: The keys, with their sections.
    """

    def __init__(self, template: str, *keys: str) -> None:
        super().__init__(template.format(*keys))
        self.template = template
        self.keys = keys

    def named(self, name: Callable[[str], Part]) -> Message:
        """Return the sentence with each key as ``name`` gives it."""
        keys, parts = iter(self.keys), list[Part]()
        for text, field, _, _ in Formatter().parse(self.template):
            parts += [text] if field is None else [text, name(next(keys))]
        return Message(*parts)


def literal(value: Any) -> str:
    """Return what a user wrote, to stand in a template as it is."""
    return str(value).replace("{", "{{").replace("}", "}}")


def exact(value: Any) -> Any:
    """Return NumPy's numbers and arrays as Python's own; anything else as it is."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
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


def checked_trainer(name: str) -> str:
    """Return ``name`` if it names a function in a module, as trainers of the user's do."""
    if not _TRAINER.fullmatch(name):
        rule = "must be package.module:function, as in my_lab.net:train"
        raise ValueError(f"{rule}, got {shown(name)}")
    return name


def checked_params(params: dict[str, Any]) -> dict[str, Any]:
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


def explained(error: ValidationError, model: type[BaseModel], flags: Collection[str]) -> Message:
    """Return what is wrong in one line.

    Args:
        error: What pydantic found.
        model: The recipe's type, to guess what was meant by an unknown key.
        flags: Keys that were stated as options, and are named so.
    """
    problems = error.errors(include_url=False)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Message(_sentence(problems[0], model, flags), more)


def _sentence(problem: Any, model: type[BaseModel], flags: Collection[str]) -> Message:
    def name(key: str) -> Part:
        return option(key) if key in flags else key

    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    key = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    cause = context.get("error")
    if isinstance(cause, ContradictionError):
        return cause.named(name)
    if kind == "extra_forbidden":
        return Message(f"{key} is no key of a recipe{_meant_key(key, model)}")
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        close = did_you_mean(str(value), choices)
        rule = f"must be one of {', '.join(choices)}, got {shown(value)}{close}"
    elif kind in _BOUNDS:
        sign, bound = _BOUNDS[kind]
        rule = f"must be {sign} {shown(context[bound])}, got {shown(value)}"
    elif kind in _KINDS:
        rule = f"must be {_KINDS[kind]}, got {shown(value)}"
    else:
        rule = str(cause) if cause is not None else problem["msg"]
    return Message(name(key), f" {rule}")


def _meant_key(key: str, model: type[BaseModel]) -> str:
    """Return a guess among the keys of the same section, then of all, then of their authors."""
    keys = _keys(model)
    section, dot, name = key.rpartition(".")
    names = [other.removeprefix(section + dot) for other in keys if other.startswith(section + dot)]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {section}{dot}{close[0]}?"
    name = OTHER_WORDS.get(name, name)
    elsewhere = [other for other in keys if other.rpartition(".")[2] == name]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else ""


def _keys(model: type[BaseModel]) -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += [name, *(f"{name}.{key}" for key in _keys(inner))]
        else:
            keys.append(field.alias or name)
    return keys
