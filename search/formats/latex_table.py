"""A table alone as LaTeX, for the booktabs package: no wider than a page of ``article``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from coarsefine.search.formats.latex import STRAIGHT, escaped, number
from coarsefine.search.formats.words import clean
from coarsefine.search.tables.table import ExportTable

# Points of a line of ``article`` with letters of 10 points, on any paper.
_LINE: Final = 345.0
# Letters' widths at 10 points, rather too wide.
_NARROW, _BROAD, _CAPITAL, _USUAL = 3.4, 8.4, 7.6, 5.3


@dataclass(frozen=True, slots=True)
class _Size:
    """How a table is set.

    Attributes:
        command: For the size of its letters.
        share: Of the normal size.
        beside: Points at each side of a column.
        folded: Whether headings may take several lines.
    """

    command: str
    share: float
    beside: float
    folded: bool


_SIZES: Final = (
    _Size("", 1.0, 6.0, folded=False),
    _Size("", 1.0, 6.0, folded=True),
    _Size(r"\small", 0.93, 4.0, folded=True),
    _Size(r"\footnotesize", 0.87, 3.0, folded=True),
    _Size(r"\scriptsize", 0.81, 2.5, folded=True),
)


def table_bytes(table: ExportTable) -> bytes:
    """Return a table, with what its marks and intervals claim below it.

    Where it is too wide, its letters are smaller; then columns are left out, and a comment says
    which. Columns that were asked for are turned by 90 degrees instead.
    """
    cells, words = table.rounded()
    left_out: list[str] = []
    spares = {} if table.named else table.spares()
    size = _size(cells)
    while size is None:
        spare = max(cells, key=lambda name: spares.get(name, 0))
        if not spares.get(spare):
            break
        left_out.append(spare)
        cells = {name: texts for name, texts in cells.items() if name != spare}
        size = _size(cells)
    lines = [*_comments(left_out, turned=size is None), *_tabular(cells, words, size)]
    below = [f"\n\\par\\noindent {escaped(line)}\n" for line in table.explained()]
    text = "\n".join(lines) + "\n" + "".join(below)
    if r"\straight" in text:
        text = STRAIGHT.replace("newcommand", "providecommand") + "\n" + text
    return text.encode()


def _size(cells: Mapping[str, Sequence[str]]) -> _Size | None:
    """Return the largest size of letters that a table fits a line with, if there is one."""
    return next((size for size in _SIZES if _width(cells, size) <= _LINE), None)


def _width(cells: Mapping[str, Sequence[str]], size: _Size) -> float:
    """Return how many points a table takes, or rather more."""
    return sum(_points_of(name, texts, size) + 2 * size.beside for name, texts in cells.items())


def _points_of(name: str, texts: Sequence[str], size: _Size) -> float:
    """Return how many points a column takes."""
    heads = name.split() if size.folded else [name]
    return size.share * max(map(_points, [*heads, *texts]), default=0.0)


def _points(text: str) -> float:
    return sum(
        _NARROW
        if c in "ijlt.,:;'|!() "
        else _BROAD
        if c in "mw%@±×–" or c in "MW"
        else _CAPITAL
        if c.isupper() or not c.isascii()
        else _USUAL
        for c in text
    )


def _comments(left_out: Sequence[str], *, turned: bool) -> Iterator[str]:
    if left_out:
        names = "; ".join(" ".join(clean(name).split()) for name in left_out)
        yield f"% left out, because the table would be wider than a page: {names}"
        yield "% (export --columns writes the columns that it names)"
    if turned:
        yield r"% turned, because it is wider than a page: needs \usepackage{graphicx}, too"


def _tabular(
    cells: Mapping[str, Sequence[str]], words: set[str], size: _Size | None
) -> Iterator[str]:
    """Yield the lines of the table; without a size it is turned by 90 degrees."""
    chosen = size or _SIZES[-1]
    sides = {name: "l" if name in words else "r" for name in cells}
    if chosen.command:
        yield rf"\begingroup{chosen.command}\setlength{{\tabcolsep}}{{{chosen.beside:g}pt}}"
    if size is None:
        yield r"\rotatebox{90}{%"
    yield rf"\begin{{tabular}}{{{''.join(sides.values())}}}"
    yield r"\toprule"
    yield " & ".join(_heading(name, cells[name], sides[name], chosen) for name in cells) + r" \\"
    yield r"\midrule"
    for row in zip(*cells.values(), strict=True):
        line = " & ".join(map(number, row))
        # A row that begins so would be an option of the one before.
        yield ("{}" if line.startswith(("[", "*")) else "") + line + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    if size is None:
        yield "}"
    if chosen.command:
        yield r"\endgroup"


def _heading(name: str, texts: Sequence[str], side: str, size: _Size) -> str:
    words = escaped(name)
    if not size.folded or " " not in name:
        return words
    flush = r"\raggedleft" if side == "r" else r"\raggedright"
    points = f"{_points_of(name, texts, size):.0f}pt"
    return rf"\parbox[b]{{{points}}}{{{flush}\hspace{{0pt}}{words}}}"
