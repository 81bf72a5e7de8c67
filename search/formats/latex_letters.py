"""The letters that LaTeX sets: any text as it stands, with the fonts of a plain installation."""

import re
import unicodedata
from typing import Final

from coarsefine.search.formats.words import clean

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
    return "".join(_LETTERS.get(each, each) for each in standing_for(letter))


def standing_for(letter: str) -> str:
    """Return the letters that LaTeX sets for one: itself, those it is made of, or its number.

    >>> standing_for("λ"), standing_for("ﬁ"), standing_for("日")
    ('λ', 'fi', '[U+65E5]')
    """
    if letter in _LETTERS or letter in _PLAIN or (letter.isascii() and letter.isprintable()):
        return letter
    bare = unicodedata.normalize("NFKD", letter)
    if bare != letter and all(c.isascii() and c.isprintable() for c in bare):
        return bare
    return f"[U+{ord(letter):04X}]"


def number(shown: str) -> str:
    r"""Return a cell, a power of ten as mathematics.

    >>> number("3.728e-05"), number("0.1")
    ('\\ensuremath{3.728 \\cdot 10^{-5}}', '0.1')
    """
    power = _POWER.fullmatch(shown)
    if power:
        return rf"\ensuremath{{{power[1]} \cdot 10^{{{int(power[2])}}}}}"
    return escaped(shown)
