"""What is known of a key of a recipe, and the list of keys that annotated classes declare."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, get_args, get_origin, get_type_hints

from coarsefine.studies.recipes.keys.kinds import Kind

ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Needs:
    """The choices of another key of the section with which a key plays a part.

    Attributes:
        instead_of: Choices that stating the key alone replaces with the first of ``choices``.
    """

    choice: str
    choices: tuple[str, ...]
    instead_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a recipe. It annotates the type in a section; the rest follows from where it stands.

    Attributes:
        kind: What it takes.
        help: What it says, in the words of the command line's help.
        metavar: What the help writes for a value; the kind's unless stated.
        symbol: Its letter or words in tables; its name unless stated.
        field: What ``Hyperparameters`` calls it, where trials of a cohort may differ in it or it
            counts in another unit there.
        per_trial: Whether trials of a cohort may differ in it.
        needs: With which choices it plays a part; ``None``: with all.
        unnamed: The value that the name of a training run does not mention. Keys that came after
            the first runs have one, so that these keep their names.
        stored_if_used: Whether stored recipes leave it out where it is ``None`` or empty: those of
            before the key had it not, and are still the same recipes. Stating ``unnamed`` is then
            stating nothing.
        other_names: What other programs and our own code call it.
        before: The key that the help lists it before; recipes state it where it is declared.
        option: Its name as option and keyword, where that is not its own.
        not_searched: Why no search varies it.
        not_an_option: Why the command line has no option for it.
        section: Where it stands; nothing for the recipe itself.
        name: What recipe files call it.
        attribute: What ``section``'s class calls it.
        choices: The words that its type names.
        default: Its value where nothing is stated; ``None`` where that depends on other keys.
    """

    kind: Kind
    help: str
    metavar: str = ""
    symbol: str = ""
    field: str = ""
    per_trial: bool = False
    needs: Needs | None = None
    unnamed: Any = ABSENT
    stored_if_used: bool = False
    other_names: tuple[str, ...] = ()
    before: str = ""
    option: str = ""
    not_searched: str = ""
    not_an_option: str = ""
    section: str = ""
    name: str = ""
    attribute: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None

    # Pydantic takes it for what it yields: what its kind checks values by.
    __is_annotated_types_grouped_metadata__: ClassVar = True

    def __iter__(self) -> Iterator[Any]:
        return iter(self.kind)

    @property
    def key(self) -> str:
        """Return the name with its section, as in ``training.eta``."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def setting(self) -> str:
        """Return what the Python face calls it: the option's name, unless Python has the word."""
        name = self.option or self.name
        return f"{name}_" if name == "lambda" else name

    @property
    def flag(self) -> str:
        """Return the option of the command line."""
        return f"--{(self.option or self.name).replace('_', '-')}"


def keys_of(sections: type) -> dict[str, Key]:
    """Return the keys that a class and the classes of its sections declare, in their order."""
    return {key.key: key for key in _declared(sections, "")}


def _declared(sections: type, section: str) -> Iterator[Key]:
    for attribute, hint in get_type_hints(sections, include_extras=True).items():
        found = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Key)]
        if not found:
            yield from _declared(hint, attribute)
            continue
        (key,) = found
        yield replace(
            key,
            section=section,
            name=key.name or attribute,
            attribute=attribute,
            choices=_choices(hint.__origin__),
            default=getattr(sections, attribute),
        )


def _choices(annotated: Any) -> tuple[str, ...]:
    """Return the words of a type such as ``Literal["a", "b"] | None``."""
    parts = get_args(annotated) or (annotated,)
    if get_origin(annotated) is not None and all(isinstance(part, str) for part in parts):
        return parts
    return tuple(word for part in parts if get_args(part) for word in _choices(part))
