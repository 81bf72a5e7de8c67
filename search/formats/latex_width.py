"""How wide LaTeX sets a table, and the largest letters that it fits a line with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from coarsefine.search.formats.latex_letters import escaped, standing_for

# Letters' widths at 10 points, rather too wide.
_NARROW, _BROAD, _CAPITAL, _USUAL = 3.4, 8.4, 7.6, 5.3
# What bold letters have more.
_BOLD: Final = 1.16


@dataclass(frozen=True, slots=True)
class Size:
    """How a table is set.

    Attributes:
        command: For the size of its letters.
        share: Of letters of 10 points.
        beside: Points at each side of a column.
        folded: Whether headings may take several lines.
    """

    command: str
    share: float
    beside: float
    folded: bool

    def begun(self) -> str:
        """Return what comes before a table."""
        return rf"{self.command}\setlength{{\tabcolsep}}{{{self.beside:g}pt}}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A column: its heading and its cells, and how they stand.

    Attributes:
        side: ``l`` or ``r``.
        strong: Positions of the cells in bold letters.
        longest: Letters of a cell beyond which it may take several lines.
    """

    heading: str
    texts: Sequence[str]
    side: str
    strong: frozenset[int] = field(default=frozenset())
    longest: int | None = None

    @property
    def is_long(self) -> bool:
        """Return whether its cells may take several lines."""
        return self.longest is not None and max(map(len, self.texts), default=0) > self.longest

    def points(self, size: Size) -> float:
        """Return how many points it takes, or rather more."""
        heads = self.heading.split() if size.folded else [self.heading]
        cells = (
            points(text) * (_BOLD if position in self.strong else 1.0)
            for position, text in enumerate(self.texts)
        )
        return size.share * max(*map(points, heads), *cells, 0.0)

    def set_heading(self, size: Size) -> str:
        """Return its heading, over several lines where that makes the column narrower."""
        words = escaped(self.heading)
        if not size.folded or " " not in self.heading or self.is_long:
            return words
        flush = r"\raggedleft" if self.side == "r" else r"\raggedright"
        return rf"\parbox[b]{{{self.points(size):.0f}pt}}{{{flush}\hspace{{0pt}}{words}}}"


def fitting(shapes: Sequence[Shape], sizes: Sequence[Size], line: float) -> Size | None:
    """Return the largest size of letters that a table fits a line with, if there is one."""
    return next((size for size in sizes if _width(shapes, size) <= line), None)


def columns(shapes: Sequence[Shape], size: Size, line: float) -> Iterator[str]:
    """Yield the kinds of columns; long texts share what the others leave of a line."""
    n_long = sum(shape.is_long for shape in shapes)
    room = line - _width([s for s in shapes if not s.is_long], size)
    for shape in shapes:
        if shape.is_long:
            points_of = max(room / n_long - 2 * size.beside, _LEAST)
            yield rf">{{\raggedright\arraybackslash}}p{{{points_of:.0f}pt}}"
        else:
            yield shape.side


# Points that a column of long texts has at least.
_LEAST: Final = 80.0


def _width(shapes: Sequence[Shape], size: Size) -> float:
    """Return how many points a table takes at least, or rather more."""
    return sum(
        (_LEAST if shape.is_long else shape.points(size)) + 2 * size.beside for shape in shapes
    )


def points(text: str) -> float:
    """Return how wide a text is in letters of 10 points, or rather more."""
    return sum(
        _NARROW
        if c in "ijlt.,:;'|!()[] "
        else _BROAD
        if c in "mw%@±×–+&=~^<>…" or c in "MW"
        else _CAPITAL
        if c.isupper() or not c.isascii()
        else _USUAL
        for letter in text
        for c in standing_for(letter)
    )
