"""What to do next, as data: each face writes it in the words of its reader.

Errors and notes are made on floors that know neither options nor commands. They are built of
parts: text, and hints where a reader has to state or call something. The command line writes a
hint as an option or a command, the Python face as a keyword or a call.

>>> error = Message("use a smaller ", option("training.batch_size"))
>>> error.spelled(lambda hint: f"<{hint.settings[0][0]}>")
'use a smaller <training.batch_size>'
>>> str(error)
'use a smaller training.batch_size'
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

SET = "set"
SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that the reader can state or call.

    Attributes:
        action: ``set`` states options; anything else calls a command: ``search``, ``test``, ….
        settings: Options, or keys of a recipe with their section, each with its value: ``None``
            where the reader chooses it, a tuple of those to choose from.
        study: The study that a command is about.
        search: Of ``search``: what is searched, such as ``lambda``.
        stage: Of ``search``: ``coarse``, ``fine``, … or nothing where there is one stage only.
    """

    action: str
    settings: tuple[tuple[str, object], ...] = ()
    study: str | None = None
    search: str = ""
    stage: str = ""

    def __str__(self) -> str:
        """Return the hint without the words of any face, for logs."""
        stated = ", ".join(_plain(key, value) for key, value in self.settings)
        if self.action == SET:
            return stated
        named = [self.action, self.search, self.stage, self.study or "", stated]
        return " ".join(word for word in named if word)


def _plain(key: str, value: object) -> str:
    return key if value is None else f"{key} = {alternatives(value, _plain_value)}"


def _plain_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def alternatives(value: object, written: Callable[[object], str]) -> str:
    """Return a value as ``written`` writes it; of a tuple, the values to choose from.

    >>> alternatives(("median", "indicator", "drop"), str)
    'median, indicator or drop'
    """
    values = [written(one) for one in (value if isinstance(value, tuple) else (value,))]
    return " or ".join(word for word in [", ".join(values[:-1]), values[-1]] if word)


def option(key: str, value: object = None) -> Hint:
    """Return the hint to state an option, or a key of a recipe with its section.

    >>> print(option("study"), option("training.schedule", "constant"), sep="; ")
    study; training.schedule = constant
    """
    return Hint(SET, ((key, value),))


def command(action: str, study: str | None = None, **settings: object) -> Hint:
    """Return the hint to call a command, about a study or about none.

    >>> print(command("test", "digits/lambda", refit="none"))
    test digits/lambda refit = none
    """
    return Hint(action, tuple(settings.items()), study)


def search_command(
    search: str, stage: str = "", *, study: str | None = None, **settings: object
) -> Hint:
    """Return the hint to search.

    >>> print(search_command("lambda", "coarse", low="1e-7"))
    search lambda coarse low = 1e-7
    """
    return Hint(SEARCH, tuple(settings.items()), study, search, stage)


Spelling: TypeAlias = Callable[[Hint], str]
Part: TypeAlias = "str | Hint | Message"


@dataclass(frozen=True, init=False)
class Message:
    """A text with hints in it."""

    parts: tuple[Part, ...]

    def __init__(self, *parts: Part) -> None:
        object.__setattr__(self, "parts", parts)

    def spelled(self, spelling: Spelling) -> str:
        """Return the text with each hint as ``spelling`` writes it."""
        return "".join(spelled(part, spelling) for part in self.parts)

    def __str__(self) -> str:
        return self.spelled(str)


def spelled(part: object, spelling: Spelling) -> str:
    """Return a text, a hint, a message or an error in the words of a face."""
    if isinstance(part, Hint):
        return spelling(part)
    if isinstance(part, Message | HintedError):
        return part.spelled(spelling)
    return str(part)


def joined(separator: str, messages: "list[Part]") -> Message:
    """Return messages as one, with ``separator`` between them.

    >>> print(joined(", ", ["a", option("study"), "b"]))
    a, study, b
    """
    parts: list[Part] = []
    for message in messages:
        parts += [separator, message] if parts else [message]
    return Message(*parts)


class HintedError(Exception):
    """An error whose arguments are the parts of its message, in their order.

    >>> print(HintedError("it is taken; choose another name with ", option("study")))
    it is taken; choose another name with study
    """

    @property
    def message(self) -> Message:
        """The message, to be said in another error or in a note."""
        return Message(*self.args)

    def spelled(self, spelling: Spelling) -> str:
        """Return the message with each hint as ``spelling`` writes it."""
        return self.message.spelled(spelling)

    def __str__(self) -> str:
        return str(self.message)
