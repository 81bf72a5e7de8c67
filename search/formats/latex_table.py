"""A table alone as LaTeX, for the booktabs package: no wider than a page of ``article``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from coarsefine.search.formats.latex_letters import STRAIGHT, escaped, number
from coarsefine.search.formats.latex_width import Shape, Size, columns, fitting
from coarsefine.search.formats.words import clean
from coarsefine.search.tables.table import ExportTable

# Points of a line of ``article`` with letters of 10 points, on any paper.
_LINE: Final = 345.0
# The same of a page that is turned, and the letters of a cell that may take several lines there.
_TURNED_LINE, _LONGEST = 550.0, 36
# Rows that a page has room for, upright and, in small letters, turned.
_ROWS, _TURNED_ROWS = 36, 34
_SIZES: Final = (
    Size("", 1.0, 6.0, folded=False),
    Size("", 1.0, 6.0, folded=True),
    Size(r"\small", 0.93, 4.0, folded=True),
    Size(r"\footnotesize", 0.87, 3.0, folded=True),
    Size(r"\scriptsize", 0.81, 2.5, folded=True),
)


def table_bytes(table: ExportTable) -> bytes:
    """Return a table, with what its marks and intervals claim below it.

    Where it is too wide, its letters are smaller; then columns are left out, and a comment says
    which. Columns that were asked for are turned by 90 degrees instead. What is longer than a page
    goes over several.
    """
    cells, words = table.rounded()
    left_out: list[str] = []
    spares = {} if table.named else table.spares()
    shapes = _shapes(cells, words)
    while (size := fitting(shapes, _SIZES, _LINE)) is None:
        spare = max(shapes, key=lambda shape: spares.get(shape.heading, 0))
        if not spares.get(spare.heading):
            break
        left_out.append(spare.heading)
        shapes.remove(spare)
    if size is None and fitting(shapes, _SIZES, _TURNED_LINE) is None:
        shapes = [replace(shape, longest=_LONGEST) for shape in shapes]
    lines = [*_comments(left_out), *_set(shapes, size, table.n_rows)]
    below = [f"\n\\par\\noindent {escaped(line)}\n" for line in table.explained()]
    text = "\n".join(lines) + "\n" + "".join(below)
    if r"\straight" in text:
        text = STRAIGHT.replace("newcommand", "providecommand") + "\n" + text
    return text.encode()


def _shapes(cells: Mapping[str, Sequence[str]], words: set[str]) -> list[Shape]:
    return [Shape(name, texts, "l" if name in words else "r") for name, texts in cells.items()]


def _comments(left_out: Sequence[str]) -> Iterator[str]:
    if left_out:
        names = "; ".join(" ".join(clean(name).split()) for name in left_out)
        yield f"% left out, because the table would be wider than a page: {names}"
        yield "% (export --columns writes the columns that it names)"


def _set(shapes: Sequence[Shape], size: Size | None, n_rows: int) -> Iterator[str]:
    """Yield the lines of the table; without a size it is turned by 90 degrees."""
    turned, chosen = size is None, size or _SIZES[-1]
    long = n_rows > (_TURNED_ROWS if turned else _ROWS)
    packages = ["lscape" if long else "graphicx"] if turned else []
    packages += ["longtable"] if long else []
    packages += ["array"] if any(shape.is_long for shape in shapes) else []
    if packages:
        how = "turned, because it is wider than a page" if turned else "longer than a page"
        yield rf"% {how}: needs \usepackage{{{','.join(packages)}}}, too"
    if turned and long:
        yield r"\begin{landscape}"
    if chosen.command or long:
        yield rf"\begingroup{chosen.begun()}"
    if turned and not long:
        yield r"\rotatebox{90}{%"
    yield from _rows(shapes, chosen, long=long)
    if turned and not long:
        yield "}"
    if chosen.command or long:
        yield r"\endgroup"
    if turned and long:
        yield r"\end{landscape}"


def _rows(shapes: Sequence[Shape], size: Size, *, long: bool) -> Iterator[str]:
    kind = "longtable" if long else "tabular"
    yield rf"\begin{{{kind}}}{{{''.join(columns(shapes, size, _TURNED_LINE))}}}"
    yield r"\toprule"
    yield " & ".join(shape.set_heading(size) for shape in shapes) + r" \\"
    yield r"\midrule"
    if long:
        yield r"\endhead"
        yield r"\bottomrule"
        yield r"\endlastfoot"
    for row in zip(*(shape.texts for shape in shapes), strict=True):
        line = " & ".join(map(number, row))
        # A row that begins so would be an option of the one before.
        yield ("{}" if line.startswith(("[", "*")) else "") + line + r" \\"
    if not long:
        yield r"\bottomrule"
    yield rf"\end{{{kind}}}"
