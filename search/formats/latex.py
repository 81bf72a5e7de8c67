"""A report as LaTeX, for the booktabs package, with its figures beside it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from coarsefine.search.formats.captions import Caption
from coarsefine.search.formats.words import cell, clean, is_number
from coarsefine.studies.reports.parts import (
    Block,
    Code,
    Column,
    Facts,
    Heading,
    Items,
    Paragraph,
    Picture,
    Report,
    Table,
)

# Words of any encoding of fonts: a plain installation has no other.
_LETTERS: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\straight{34}",
    "'": r"\straight{13}",
    "`": r"\straight{18}",
    # Two of them would be a dash.
    "-": r"-{}",
    "–": "--",
    "−": r"\ensuremath{-}",
    "…": r"\dots{}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "·": r"\ensuremath{\cdot}",
    "≤": r"\ensuremath{\le}",
    "≥": r"\ensuremath{\ge}",
    "½": r"\ensuremath{\frac{1}{2}}",
    "²": r"\ensuremath{^2}",
    "√": r"\ensuremath{\surd}",
    "→": r"\ensuremath{\to}",
    "°": r"\ensuremath{^\circ}",
    "‖": r"\ensuremath{\Vert}",
    "ₐ": r"\ensuremath{_a}",
    "ₙ": r"\ensuremath{_n}",
    "\N{NO-BREAK SPACE}": "~",
    **{
        letter: rf"\ensuremath{{\{name}}}"
        for letter, name in {
            "α": "alpha",
            "β": "beta",
            "γ": "gamma",
            "ε": "epsilon",
            "η": "eta",
            "λ": "lambda",
            "μ": "mu",
            "ρ": "rho",
            "σ": "sigma",
            "Σ": "Sigma",
        }.items()
    },
}
# Latin letters that every font encoding of LaTeX has or composes.
_PLAIN: Final = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŁłŠšŽžŒœ")
_POWER: Final = re.compile(r"(-?[\d.]+)e([-+]\d+)")
# Words longer than this have places to break; letters between two such places.
_LONG, _PIECE = 24, 8

STRAIGHT: Final = (
    r"\newcommand{\straight}[1]{{\fontencoding{OT1}\fontfamily{cmtt}\selectfont\char#1}}"
)
_HEAD: Final = r"""\documentclass[11pt,a4paper]{article}
\usepackage[utf8]{inputenc}
% Without these fonts letters are nearly the same; quotes of commands must be straight with any.
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
@STRAIGHT@
\usepackage[margin=22mm]{geometry}
\usepackage{array,booktabs,longtable,graphicx}
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


def escaped(words: str) -> str:
    r"""Return a text that LaTeX sets as it stands; letters that it has no font for by number.

    >>> escaped("n_s 50%"), escaped("λ ± 1"), escaped("日")
    ('n\\_s 50\\%', '\\ensuremath{\\lambda} \\ensuremath{\\pm} 1', '[U+65E5]')
    """
    pieces = []
    for word in re.split(r"(\s+)", clean(words)):
        if not word.strip():
            pieces.append(" " if word else "")
            continue
        letters = [_letter(c) for c in word]
        if len(letters) > _LONG:
            # A fingerprint or a path has no blank to break at.
            parts = ["".join(letters[i : i + _PIECE]) for i in range(0, len(letters), _PIECE)]
            pieces.append(r"\allowbreak{}".join(parts))
        else:
            pieces.append("".join(letters))
    return "".join(pieces).strip()


def _letter(letter: str) -> str:
    if letter in _LETTERS:
        return _LETTERS[letter]
    if letter in _PLAIN or (letter.isascii() and letter.isprintable()):
        return letter
    bare = unicodedata.normalize("NFKD", letter)
    if bare != letter and all(c.isascii() and c.isprintable() for c in bare):
        return "".join(map(_letter, bare))
    return f"[U+{ord(letter):04X}]"


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
    shapes, wide = _shapes(table.columns, cells)
    long = len(cells) > _ROWS
    caption, shape = escaped(table.caption), f"{{@{{}}{shapes}@{{}}}}"
    # Long tables go over pages; others stay in one piece.
    yield r"\begingroup" if long else r"\noindent\begin{minipage}{\textwidth}"
    yield r"\scriptsize\setlength{\tabcolsep}{2.5pt}" if wide else r"\small"
    if long:
        yield rf"\begin{{longtable}}{shape}"
        yield rf"\caption{{{caption}}}\\"
    else:
        yield rf"\tablecaption{{{caption}}}"
        yield rf"\begin{{tabular}}{shape}"
    yield r"\toprule"
    yield " & ".join(_heading(column, wide=wide) for column in table.columns) + r" \\"
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


# Rows that fit a page with something above them.
_ROWS = 25


def _shapes(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> tuple[str, bool]:
    """Return the kinds of columns, and whether the table needs small letters."""
    widths = [max((len(row[i]) for row in cells), default=0) for i in range(len(columns))]
    total = sum(
        max(width, len(c.heading) // 2) + 2 for width, c in zip(widths, columns, strict=True)
    )
    shapes = ""
    n_long = sum(width > _LONGEST for width in widths)
    for width, column in zip(widths, columns, strict=True):
        if width > _LONGEST:
            # Long texts share what the others leave.
            share = max(0.15, (0.95 - 0.012 * (total - sum(w for w in widths if w > _LONGEST))))
            shapes += _flushed(share / n_long)
        else:
            shapes += "r" if is_number(column) else "l"
    return shapes, total - sum(w for w in widths if w > _LONGEST) > _WIDE


def _flushed(share: float) -> str:
    """Return a column of texts that takes a share of the line."""
    return rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\textwidth}}"


# Letters of a cell that may take several lines, and of a row in letters of normal size.
_LONGEST, _WIDE = 36, 80


def _heading(column: Column, *, wide: bool) -> str:
    words = [escaped(word) for word in column.heading.split(" ")]
    if not wide or len(words) == 1:
        return "{}" + " ".join(words)
    side = "r" if is_number(column) else "l"
    joined = r" \\ ".join(f"{{}}{word}" for word in words)
    return rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{joined}\end{{tabular}}"


def number(shown: str) -> str:
    r"""Return a cell, a power of ten as mathematics.

    >>> number("3.728e-05"), number("0.1")
    ('\\ensuremath{3.728 \\cdot 10^{-5}}', '0.1')
    """
    power = _POWER.fullmatch(shown)
    if power:
        return rf"\ensuremath{{{power[1]} \cdot 10^{{{int(power[2])}}}}}"
    return escaped(shown)
