"""How names and cells of people's files stand in messages: short and on one line."""

from collections.abc import Sequence

_LONGEST = 60


def shown(value: object) -> str:
    r"""Return a cell as it stands in a message.

    >>> shown(2.5), shown("rose "), shown(b"\x89PNG" * 1000)
    ('2.5', "'rose '", '4,000 bytes')
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    text = repr(value) if isinstance(value, str) else str(value)
    return _short(text)


def named(name: str) -> str:
    r"""Return a name, quoted if it has blanks that one would not see.

    >>> named("width"), named("label "), named("a\nb")
    ('width', "'label '", 'a b')
    """
    text = " ".join(name.split())
    if text != name and name.strip() != name:
        return _short(repr(name))
    return _short(text)


def quoted(name: str) -> str:
    """Return a name in quotes."""
    return _short(repr(name))


def some(names: Sequence[str], most: int = 8) -> str:
    """Return names in words, the first few of many."""
    listed = ", ".join(named(name) for name in names[:most])
    return f"{listed}, … ({len(names):,} in all)" if len(names) > most else listed


def _short(text: str) -> str:
    # A quoted name may go over lines, and one that was never closed over all of the file.
    text = " ".join(text.split(" "))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
