"""A report as Markdown, with its figures beside it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from coarsefine.search.formats.captions import Caption
from coarsefine.search.formats.words import cell, clean, is_number
from coarsefine.search.tables.table import ExportTable
from coarsefine.studies.reports.parts import (
    Block,
    Code,
    Facts,
    Heading,
    Items,
    Paragraph,
    Picture,
    Report,
    Table,
)

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
# What makes a list, a quotation, a rule or a heading of a line that begins with it.
_BEGINNING: Final = re.compile(r"^([-+=]|\d+(?=[.)]))")


def text(report: Report, captions: Mapping[str, Caption], folder: str) -> str:
    """Return the report; figures are looked for in ``folder``.

    Args:
        report: What it says.
        captions: Of the figures that there are, by the names of their places.
        folder: Beside the report.
    """
    lines = [f"# {escaped(report.study)}", "", escaped(report.title), ""]
    for section in report.sections:
        lines += [f"## {escaped(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block(block, captions, folder), ""]
    # An absent figure leaves no gap.
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def escaped(words: str) -> str:
    r"""Return a text on one line that Markdown shows as it stands.

    >>> escaped("n_s <b>|"), escaped("- one\ntwo"), escaped("1. first")
    ('n\\_s \\<b\\>\\|', '\\- one two', '1\\. first')
    """
    line = _in_cell(words)
    found = _BEGINNING.match(line)
    if found is None:
        return line
    begun, rest = found[1], line[found.end() :]
    return f"{begun}\\{rest}" if begun.isdigit() else f"\\{begun}{rest}"


def table_bytes(table: ExportTable) -> bytes:
    """Return a table, with what its marks and intervals claim below it."""
    import pandas as pd

    cells, words = table.rounded()
    escaped_cells = pd.DataFrame(cells).map(_in_cell).rename(columns=_in_cell)
    align = ["left" if name in words else "right" for name in cells]
    text = escaped_cells.to_markdown(index=False, disable_numparse=True, colalign=align)
    return "\n\n".join((text, *map(escaped, table.explained()))).encode() + b"\n"


def _in_cell(words: str) -> str:
    # No line begins in a cell, so a minus sign there is one.
    return _SPECIAL.sub(r"\\\1", " ".join(clean(words).split()))


def _block(block: Block, captions: Mapping[str, Caption], folder: str) -> Iterator[str]:
    match block:
        case Paragraph():
            said = escaped(block.text)
            yield said if block.tone == "plain" else f"> **{block.tone.capitalize()}:** {said}"
        case Items():
            yield from (f"- {escaped(line)}" for line in block.lines)
        case Facts():
            facts = [(escaped(name), escaped(said)) for name, said in block.rows]
            yield from _rows([("", ""), *facts], ["---", "---"])
        case Table():
            headings = tuple(escaped(column.heading) for column in block.columns)
            rules = ["---:" if is_number(column) else "---" for column in block.columns]
            rows: list[tuple[str, ...]] = []
            for position, row in enumerate(block.rows):
                cells = [
                    escaped(cell(column.kind, content))
                    for column, content in zip(block.columns, row, strict=True)
                ]
                strong = position in block.strong
                rows.append(tuple(f"**{each}**" if strong and each else each for each in cells))
            yield f"{escaped(block.caption)}:"
            yield ""
            yield from _rows([headings, *rows], rules)
        case Code():
            yield f"{escaped(block.label)}:"
            yield ""
            code = clean(block.text).rstrip("\n")
            longest = max((len(run) for run in re.findall("`+", code)), default=0)
            fence = "`" * max(3, longest + 1)
            yield from (fence, code, fence)
        case Heading():
            yield f"### {escaped(block.text)}"
        case Picture():
            if block.name in captions:
                caption = captions[block.name]
                place = f"{quote(folder)}/{block.name}.png"
                yield f"![{escaped(caption.spoken)}]({place})"
                yield ""
                yield f"*Figure {caption.number}: {escaped(caption.shows)}*"


def _rows(rows: list[tuple[str, ...]], rules: list[str]) -> Iterator[str]:
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(rules)} |"
    yield from (f"| {' | '.join(row)} |" for row in body)
