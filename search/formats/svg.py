"""A figure as a part of a page: drawn by attributes alone, with names of its own."""

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from coarsefine.search.figures.rendering import rendered
from coarsefine.search.formats.words import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG: Final = "http://www.w3.org/2000/svg"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
# Of the file alone: who made it and when, and rules that would hold for the whole page.
_LEFT_OUT: Final = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}


def inline(figure: "Figure", name: str) -> str:
    """Return a figure as an ``svg`` element.

    Styles become attributes, so that the page's policy can forbid styles. Names that are referred
    to get ``name`` before them, so that figures of one page do not take each other's letters;
    the others go.
    """
    root = ET.fromstring(rendered(figure, "svg"))  # noqa: S314  # our own, made this moment
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _LEFT_OUT]:
            parent.remove(child)
    for element in root.iter():
        _without_style(element)
    used = set(_references(root))
    for element in root.iter():
        _renamed(element, name, used)
    for size in ("width", "height"):
        root.attrib.pop(size, None)  # the page gives it one, in its proportions
    root.set("role", "img")
    root.set("aria-label", clean(str(figure.get_label())))
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _without_style(element: ET.Element) -> None:
    style = element.attrib.pop("style", None)
    for rule in (style or "").split(";"):
        key, colon, value = rule.partition(":")
        if colon:
            element.set(key.strip(), value.strip())


def _references(root: ET.Element) -> Iterator[str]:
    """Yield the names that something refers to."""
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == _HREF and value.startswith("#"):
                yield value[1:]
            yield from _REFERENCE.findall(value)


def _renamed(element: ET.Element, name: str, used: Collection[str]) -> None:
    link = element.attrib.pop(_HREF, None)
    if link is not None:
        element.set("href", f"#{name}-{link[1:]}" if link.startswith("#") else link)
    own = element.attrib.pop("id", None)
    if own in used:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
