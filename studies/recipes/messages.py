"""What to say of a recipe that is none: one line, with the key and the reason."""

import difflib
from collections.abc import Callable, Collection, Sequence
from string import Formatter
from typing import Any

from pydantic import BaseModel, ValidationError

from coarsefine.hints import Message, Part, option
from coarsefine.studies.errors import did_you_mean
from coarsefine.studies.recipes.keys import KEYS, Key
from coarsefine.studies.recipes.keys.kinds import shown

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
    "string_unicode": "a text in UTF-8",
    "string_too_short": "a text",
    "tuple_type": "a list",
    "model_type": "a section",
    "model_attributes_type": "a section",
    "finite_number": "finite",
}
# What other programs and our own code call them.
OTHER_WORDS = {word: key for key in KEYS.values() for word in key.other_names}


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


def in_words(value: object) -> str:
    """Return what a recipe or a request states, to stand in a sentence.

    >>> in_words(None), in_words(False), in_words([8])
    ('none', 'no', '[8]')
    """
    if value is None:
        return "none"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


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
        meant = _meant_key(key, model) if "." in key else _meant_section(key, model)
        return Message(f"{key} is not a key of a recipe{meant}")
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        close = did_you_mean(str(value), choices)
        rule = f"must be one of {', '.join(choices)}, got {shown(value)}{close}"
    elif kind in _BOUNDS:
        sign, bound = _BOUNDS[kind]
        rule = f"must be {sign} {shown(context[bound])}, got {shown(value)}"
    elif kind == "too_long":
        most, length = context["max_length"], context["actual_length"]
        rule = f"must have at most {most:,} entries, got {length:,}"
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
    name = OTHER_WORDS[name].name if name in OTHER_WORDS else name
    elsewhere = [other for other in keys if other.rpartition(".")[2] == name]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else ""


def _meant_section(name: str, model: type[BaseModel]) -> str:
    """Return where a key belongs that stands above all sections of a file."""
    known = OTHER_WORDS.get(name) or _close(name, [key for key in KEYS.values() if key.section])
    top = difflib.get_close_matches(name, model.model_fields, n=1, cutoff=0.6)
    if known is None or (top and known.name != name):
        return f"; did you mean {top[0]}?" if top else ""
    if known.name == name:
        return f" by itself; write it below [{known.section}]"
    return f"; did you mean {known.name} below [{known.section}]?"


def _close(name: str, keys: Sequence[Key]) -> Key | None:
    """Return the key of the name that is closest; of equal names, that of the training."""
    close = difflib.get_close_matches(name, [key.name for key in keys], n=1, cutoff=0.6)
    alike = [key for key in keys if key.name in close]
    return max(alike, key=lambda key: key.section == "training", default=None)


def _keys(model: type[BaseModel]) -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += [name, *(f"{name}.{key}" for key in _keys(inner))]
        else:
            keys.append(field.alias or name)
    return keys
