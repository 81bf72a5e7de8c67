"""A report as LaTeX, for the booktabs package, with its figures beside it."""

from collections.abc import Iterator, Mapping
from typing import Final

from coarsefine.search.formats.captions import Caption
from coarsefine.search.formats.latex_letters import STRAIGHT, escaped, number
from coarsefine.search.formats.latex_width import Shape, Size, columns, fitting
from coarsefine.search.formats.words import cell, is_number
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

_HEAD: Final = r"""\documentclass[11pt,a4paper]{article}
\usepackage[utf8]{inputenc}
% Without these fonts letters are nearly the same; quotes of commands must be straight with any.
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
@STRAIGHT@
\usepackage[margin=22mm]{geometry}
\usepackage{array,booktabs,longtable,graphicx}
% For tables wider than a page, where there are any.
\IfFileExists{pdflscape.sty}{\usepackage{pdflscape}}{\usepackage{lscape}}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5em}
\setlength{\LTleft}{0pt}
\setlength{\emergencystretch}{3em}
\makeatletter
% A caption in a place that does not float.
\newcommand{\tablecaption}[1]{\def\@captype{table}\caption{#1}}
\makeatother
""".replace("@STRAIGHT@", STRAIGHT)


def text(report: Report, captions: Mapping[str, Caption], folder: str) -> str:
    """Return the report; figures are looked for in ``folder``.

    Args:
        report: What it says.
        captions: Of the figures that there are, by the names of their places.
        folder: Beside the report.
    """
    title = rf"\title{{{escaped(report.study)}\\[0.3em]\large {escaped(report.title)}}}"
    lines = [_HEAD + title, r"\author{}", r"\date{}", r"\begin{document}", r"\maketitle", ""]
    for section in report.sections:
        lines += [rf"\section{{{escaped(section.title)}}}\label{{sec:{section.name}}}", ""]
        for block in section.blocks:
            lines += [*_block(block, captions, folder), ""]
    lines += [r"\end{document}", ""]
    return "\n".join(lines)


def _block(block: Block, captions: Mapping[str, Caption], folder: str) -> Iterator[str]:
    match block:
        case Paragraph():
            said = escaped(block.text)
            named = rf"\textbf{{{block.tone.capitalize()}:}} "
            yield said if block.tone == "plain" else named + said
        case Items():
            yield r"\begin{itemize}"
            # A bracket would be an option of the item.
            yield from (rf"\item {{}}{escaped(line)}" for line in block.lines)
            yield r"\end{itemize}"
        case Facts():
            yield rf"\begin{{longtable}}{{@{{}}{_flushed(0.2)}{_flushed(0.74)}@{{}}}}"
            yield r"\toprule"
            for name, said in block.rows:
                yield rf"{{}}{escaped(name)} & {escaped(said)} \\"
            yield r"\bottomrule"
            yield r"\end{longtable}"
            yield r"\addtocounter{table}{-1}"
        case Table():
            yield from _table(block)
        case Code():
            yield rf"\textit{{{escaped(block.label)}}}"
            yield ""
            yield r"{\small\ttfamily\raggedright\hyphenpenalty=10000"
            for line in block.text.rstrip("\n").split("\n"):
                blanks = len(line) - len(line.lstrip(" "))
                said = "~" * blanks + escaped(line)
                yield rf"\hangindent=2em {said or '~'}\par" + r"\vspace{-0.45em}"
            yield r"}"
            yield r"\vspace{0.6em}"
        case Heading():
            yield rf"\subsection*{{{escaped(block.text)}}}"
        case Picture():
            if block.name in captions:
                yield r"\begin{figure}[htbp]"
                yield r"\centering"
                size = r"width=0.8\textwidth,height=0.8\textheight,keepaspectratio"
                place = rf"\detokenize{{{folder}/{block.name}.pdf}}"
                yield rf"\includegraphics[{size}]{{{place}}}"
                yield rf"\caption{{{escaped(captions[block.name].shows)}}}"
                yield r"\end{figure}"


def _table(table: Table) -> Iterator[str]:
    cells = [
        [cell(column.kind, content) for column, content in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]
    shapes = [
        Shape(
            column.heading,
            [row[i] for row in cells],
            "r" if is_number(column) else "l",
            strong=table.strong,
            longest=_LONGEST,
        )
        for i, column in enumerate(table.columns)
    ]
    size = fitting(shapes, _SIZES, _LINE)
    turned = size is None
    line = _TURNED_LINE if turned else _LINE
    size = size or fitting(shapes, _SIZES, line) or _SIZES[-1]
    # Long tables go over pages; others stay in one piece.
    long = turned or len(cells) > _ROWS
    caption = escaped(table.caption)
    shape = "".join(columns(shapes, size, line))
    if turned:
        yield r"\begin{landscape}"
    yield r"\begingroup" if long else r"\noindent\begin{minipage}{\textwidth}"
    yield size.begun()
    if long:
        yield rf"\begin{{longtable}}{{@{{}}{shape}@{{}}}}"
        yield rf"\caption{{{caption}}}\\"
    else:
        yield rf"\tablecaption{{{caption}}}"
        yield rf"\begin{{tabular}}{{@{{}}{shape}@{{}}}}"
    yield r"\toprule"
    yield " & ".join("{}" + each.set_heading(size) for each in shapes) + r" \\"
    yield r"\midrule"
    if long:
        yield r"\endhead"
        yield r"\bottomrule"
        yield r"\endlastfoot"
    for position, row in enumerate(cells):
        words = [number(each) for each in row]
        if position in table.strong:
            words = [rf"\textbf{{\boldmath {each}}}" if each else "" for each in words]
        # A row that begins with a bracket would be an option of the one before.
        yield "{}" + " & ".join(words) + r" \\"
    if not long:
        yield r"\bottomrule"
    yield r"\end{longtable}" if long else r"\end{tabular}"
    yield r"\endgroup" if long else r"\end{minipage}"
    if turned:
        yield r"\end{landscape}"


# Rows that fit a page with something above them, and letters of a cell that may take several lines.
_ROWS, _LONGEST = 25, 36
# Points of a line of the report's pages, upright and turned; the sizes of letters that tables have.
_LINE, _TURNED_LINE = 472.0, 718.0
_SIZES: Final = (
    Size(r"\small", 1.0, 6.0, folded=False),
    Size(r"\small", 1.0, 6.0, folded=True),
    Size(r"\footnotesize", 0.9, 4.0, folded=True),
    Size(r"\scriptsize", 0.8, 2.5, folded=True),
)


def _flushed(share: float) -> str:
    """Return a column of texts that takes a share of the line."""
    return rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\textwidth}}"
